"""One thing that `doctor` looked at."""

from __future__ import annotations

from msgspec import Struct


class Check(Struct, frozen=True):
    """One thing looked at. ``mend`` is the command or step that helps, if it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    mend: str | None = None
