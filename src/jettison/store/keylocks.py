"""Locks on keys between processes, so that what two builds need is made by one of them.

One file carries all of them: a key locks the byte its hash names (fcntl(2), open file description
locks, which the kernel drops when their holder dies). So there is nothing to create, count or
remove for a key, and threads of one process exclude each other too.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jettison.store.faults import store_faults
from jettison.store.locks import open_lock
from jettison.store.paths import Paths

_POLL_SECONDS = 0.02
_FLOCK = "hhqqi"  # struct flock of 64-bit offsets: type, whence, start, length, pid


class KeyLocks:
    """The key locks of a store."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.lock("keys")

    @contextmanager
    def hold(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock on ``key``.

        ``waiting`` is called again and again while somebody else holds it; what it raises ends the
        wait. Whoever holds a lock must not wait for another one of a kind that may be held by
        those who wait for the first (steps wait for blobs and layers, never for steps).
        """
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 2
        with store_faults("cannot lock the store"):
            fd = open_lock(self._path)
        try:
            while not _try(fd, place):
                waiting()
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(fd)


def _try(fd: int, place: int) -> bool:
    wish = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
    with store_faults("cannot lock the store"):
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, wish)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES (fcntl(2))
            return False
    return True
