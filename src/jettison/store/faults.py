"""What the operating system refuses, said as StoreError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jettison.errors import StoreError

_NOTHING = 64 << 10  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HINTS = {
    errno.ENOSPC: "free some space, for example with `jettison prune`",
    errno.EDQUOT: "free some space, for example with `jettison prune`",
    errno.EACCES: "choose another directory with JETTISON_ROOT, or mend its permissions",
    errno.EPERM: "choose another directory with JETTISON_ROOT, or mend its permissions",
    errno.EROFS: "choose another directory with JETTISON_ROOT",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


@contextmanager
def store_faults(doing: str, place: Path | None = None) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what was being done; ``place`` is where, for
    errors that do not know it themselves.
    """
    try:
        yield
    except OSError as error:
        raise _fault(doing, error, place) from error


@contextmanager
def full_disk(doing: str, place: Path) -> Iterator[None]:
    """Turn only those OSErrors into StoreErrors that say that nothing can be written to the file
    system of ``place``; others are about what was read.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (*_FULL, errno.EROFS):
            raise
        raise _fault(doing, error, place) from error


def _fault(doing: str, error: OSError, place: Path | None) -> StoreError:
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else place
    what = f": {named}" if named is not None else ""
    if error.errno in _FULL and named is not None:
        what += f" ({free_space(named.parent)})"
    hint = _HINTS.get(error.errno or 0)
    return StoreError(f"{doing}: {error.strerror or error}{what}", hint=hint)


def free_space(place: Path) -> str:
    """What is left on the file system of ``place``, for people."""
    try:
        status = os.statvfs(place)
    except OSError:
        return "free space unknown"
    free = f"{status.f_bavail * status.f_frsize / (1 << 20):.0f} MB free"
    return free + (", no inode free" if status.f_files and not status.f_favail else "")


def is_full(place: Path) -> bool:
    """Whether nothing, or next to nothing, can be written to the file system of ``place``."""
    try:
        status = os.statvfs(place)
    except OSError:
        return False
    inodes = status.f_files and not status.f_favail
    return bool(inodes) or status.f_bavail * status.f_frsize < _NOTHING
