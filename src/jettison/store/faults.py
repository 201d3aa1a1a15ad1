"""What the operating system refuses, said as StoreError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jettison.errors import StoreError

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
def store_faults(doing: str) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what was being done."""
    try:
        yield
    except OSError as error:
        what = f": {error.filename}" if error.filename else ""
        if error.errno in _FULL and error.filename:
            what += f" ({free_space(Path(os.fsdecode(error.filename)).parent)})"
        raise StoreError(
            f"{doing}: {error.strerror or error}{what}", hint=_HINTS.get(error.errno or 0)
        ) from error


def free_space(place: Path) -> str:
    """What is left on the file system of ``place``, for people."""
    try:
        status = os.statvfs(place)
    except OSError:
        return "free space unknown"
    free = f"{status.f_bavail * status.f_frsize / (1 << 20):.0f} MB free"
    if status.f_files and not status.f_favail:
        free += ", no inode free"
    return free
