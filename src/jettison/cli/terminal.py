"""What the terminal can do: colour and cursor movement, and what the user wants of it.

NO_COLOR (no-color.org) and TERM=dumb switch colour off, FORCE_COLOR switches it on where it would
be off for want of a terminal; NO_COLOR wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}


def is_terminal(stream: IO[Any]) -> bool:
    """Whether ``stream`` is an open terminal."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def wants_color(stream: IO[Any], environ: Mapping[str, str]) -> bool:
    """Whether to colour what is written to ``stream``."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0", "false"):
        return True
    return is_terminal(stream) and environ.get("TERM") != "dumb"


def can_redraw(stream: IO[Any], environ: Mapping[str, str]) -> bool:
    """Whether ``stream`` is a terminal whose cursor can be moved."""
    return is_terminal(stream) and environ.get("TERM") not in ("dumb", "")


def paint(text: str, style: str, color: bool) -> str:
    """``text`` in the styles named in ``style`` (blank-separated), if ``color``."""
    if not color or not style:
        return text
    return f"\x1b[{';'.join(STYLES[s] for s in style.split())}m{text}\x1b[0m"
