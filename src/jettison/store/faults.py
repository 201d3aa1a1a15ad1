"""What the operating system refuses, said as StoreError."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from jettison.errors import StoreError

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
        raise StoreError(
            f"{doing}: {error.strerror or error}{what}", hint=_HINTS.get(error.errno or 0)
        ) from error
