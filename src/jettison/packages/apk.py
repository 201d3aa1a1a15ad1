"""Alpine packages: apk's installed database (apk-tools, ``lib/apk/db/installed``)."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.packages.malformed import PackageError, text_of, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl
from jettison.packages.release import Release

_MAX_FILES = 1_000_000


def parse_installed(data: bytes, release: Release, location: str) -> list[Package]:
    """The packages of a database: records of one-letter fields, separated by empty lines.

    Raises PackageError if there are records and none of them is a package's.
    """
    found = []
    records = 0
    for fields, files in _records(data):
        records += 1
        name, version = word(fields.get("P")), word(fields.get("V"))
        if not name or not version:
            continue
        origin = word(fields.get("o"))
        source = "" if origin in ("", name) else origin
        architecture = word(fields.get("A"))
        qualifiers = {"arch": architecture, "distro": release.distribution, "upstream": source}
        found.append(
            Package(
                type="apk",
                name=name,
                version=version,
                purl=make_purl(
                    "apk", name, version, namespace=release.id or "alpine", qualifiers=qualifiers
                ),
                architecture=architecture,
                licences=(licence,) if (licence := word(fields.get("L"))) else (),
                source=source,
                supplier=word(fields.get("m")),
                locations=(location,),
                files=tuple(files),
            )
        )
    if records and not found:
        raise PackageError("no package in it")
    return found


def _records(data: bytes) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Each record's own fields, and its files: ``F:`` is a directory, ``R:`` a file in it."""
    fields: dict[str, str] = {}
    files: list[str] = []
    directory = ""
    for line in data.split(b"\n"):
        if not line.strip():
            if fields:
                yield fields, files
            fields, files, directory = {}, [], ""
            continue
        key, colon, value = line.partition(b":")
        if not colon or len(key) != 1:
            continue
        if key == b"F":
            directory = "/" + value.decode("utf-8", "surrogateescape").strip("/")
        elif key == b"R" and len(files) < _MAX_FILES:
            name = value.decode("utf-8", "surrogateescape")
            files.append(f"{directory.rstrip('/')}/{name}")
        elif not directory:
            fields.setdefault(key.decode("ascii", "replace"), text_of(value))
    if fields:
        yield fields, files
