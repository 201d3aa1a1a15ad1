"""Release files of Debian archives: what a suite consists of, with the hashes of its indexes.

The format is the Debian wiki's "DebianRepository/Format"; what is required is what apt requires.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

from jettison.errors import PackageError
from jettison.packages.control import paragraphs

_SHA256 = re.compile(r"^([0-9a-f]{64})\s+(\d{1,15})\s+(\S+)$", re.ASCII)


class IndexFile(Struct, frozen=True):
    """A file that a Release names: its path below the suite, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


class ReleaseFile(Struct, frozen=True, kw_only=True):
    """``files`` are by path; ``snapshots`` is the address of older states, if it says."""

    suite: str
    codename: str
    origin: str
    label: str
    version: str
    architectures: frozenset[str]
    components: tuple[str, ...]
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    snapshots: str
    files: Mapping[str, IndexFile]


def parse_release_file(data: bytes) -> ReleaseFile:
    """Read a Release, without its signature. Raises PackageError, also if it has no SHA-256 sums
    or no date: weaker hashes are not enough, and without a date nothing tells old from new.
    """
    try:
        records = list(paragraphs(data.decode("utf-8")))
    except UnicodeDecodeError:
        raise PackageError("the Release file is no text") from None
    if len(records) != 1:
        raise PackageError("the Release file is not one paragraph")
    fields = records[0]
    date = _date(fields.get("date", ""))
    if date is None:
        raise PackageError("the Release file has no valid Date")
    until = fields.get("valid-until")
    if until is not None and _date(until) is None:
        raise PackageError(f"the Release file has no valid Valid-Until: {until[:40]!r}")
    return ReleaseFile(
        suite=fields.get("suite", ""),
        codename=fields.get("codename", ""),
        origin=fields.get("origin", ""),
        label=fields.get("label", ""),
        version=fields.get("version", ""),
        architectures=frozenset(fields.get("architectures", "").split()),
        components=tuple(fields.get("components", "").split()),
        date=date,
        valid_until=_date(until) if until is not None else None,
        by_hash=fields.get("acquire-by-hash", "").lower() == "yes",
        snapshots=fields.get("snapshots", ""),
        files=_files(fields.get("sha256", "")),
    )


def _files(text: str) -> dict[str, IndexFile]:
    found: dict[str, IndexFile] = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        match = _SHA256.match(line.strip())
        if match is None:
            raise PackageError(f"the Release file has a damaged line: {line.strip()[:100]!r}")
        path = match[3]
        if path.startswith("/") or ".." in path.split("/"):
            raise PackageError(f"the Release file names a file outside of the suite: {path!r}")
        known = found.setdefault(path, IndexFile(path, int(match[2]), match[1]))
        if known.sha256 != match[1]:
            raise PackageError(f"the Release file has two hashes for {path}")
    if not found:
        raise PackageError("the Release file has no SHA256 sums")
    return found


def _date(text: str) -> datetime | None:
    """A date as RFC 5322 writes it, which must be in UTC as archives write it."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
