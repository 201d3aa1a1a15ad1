"""Sizes, durations, ages and tables as text; and text made safe to show."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_CONTROL = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS and other strings
    r"|\x1b."
    r"|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]"
)


def human_size(size: float) -> str:
    """``size`` bytes in powers of 1000 with three significant digits, as docker writes it."""
    for unit in _UNITS[:-1]:
        if size < 999.5:
            return f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.4g}{_UNITS[-1]}"


def human_duration(seconds: float) -> str:
    """``0.1s``, ``12.3s``, ``3m04s``, ``1h02m``."""
    seconds = max(0.0, seconds)
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def human_age(seconds: float) -> str:
    """How long ago, roughly, in docker's words: ``3 weeks ago``."""
    minutes, hours = int(seconds / 60), int(seconds / 3600 + 0.5)
    if seconds < 1:
        return "Less than a second ago"
    if seconds < 60:
        return f"{_count(int(seconds), 'second')} ago"
    if minutes < 60:
        return "About a minute ago" if minutes == 1 else f"{minutes} minutes ago"
    if hours < 48:
        return "About an hour ago" if hours == 1 else f"{hours} hours ago"
    for limit, unit, name in ((14, 1, "days"), (60, 7, "weeks"), (730, 30, "months")):
        if hours < 24 * limit:
            return f"{hours // 24 // unit} {name} ago"
    return f"{hours // 24 // 365} years ago"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plural(number: int, noun: str) -> str:
    """``1 warning``, ``2 warnings``."""
    return _count(number, noun)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, pad: int = 3) -> str:
    """Left-aligned columns, each at least ten wide as docker's; lines end in a newline."""
    lines = [header, *rows]
    widths = [
        max(10 - pad, *(len(line[column]) for line in lines)) + pad
        for column in range(len(header) - 1)
    ]
    text = ""
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        text += ("".join(cells) + line[-1]).rstrip() + "\n"
    return text


def printable(text: str) -> str:
    """``text`` without escape sequences and control characters; tabs become blanks."""
    if text.isprintable():
        return text
    return re.sub(_CONTROL, "", text.expandtabs(8))
