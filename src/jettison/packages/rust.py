"""Rust crates, as ``cargo auditable`` lists them in programs: the section ``.dep-v0``, which is
JSON compressed with zlib (rust-secure-code/cargo-auditable, PARSING.md).
"""

from __future__ import annotations

import json

from jettison.packages.elf import Elf
from jettison.packages.malformed import PackageError, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl

_SECTION = ".dep-v0"
_MAX_PACKED = 8 << 20
_MAX_PLAIN = 64 << 20


def parse_program(elf: Elf, location: str) -> list[Package]:
    """The crates linked into a program; none if it does not say.

    Raises PackageError if the list is damaged.
    """
    section = elf.sections.get(_SECTION)
    if section is None:
        return []
    try:
        found = json.loads(_unpacked(elf.read(section, _MAX_PACKED)))
    except (ValueError, RecursionError) as error:
        raise PackageError(f"the section .dep-v0 is malformed: {error}") from None
    entries = found.get("packages") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise PackageError("the section .dep-v0 lists no packages")
    packages = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kind") == "build":
            continue
        name, version = word(entry.get("name")), word(entry.get("version"))
        if name and version:
            packages.append(
                Package(
                    type="cargo",
                    name=name,
                    version=version,
                    purl=make_purl("cargo", name, version),
                    locations=(location,),
                )
            )
    return packages


def _unpacked(data: bytes) -> bytes:
    import zlib

    try:
        plain = zlib.decompressobj().decompress(data, _MAX_PLAIN)
    except zlib.error as error:
        raise PackageError(f"the section .dep-v0 is damaged: {error}") from None
    if len(plain) >= _MAX_PLAIN:
        raise PackageError("the section .dep-v0 is too large")
    return plain
