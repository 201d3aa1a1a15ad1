"""``until=``: durations and times -> how old something must be."""

from __future__ import annotations

import re

from jettison.errors import UsageError

_TERM = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_TERM.pattern})+")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def age(flag: str, text: str, now: float) -> float:
    """Seconds: a Go duration (``24h``, ``1h30m``), or how long ago a time was.

    A time is RFC 3339 (a date alone is its midnight; without a zone it is UTC) or seconds since
    the epoch.
    """
    if _DURATION.fullmatch(text):
        return sum(float(n) * _SECONDS[unit] for n, unit in _TERM.findall(text))
    try:
        if text.isdigit():
            return max(0.0, now - int(text))
        from datetime import UTC, datetime

        moment = datetime.fromisoformat(text)
        return max(0.0, now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        hint = "expected a duration like 24h, or a time like 2026-01-31T12:00:00"
        raise UsageError(f"invalid value {text!r} for {flag}", hint=hint) from None
