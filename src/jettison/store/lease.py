"""Leases: what running builds use, so that nobody prunes it under them.

A lease is a file in ``locks/leases/`` which its process keeps locked; its lines are marks such as
``layer:b7k2…``. A process that dies loses the lock, and with it the lease.

The lock ``gc`` orders users and collectors: a user holds it shared while it writes a mark *and*
looks whether the thing is there (or puts it there); a collector holds it alone while it reads all
marks and moves its victims out of the way. So whoever saw a thing has marked it before any
collector decides.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jettison.store.faults import store_faults
from jettison.store.locks import locked, try_lock
from jettison.store.paths import Paths


class Leases:
    """The leases of this process on one store. Marks go to all leases it holds."""

    def __init__(self, paths: Paths) -> None:
        self._directory = paths.leases
        self._gc = paths.lock("gc")
        self._lock = threading.Lock()
        self._open: dict[int, set[str]] = {}

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Until the end, everything used through this store is safe from collectors."""
        path = self._directory / os.urandom(8).hex()
        with store_faults("cannot take a lease"), locked(self._gc, shared=True):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            fd = os.open(path, flags, 0o600)
            try_lock(fd)
        with self._lock:
            self._open[fd] = set()
        try:
            yield
        finally:
            with self._lock:
                del self._open[fd]
            path.unlink(missing_ok=True)
            os.close(fd)

    @contextmanager
    def using(self, *marks: str) -> Iterator[None]:
        """Mark things as used; inside, look whether they are there or put them there."""
        with self._lock:
            safe = all(held.issuperset(marks) for held in self._open.values())
        if safe:  # nothing to write, or no lease to write it to
            yield
            return
        with locked(self._gc, shared=True):
            with self._lock:
                for fd, held in self._open.items():
                    if new := [mark for mark in marks if mark not in held]:
                        os.write(fd, ("\n".join(new) + "\n").encode())
                        held.update(new)
            yield

    @contextmanager
    def collecting(self) -> Iterator[set[str]]:
        """All marks of all living processes; while inside, nobody adds one. Keep it short."""
        with store_faults("cannot collect garbage"), locked(self._gc):
            marks: set[str] = set()
            for path in self._directory.iterdir():
                try:
                    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:  # it ended just now
                    continue
                try:
                    if try_lock(fd):
                        path.unlink(missing_ok=True)
                    else:
                        with open(fd, encoding="utf-8", closefd=False) as lines:
                            marks.update(line.rstrip("\n") for line in lines)
                finally:
                    os.close(fd)
            yield marks


def layer_mark(layer: str) -> str:
    return f"layer:{layer}"


def blob_mark(digest: str) -> str:
    return f"blob:{digest}"
