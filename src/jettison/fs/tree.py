"""A tree: a root file system to read, wherever its files really lie.

Paths in a tree are absolute and clean (``/``, ``/etc/passwd``), whatever the host's paths are.
Nothing here follows a link of the host: links are resolved component by component inside the tree,
so that neither an absolute target nor ``..`` leads out of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Protocol

from jettison.errors import PathError

MAX_LINKS = 255
"""Links followed in one path before it counts as a loop (containerd's continuity allows 255)."""


class Entry:
    """A file of a tree: ``path`` in the tree, ``real`` path on the host, ``st`` as of lstat(2)."""

    __slots__ = ("path", "real", "st")

    def __init__(self, path: str, real: str, st: os.stat_result) -> None:
        self.path = path
        self.real = real
        self.st = st

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def mode(self) -> int:
        """Permission bits with setuid, setgid and sticky, without the type."""
        return self.st.st_mode & 0o7777

    @property
    def kind(self) -> int:
        """The type bits (stat.S_IFREG and so on)."""
        return stat.S_IFMT(self.st.st_mode)

    @property
    def uid(self) -> int:
        return self.st.st_uid

    @property
    def gid(self) -> int:
        return self.st.st_gid

    @property
    def size(self) -> int:
        return self.st.st_size

    @property
    def mtime_ns(self) -> int:
        return self.st.st_mtime_ns

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.st.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.st.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.st.st_mode)

    @property
    def target(self) -> str:
        """What the symbolic link says (read from the disk each time)."""
        return os.readlink(self.real)

    def __repr__(self) -> str:
        return f"Entry({self.path!r}, {self.real!r}, {stat.filemode(self.st.st_mode)})"


Lookup = Callable[[str], Entry | None]
"""The entry at a clean path, not following a last link; None if there is none."""


class Tree(Protocol):
    """A root file system that can be read. Unless said otherwise, no method follows links."""

    def lstat(self, path: str) -> Entry | None:
        """The entry at a clean absolute path; None if there is none, or a parent is no directory.

        Raises PathError if the host cannot read it.
        """
        ...

    def children(self, path: str) -> list[Entry]:
        """The entries of the directory at ``path``, sorted by name; none if it is no directory."""
        ...

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """Where ``path`` leads when its links are followed inside the tree; see `resolve`."""
        ...

    def walk(self, path: str = "/") -> Iterator[Entry]:
        """Everything below ``path``, parents first, in name order; see `walk`."""
        ...

    def explain_missing(self, path: str) -> str | None:
        """Why something that might be expected at ``path`` is not there, as a hint, if known."""
        ...


def clean(path: str) -> str:
    """``path`` as an absolute path without empty, ``.`` and ``..`` components (Go's path.Join)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part and part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def join(directory: str, name: str) -> str:
    """The path of ``name`` (one component) in a clean ``directory``."""
    return f"/{name}" if directory == "/" else f"{directory}/{name}"


def parent_of(path: str) -> str:
    """The directory that holds a clean path; ``/`` for ``/``."""
    return path.rpartition("/")[0] or "/"


def resolve(lookup: Lookup, path: str, *, follow_last: bool = True, root: str = "/") -> str:
    """Follow the links of ``path``, which starts at ``root``, without ever leaving ``root``.

    Absolute targets start at ``root`` again, ``..`` stops there. What does not exist is kept as
    it is written, so that the result can be created (continuity's fs.RootPath does the same).
    Raises PathError if it takes more than MAX_LINKS links.
    """
    todo = [part for part in reversed(path.split("/")) if part and part != "."]
    done: list[str] = []
    links = 0
    base = "" if root == "/" else root
    while todo:
        part = todo.pop()
        if part == "..":
            del done[-1:]
            continue
        done.append(part)
        if not todo and not follow_last:
            break
        entry = lookup(f"{base}/{'/'.join(done)}")
        if entry is None or not entry.is_link:
            continue
        links += 1
        if links > MAX_LINKS:
            raise PathError(f"{path}: too many levels of symbolic links")
        target = entry.target
        if target.startswith("/"):
            done.clear()
        else:
            done.pop()
        todo.extend(p for p in reversed(target.split("/")) if p and p != ".")
    return f"{base}/{'/'.join(done)}" if done else root


def walk(tree: Tree, path: str = "/") -> Iterator[Entry]:
    """Everything below ``path`` (itself not included), parents first, in name order."""
    pending = list(reversed(tree.children(path)))
    while pending:
        entry = pending.pop()
        yield entry
        if entry.is_dir:
            pending.extend(reversed(tree.children(entry.path)))


def unreadable(path: str, error: OSError) -> PathError:
    """The error for a path of a tree that the host refuses to read or write."""
    hint = None
    if isinstance(error, PermissionError):
        hint = "the user who runs the build must be able to read it; .dockerignore can leave it out"
    return PathError(f"{path}: {os.strerror(error.errno or 0)}", hint=hint)
