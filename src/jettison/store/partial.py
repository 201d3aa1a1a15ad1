"""``tmp/partial-<algorithm>-<hex>``: a download that is under way, or was when it broke off.

The lock on the file is also the lock on the download: whoever wants the same blob, in this process
or another one, waits for it, and then finds the blob in the store or goes on where the other one
stopped. A partial download is kept for a day; `Staging.sweep` removes older ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jettison.model.digest import Digest, algorithm_of, hex_of
from jettison.store.faults import store_faults
from jettison.store.locks import locked, try_lock

PREFIX = "partial-"
KEPT_SECONDS = 24 * 3600.0
"""How long a partial download that nobody works on is worth keeping."""

_POLL_SECONDS = 0.05
_CHUNK = 1 << 20


class Partial:
    """A file open for reading and writing, locked; its content is the beginning of a blob."""

    def __init__(self, fd: int, path: Path, digest: Digest) -> None:
        self.fd = fd
        self.path = path
        self.digest = digest

    def begin(self, size: int) -> hashlib._Hash:
        """The hash of what is there; afterwards writing appends. More than ``size`` bytes cannot
        be right, so that begins at nothing.
        """
        digest = hashlib.new(algorithm_of(self.digest))
        with store_faults("cannot read a partial download"):
            if os.fstat(self.fd).st_size > size:
                self.clear()
            os.lseek(self.fd, 0, os.SEEK_SET)
            while data := os.read(self.fd, _CHUNK):
                digest.update(data)
        return digest

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self.fd).st_size

    def clear(self) -> None:
        """Begin again at nothing."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def drop(self) -> None:
        """Take the file away; the lock stays until the end."""
        self.path.unlink(missing_ok=True)


@contextmanager
def open_partial(
    tmp: Path, tmp_lock: Path, digest: Digest, waiting: Callable[[], None]
) -> Iterator[Partial]:
    """The partial download of ``digest``, made if need be, once nobody else works on it.

    ``waiting`` is called now and then meanwhile; what it raises ends the wait. An empty file does
    not stay. Raises StoreError.
    """
    path = tmp / f"{PREFIX}{algorithm_of(digest)}-{hex_of(digest)}"
    while (fd := _try_open(path, tmp_lock)) is None:
        waiting()
        time.sleep(_POLL_SECONDS)
    partial = Partial(fd, path, digest)
    try:
        yield partial
    finally:
        with contextlib.suppress(OSError):
            if partial.size == 0 and _is_same(fd, path):
                path.unlink()
        os.close(fd)


def is_fresh(name: str, fd: int, now: float) -> bool:
    """Whether an entry of ``tmp/`` is a partial download that is still worth keeping."""
    return name.startswith(PREFIX) and os.fstat(fd).st_mtime > now - KEPT_SECONDS


def _try_open(path: Path, tmp_lock: Path) -> int | None:
    """The file, locked; None if somebody else has the lock."""
    with store_faults("cannot make a staging file"), locked(tmp_lock, shared=True):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, 0o644)
        try:
            # It may have become the blob, or have been removed, between the two calls.
            if try_lock(fd) and _is_same(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return None


def _is_same(fd: int, path: Path) -> bool:
    try:
        named = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), named)
