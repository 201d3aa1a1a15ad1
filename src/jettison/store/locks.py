"""Locks between processes: ``flock(2)``, which the kernel drops when its holder dies.

A lock belongs to an open file description, so threads of one process exclude each other too as
long as each opens the file itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on ``path`` (made if need be), waiting for it as long as it takes.

    Only for sections that end soon: the wait cannot be cancelled.
    """
    fd = open_lock(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def open_lock(path: Path) -> int:
    """A new file description of a lock file; closing it drops whatever lock it holds."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock ``fd`` (or change its lock) without waiting; False if somebody else holds it."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
