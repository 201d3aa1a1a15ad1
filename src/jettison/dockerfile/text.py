"""What counts as a blank, and how texts are quoted in messages.

A Dockerfile's syntax follows the Go standard library, whose notion of white space differs from
Python's (which adds the ASCII separators U+001C to U+001F).
"""

from __future__ import annotations

import re
from functools import cache

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The characters of Go's ``unicode.IsSpace``: ends of words, trimmed at both ends of a line."""

BLANK = "\t\v\f\r "
"""What separates the words of instructions without quoting (FROM, COPY, EXPOSE …)."""

_ESCAPES = {"\\": "\\\\", '"': '\\"'} | {
    char: f"\\{name}" for char, name in zip("\a\b\f\n\r\t\v", "abfnrtv", strict=True)
}


def quoted(text: str) -> str:
    """``text`` in double quotes, unprintable characters escaped (Go's ``%q``)."""
    return '"' + "".join(_ESCAPES.get(char) or _shown(char) for char in text) + '"'


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """A compiled pattern; compiled when it is first needed, because start-up time counts."""
    return re.compile(pattern)
