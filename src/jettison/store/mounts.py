"""``mounts/``: the directories behind ``RUN --mount=type=cache``.

A cache has one directory, ``0``, which ``shared`` users share and ``locked`` users take turns at;
``private`` users take the first directory nobody uses. Each directory has a lock beside it, which
its users hold; so users in other processes count too, and those who died do not.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from jettison.errors import InternalError
from jettison.fs.ownership import Owners
from jettison.store.faults import store_faults
from jettison.store.locks import open_lock, try_lock
from jettison.store.paths import Paths
from jettison.store.staging import Staging
from jettison.store.trees import tree_size

_POLL_SECONDS = 0.05


class CacheMounts:
    """The cache mounts of a store."""

    def __init__(self, paths: Paths, staging: Staging) -> None:
        self._root = paths.mounts
        self._staging = staging

    @contextmanager
    def acquire(
        self,
        id: str,
        sharing: str = "shared",
        *,
        base: str = "",
        seed: Callable[[Path], None] | None = None,
        uid: int = 0,
        gid: int = 0,
        mode: int = 0o755,
        waiting: Callable[[], None] | None = None,
    ) -> Iterator[Path]:
        """The directory of the cache ``id``, for as long as the context lasts.

        Caches with another ``base`` (whatever identifies what they start from) are other caches.
        A new directory is filled by ``seed``, then given owner and mode. ``waiting`` is called
        again and again while somebody else has the directory; what it raises ends the wait.

        One container must not acquire one cache twice, and those that acquire several must do so
        in one order (of ids, say), or they wait for each other for ever.
        """
        home = self._home(id, base)
        while True:
            fd, place = self._take(home, sharing, waiting or (lambda: None))
            try:
                if not place.is_dir():
                    self._create(place, seed, (uid, gid, mode))
                if sharing == "shared":
                    fcntl.flock(fd, fcntl.LOCK_SH)
                # Between the two kinds of lock there is a moment without any.
                if place.is_dir():
                    break
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        try:
            self._touch(place)
            yield place
        finally:
            self._touch(place)
            os.close(fd)

    def _home(self, id: str, base: str) -> Path:
        name = hashlib.sha256(f"{id}\0{base}".encode(errors="surrogateescape")).hexdigest()[:20]
        home = self._root / name
        with store_faults("cannot make a cache mount"):
            home.mkdir(mode=0o700, exist_ok=True)
            label = home / "id"
            if not label.exists():
                label.write_text(id, encoding="utf-8", errors="surrogateescape")
        return home

    def _take(self, home: Path, sharing: str, waiting: Callable[[], None]) -> tuple[int, Path]:
        """Lock a directory as ``sharing`` asks; alone, if it still has to be made."""
        for number in count():
            place = home / str(number)
            with store_faults("cannot lock a cache mount"):
                fd = open_lock(home / f"{number}.lock")
            try:
                while True:
                    shared = sharing == "shared" and place.is_dir()
                    if try_lock(fd, shared=shared):
                        if not shared or place.is_dir():
                            return fd, place
                        fcntl.flock(fd, fcntl.LOCK_UN)  # pruned just now
                    elif sharing == "private":
                        break
                    waiting()
                    time.sleep(_POLL_SECONDS)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        raise InternalError("counting ended")

    def _create(
        self,
        place: Path,
        seed: Callable[[Path], None] | None,
        owner: tuple[int, int, int],
    ) -> None:
        uid, gid, mode = owner
        with self._staging.directory() as draft:
            new = draft / "new"
            new.mkdir()
            if seed is not None:
                seed(new)
            with store_faults("cannot make a cache mount"):
                Owners(new).give(str(new), uid, gid)
                new.chmod(mode)
                os.rename(new, place)

    def all(self) -> list[Path]:
        """The directories of all caches."""
        return sorted(p for p in self._root.glob("*/*") if p.name.isdigit())

    def name(self, place: Path) -> str:
        """The id of the cache a directory belongs to."""
        try:
            return (place.parent / "id").read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return ""

    def size(self, place: Path) -> int:
        """Bytes on disk; measured anew only if the cache was used since it was last measured."""
        note = place.with_name(place.name + ".size")
        with contextlib.suppress(OSError, ValueError):
            if note.stat().st_mtime > self.used(place):
                return int(note.read_text())
        size = tree_size(place)
        with contextlib.suppress(OSError):  # on a full disk nothing can be remembered
            note.write_text(str(size))
        return size

    def _touch(self, place: Path) -> None:
        """Note the use, for those who collect garbage."""
        with contextlib.suppress(OSError):
            os.utime(place.parent / "id")

    def used(self, place: Path) -> float:
        """When the cache was last acquired, in seconds since the epoch."""
        try:
            return (place.parent / "id").stat().st_mtime
        except FileNotFoundError:
            return 0.0
