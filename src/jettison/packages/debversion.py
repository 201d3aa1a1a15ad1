"""The order of Debian versions (deb-version(7), Debian policy 5.6.12)."""

from __future__ import annotations

import re
from functools import lru_cache

from jettison.errors import PackageError

_PIECE = re.compile(r"(\D*)(\d*)", re.ASCII)
_UPSTREAM = re.compile(r"[A-Za-z0-9.+~:-]+", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9.+~]+", re.ASCII)
_MAX_LENGTH = 1000

Key = tuple[tuple[tuple[int, ...], int], ...]


def compare_versions(left: str, right: str) -> int:
    """Negative if ``left`` is older than ``right``, 0 if they are equal, positive if newer.

    Raises PackageError for what is no version.
    """
    if left == right:
        return 0
    a, b = version_key(left), version_key(right)
    return (a > b) - (a < b)


@lru_cache(maxsize=8192)
def version_key(text: str) -> tuple[int, Key, Key]:
    """What sorts as the version does. Raises PackageError for what is no version."""
    epoch, upstream, revision = split_version(text)
    return epoch, _key(upstream), _key(revision)


def split_version(text: str) -> tuple[int, str, str]:
    """Epoch (0 if there is none), upstream version and revision (empty if there is none).

    Raises PackageError. An upstream version that does not begin with a digit is let pass, as dpkg
    does where it only reads.
    """
    head, colon, rest = text.partition(":")
    if not colon:
        head, rest = "0", text
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    if (
        len(text) > _MAX_LENGTH
        or not (head.isascii() and head.isdecimal() and int(head) < 1 << 31)
        or not _UPSTREAM.fullmatch(upstream)
        or (dash and not _REVISION.fullmatch(revision))
    ):
        raise PackageError(f"no version of a Debian package: {text[:100]!r}")
    return int(head), upstream, revision


def _key(part: str) -> Key:
    """Runs of other characters and of digits in turn; the end sorts after ``~``, before the rest.

    A missing number counts as 0, so an empty part and ``0`` are equal.
    """
    pieces = _PIECE.findall(part or "0")[:-1]  # the last match is the empty one at the end
    return (*(((*map(_order, other), 0), int(digits or 0)) for other, digits in pieces), _END)


_END = ((0,), 0)


def _order(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 256
