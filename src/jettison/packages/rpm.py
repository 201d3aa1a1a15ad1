"""RPM packages: the database in SQLite, and the headers it holds.

A header (rpm's ``docs/manual/format_header.md``) is the number of its index entries and the size of
its data, both 32 bits, big endian; entries of tag, type, offset and count; the data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from jettison.packages.malformed import PackageError, text_of, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl
from jettison.packages.release import Release

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_VENDOR, _LICENSE, _ARCH, _SOURCERPM = 1011, 1014, 1022, 1044
_DIRINDEXES, _BASENAMES, _DIRNAMES = 1116, 1117, 1118
_INT32, _STRING, _STRINGS, _I18N = 4, 6, 8, 9
_MAX_ENTRIES = 65_536
_MAX_HEADER = 256 << 20
_MAX_PACKAGES = 200_000
_MAX_WORK = 2_000_000
"""Thousands of steps of SQLite's machine: a database may hold a view instead of a table."""

_NAMESPACES = {"rhel": "redhat"}


def parse_database(data: bytes, release: Release, location: str) -> list[Package]:
    """The packages of ``rpmdb.sqlite``. Raises PackageError if it is no such database."""
    found = []
    for blob in _blobs(data):
        package = parse_header(blob, release, location)
        if package is not None:
            found.append(package)
        if len(found) > _MAX_PACKAGES:
            raise PackageError(f"more than {_MAX_PACKAGES} packages")
    return found


def _blobs(data: bytes) -> Iterator[bytes]:
    import sqlite3

    if data[:16] != b"SQLite format 3\x00" or len(data) < 100:
        raise PackageError("no SQLite database")
    # A database in memory has no write-ahead log: bytes 18 and 19 say that there is none.
    plain = data[:18] + b"\x01\x01" + data[20:]
    try:
        database = sqlite3.connect(":memory:")
        try:
            database.deserialize(plain)
            left = [_MAX_WORK]

            def work() -> int:
                left[0] -= 1
                return int(left[0] < 0)

            database.set_progress_handler(work, 1000)
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA query_only = ON")
            for (blob,) in database.execute("SELECT blob FROM Packages ORDER BY hnum"):
                if not isinstance(blob, bytes):
                    raise PackageError("a row is no header")
                yield blob
        finally:
            database.close()
    except (sqlite3.Error, MemoryError, OverflowError) as error:
        raise PackageError(f"the database is damaged: {error}") from None


def parse_header(blob: bytes, release: Release, location: str) -> Package | None:
    """The package of one header; None for a public key, which rpm lists among them.

    Raises PackageError if it is malformed.
    """
    header = _Header(blob)
    name, version, build = header.text(_NAME), header.text(_VERSION), header.text(_RELEASE)
    if name == "gpg-pubkey":
        return None
    if not name or not version:
        raise PackageError("a header names no package")
    full = f"{version}-{build}" if build else version
    epoch = header.numbers(_EPOCH)
    architecture, source = header.text(_ARCH), header.text(_SOURCERPM)
    qualifiers = {
        "arch": architecture,
        "distro": release.distribution,
        "epoch": str(epoch[0]) if epoch else "",
        "upstream": source,
    }
    namespace = _NAMESPACES.get(release.id, release.id)
    return Package(
        type="rpm",
        name=name,
        version=f"{epoch[0]}:{full}" if epoch else full,
        purl=make_purl("rpm", name, full, namespace=namespace, qualifiers=qualifiers),
        architecture=architecture,
        licences=(licence,) if (licence := header.text(_LICENSE)) else (),
        source=source,
        supplier=header.text(_VENDOR),
        locations=(location,),
        files=_files(header),
    )


def _files(header: _Header) -> tuple[str, ...]:
    directories, names = header.strings(_DIRNAMES), header.strings(_BASENAMES)
    indexes = header.numbers(_DIRINDEXES)
    if len(indexes) != len(names) or any(not 0 <= i < len(directories) for i in indexes):
        raise PackageError("a header's files have no directories")
    decoded = [directory.decode("utf-8", "surrogateescape") for directory in directories]
    return tuple(
        decoded[index] + name.decode("utf-8", "surrogateescape")
        for index, name in zip(indexes, names, strict=True)
    )


class _Header:
    def __init__(self, blob: bytes) -> None:
        if len(blob) < 8:
            raise PackageError("a header is cut off")
        entries, size = struct.unpack_from(">II", blob)
        start = 8 + 16 * entries
        if entries > _MAX_ENTRIES or size > _MAX_HEADER or start + size > len(blob):
            raise PackageError("a header is cut off")
        self._data = blob[start : start + size]
        self._entries: dict[int, tuple[int, int, int]] = {}
        for number in range(entries):
            tag, kind, offset, count = struct.unpack_from(">IIII", blob, 8 + 16 * number)
            self._entries.setdefault(tag, (kind, offset, count))

    def text(self, tag: int) -> str:
        found = self.strings(tag)
        return word(text_of(found[0])) if found else ""

    def strings(self, tag: int) -> list[bytes]:
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRINGS, _I18N):
            return []
        if kind == _STRING:
            count = 1
        if count > len(self._data):
            raise PackageError("a header has more strings than bytes")
        found = []
        for _ in range(count):
            end = self._data.find(b"\x00", offset)
            if end < 0:
                raise PackageError("a string of a header has no end")
            found.append(self._data[offset:end])
            offset = end + 1
        return found

    def numbers(self, tag: int) -> tuple[int, ...]:
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind != _INT32:
            return ()
        if count * 4 + offset > len(self._data):
            raise PackageError("a header has more numbers than bytes")
        return struct.unpack_from(f">{count}I", self._data, offset)
