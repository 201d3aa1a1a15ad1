"""What a cataloguer raises, and how it reads text."""

from __future__ import annotations

import re

from jettison.errors import PackageError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def text_of(data: bytes) -> str:
    """Bytes of a database as text; what is not UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def word(value: object, limit: int = 1024) -> str:
    """A name or version as data gives it: one line, of bounded length; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return _CONTROL.sub(" ", value).strip()[:limit].strip()


__all__ = ["PackageError", "text_of", "word"]
