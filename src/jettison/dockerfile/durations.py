"""Durations as Go's ``time.ParseDuration`` reads them (HEALTHCHECK)."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LIMIT = 1 << 63
_PART = r"(?P<whole>[0-9]*)(?P<fraction>\.[0-9]*)?(?P<unit>[^.0-9]*)"


def parse_duration(text: str) -> int:
    """Nanoseconds of ``1h2m3.5s``.

    Raises ValueError (with a message for people) for anything else; all numbers but ``0`` need a
    unit.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f"invalid duration {text!r}")
    total = 0
    while rest:
        match = re.match(_PART, rest)
        if match is None or not match["whole"] + (match["fraction"] or "").strip("."):
            raise ValueError(f"invalid duration {text!r}")
        total += _nanoseconds(match["whole"], match["fraction"] or "", match["unit"], text)
        rest = rest[match.end() :]
    if total >= _LIMIT + (sign < 0):
        raise ValueError(f"invalid duration {text!r}: it is too long")
    return sign * total


def _nanoseconds(whole: str, fraction: str, unit: str, text: str) -> int:
    if not unit:
        raise ValueError(f"missing unit in duration {text!r}")
    if unit not in _UNITS:
        raise ValueError(f"unknown unit {unit!r} in duration {text!r}")
    if len(whole) > 19:
        raise ValueError(f"invalid duration {text!r}: it is too long")
    size = _UNITS[unit]
    numerator, denominator = _fraction(fraction[1:])
    return int(whole or 0) * size + int(numerator * (size / denominator))


def _fraction(digits: str) -> tuple[int, int]:
    """Numerator and denominator, as exact as 63 bits are."""
    numerator, denominator = 0, 1
    for digit in digits[:40]:  # the rest is far below a nanosecond
        longer = numerator * 10 + int(digit)
        if longer > _LIMIT:
            break
        numerator, denominator = longer, denominator * 10
    return numerator, denominator
