"""``tmp/``: where things are made before a rename puts them in their place.

Each entry is locked (flock on the entry itself) by the process that works on it. A process that
dies loses its locks, so whatever in ``tmp/`` can be locked by somebody else is a leftover. The
lock on ``tmp`` as a whole closes the moment between making an entry and locking it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jettison.model.digest import Digest
from jettison.store.faults import store_faults
from jettison.store.locks import locked, try_lock
from jettison.store.partial import Partial, is_fresh, open_partial
from jettison.store.paths import Paths
from jettison.store.trees import remove_tree


class Staging:
    """The staging area of one store."""

    def __init__(self, paths: Paths) -> None:
        self._tmp = paths.tmp
        self._lock = paths.lock("tmp")

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """A new private directory, removed at the end with what is left in it."""
        with store_faults("cannot make a staging directory"), locked(self._lock, shared=True):
            path = self._tmp / os.urandom(8).hex()
            path.mkdir(mode=0o700)
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try_lock(fd)
        try:
            yield path
        finally:
            # Best effort: what cannot be removed now is swept later.
            with contextlib.suppress(OSError):
                remove_tree(path)
            os.close(fd)

    def file(self) -> tuple[int, Path]:
        """A new private file: a descriptor open for reading and writing, and its path.

        Closing the descriptor gives the file up: rename or remove it before.
        """
        with store_faults("cannot make a staging file"), locked(self._lock, shared=True):
            path = self._tmp / os.urandom(8).hex()
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try_lock(fd)
            return fd, path

    @contextmanager
    def partial(self, digest: Digest, waiting: Callable[[], None]) -> Iterator[Partial]:
        """A download of ``digest``, once nobody else works on it; see `partial.open_partial`."""
        with open_partial(self._tmp, self._lock, digest, waiting) as partial:
            yield partial

    def sweep(self, *, partial: bool = False) -> int:
        """Remove what dead processes left behind; returns the number of entries removed.

        Partial downloads of the last day are kept, unless ``partial``.
        """
        dead: list[tuple[int, str]] = []
        removed = 0
        try:
            with locked(self._lock):
                dead.extend(self._abandoned(partial))
            # Removing takes long, so it happens outside of the lock on tmp; the locks on the
            # entries keep other sweepers away.
            for _, name in dead:
                with contextlib.suppress(OSError):
                    remove_tree(self._tmp / name)
                    removed += 1
        finally:
            for fd, _ in dead:
                os.close(fd)
        return removed

    def throw_away(self, place: Path) -> Path | None:
        """Move ``place`` here, to be removed with `remove`; None if it is not there."""
        target = self._tmp / os.urandom(8).hex()
        try:
            os.rename(place, target)
        except FileNotFoundError:
            return None
        return target

    def remove(self, entry: Path) -> None:
        """Remove an entry, unless somebody else is doing so already."""
        with contextlib.suppress(OSError):
            fd = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if try_lock(fd):
                    remove_tree(entry)
            finally:
                os.close(fd)

    def has_entries(self) -> bool:
        """Whether there is anything to look at; costs one system call."""
        with os.scandir(self._tmp) as entries:
            return next(entries, None) is not None

    def _abandoned(self, partial: bool) -> Iterator[tuple[int, str]]:
        now = time.time()
        for name in os.listdir(self._tmp):
            try:
                fd = os.open(
                    self._tmp / name,
                    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                )
            except OSError:
                continue
            if try_lock(fd) and (partial or not is_fresh(name, fd, now)):
                yield fd, name
            else:
                os.close(fd)
