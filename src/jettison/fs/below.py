"""What layers must know of the tree they lie on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.")
"""What overlayfs' extended attributes begin with: ``user.`` for mounts with ``userxattr`` (kernel
documentation, filesystems/overlayfs, "Unprivileged mounts")."""


class Found(Protocol):
    """Something in a tree: its path there, its path on the host, and what lstat(2) says of it."""

    @property
    def path(self) -> str: ...
    @property
    def real(self) -> str: ...
    @property
    def st(self) -> os.stat_result: ...


class Below(Protocol):
    """A tree to read, such as a stack of layers. Paths are absolute and clean."""

    def lstat(self, path: str) -> Found | None:
        """What is at ``path``; None if there is nothing, or a parent is no directory."""
        ...

    def children(self, path: str) -> Sequence[Found]:
        """What is in the directory at ``path``; nothing if it is no directory."""
        ...
