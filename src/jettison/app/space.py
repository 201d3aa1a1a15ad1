"""The bounds that builds keep the cache within by themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.store.store import Store

DEFAULTS = {
    "JETTISON_MAX_USED_SPACE": "60%",
    "JETTISON_MIN_FREE_SPACE": "20%",
    "JETTISON_RESERVED_SPACE": "10%",
}
"""As in BuildKit (cmd/buildkitd/config, DetectDefaultGCCap): shares of the file system's size."""

_BOUND = re.compile(r"(\d+(?:\.\d+)?) ?(?:(%)|([kmgtp]?)(?:i?b)?)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class Bound(Struct, frozen=True):
    """Bytes, or a share of the file system; 0 is no bound."""

    number: float
    is_share: bool

    def of(self, total: int) -> int:
        return int(self.number * total) if self.is_share else int(self.number)


class Bounds(Struct, frozen=True):
    """What the environment says of the cache's size."""

    max_used: Bound
    min_free: Bound
    reserved: Bound

    def keep(self, store: Store) -> int:
        """Take from the cache what is beyond the bounds; the bytes that freed.

        What a lease marks stays, so the build that calls keeps all it used. Costs one system call
        if the whole file system, whatever holds it, is within the bounds. Raises StoreError.
        """
        status = os.statvfs(store.root)
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        most, least = self.max_used.of(total) or None, self.min_free.of(total) or None
        taken = total - status.f_bfree * status.f_frsize
        if (most is None or taken <= most) and (least is None or free >= least):
            return 0
        return store.prune(
            max_used_space=most, min_free_space=least, reserved_space=self.reserved.of(total)
        ).size


def bounds_of(environ: Mapping[str, str]) -> Bounds:
    """The bounds that the environment sets. Raises UsageError."""
    return Bounds(*(_bound(name, environ.get(name) or usual) for name, usual in DEFAULTS.items()))


def _bound(name: str, text: str) -> Bound:
    match = _BOUND.fullmatch(text)
    if match is None:
        raise UsageError(f"invalid value {text!r} for {name}", hint="expected e.g. 20gb, 60% or 0")
    number, share, unit = match.groups()
    if share:
        if float(number) > 100:
            raise UsageError(f"invalid value {text!r} for {name}", hint="at most 100%")
        return Bound(float(number) / 100, True)
    return Bound(float(number) * 1024 ** _POWERS[unit.lower()], False)
