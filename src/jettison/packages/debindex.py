"""Packages files of Debian archives: a stream of paragraphs, read one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from jettison.errors import PackageError

_CHUNK = 1 << 20
_MAX_PARAGRAPH = 4 << 20
_FIELDS = (
    "package|version|architecture|filename|size|sha256|multi-arch|essential|priority|"
    "pre-depends|depends|recommends|provides|conflicts|breaks"
)
_FIELD = re.compile(rf"^({_FIELDS}):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9A-Z][a-zA-Z0-9+._-]*")
_HASH = re.compile(r"[0-9a-f]{64}")


class Readable(Protocol):
    """What an index is read from: plain text as bytes."""

    def read(self, size: int, /) -> bytes: ...


class Entry(Struct, frozen=True, kw_only=True):
    """One package of an index, its relations as text. ``filename`` is a path below the archive's
    address, ``size`` in bytes, ``sha256`` in hex.
    """

    name: str
    version: str
    architecture: str
    filename: str
    size: int
    sha256: str
    multi_arch: str = ""
    essential: bool = False
    priority: str = ""
    pre_depends: str = ""
    depends: str = ""
    recommends: str = ""
    provides: str = ""
    conflicts: str = ""
    breaks: str = ""


def read_index(stream: Readable) -> Iterator[Entry]:
    """The packages of an index, in its order; no more than a piece of it is in memory.

    Raises PackageError for a paragraph that does not say which file it is of, in all its hashes'
    length, and what ``stream`` raises.
    """
    for text in _paragraphs(stream):
        yield _entry(text)


def _paragraphs(stream: Readable) -> Iterator[str]:
    rest = b""
    while data := stream.read(_CHUNK):
        *whole, rest = (rest + data).split(b"\n\n")
        for paragraph in whole:
            if paragraph.strip():
                yield paragraph.decode("utf-8", "replace")
        if len(rest) > _MAX_PARAGRAPH:
            raise PackageError("the index has an endless paragraph")
    if rest.strip():
        yield rest.decode("utf-8", "replace")


def _entry(text: str) -> Entry:
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        value = match[2]
        fields.setdefault(match[1].lower(), " ".join(value.split()) if "\n" in value else value)
    name, filename = fields.get("package", "").strip(), fields.get("filename", "").strip()
    size, sha256 = fields.get("size", "").strip(), fields.get("sha256", "").strip()
    version = fields.get("version", "").strip()
    if not _NAME.fullmatch(name) or not version:
        raise PackageError("a paragraph of the index names no package")
    if not size.isdecimal() or len(size) > 15 or not _HASH.fullmatch(sha256):
        raise PackageError(f"the index gives no size and SHA-256 for {name}")
    if not filename or filename.startswith("/") or ".." in filename.split("/"):
        raise PackageError(f"the index has {name} in a file outside of the archive: {filename!r}")
    return Entry(
        name=name,
        version=version,
        architecture=fields.get("architecture", "").strip(),
        filename=filename.removeprefix("./"),
        size=int(size),
        sha256=sha256,
        multi_arch=fields.get("multi-arch", "").strip(),
        essential=fields.get("essential", "").strip().lower() == "yes",
        priority=fields.get("priority", "").strip(),
        pre_depends=fields.get("pre-depends", "").strip(),
        depends=fields.get("depends", "").strip(),
        recommends=fields.get("recommends", "").strip(),
        provides=fields.get("provides", "").strip(),
        conflicts=fields.get("conflicts", "").strip(),
        breaks=fields.get("breaks", "").strip(),
    )
