"""Credentials in URLs."""

from __future__ import annotations

from urllib.parse import urlsplit

_MASK = "xxxxx"


def redacted(text: str) -> str:
    """A URL with its user name and password masked (BuildKit, util/urlutil); others unchanged."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    user, at, host = parts.netloc.rpartition("@")
    if not at or not user:
        return text
    masked = f"{_MASK}:{_MASK}" if ":" in user else _MASK
    return parts._replace(netloc=f"{masked}@{host}").geturl()
