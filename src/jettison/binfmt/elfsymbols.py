"""Symbols an ELF file leaves undefined, and symbol versions (LSB Core, "Symbol Versioning")."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from jettison.binfmt.elfsegments import Segments, Strings, Tags
from jettison.errors import BinaryError

_HASH, _SYMTAB, _STRTAB, _GNU_HASH = 4, 6, 5, 0x6FFFFEF5
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_BASE = 1  # VER_FLG_BASE: the version that names the file itself
_WEAK = 2
_MAX_SYMBOLS = 1_000_000
_MAX_RECORDS = 100_000
_MAX_VERSIONS = 4 << 20


def imported_symbols(elf: Segments, tags: Tags, strings: Strings) -> frozenset[str]:
    """The names of all undefined dynamic symbols."""
    if _SYMTAB not in tags:
        return frozenset()
    layout = elf.order + ("IBBHQQ" if elf.wide else "IIIBBH")
    size, section = struct.calcsize(layout), 3 if elf.wide else 5
    count = _symbol_count(elf, tags, size)
    data = elf.at_address(tags[_SYMTAB][0], count * size)
    rows = struct.iter_unpack(layout, data[: len(data) // size * size])
    offsets = {row[0] for row in rows if row[section] == 0 and row[0]}
    return frozenset(strings.at(offset) for offset in offsets)


def _symbol_count(elf: Segments, tags: Tags, size: int) -> int:
    """How many symbols to look at for all undefined ones.

    A GNU hash table says where the defined ones begin. An empty one says nothing (GNU ld writes 1
    then); linkers put the strings right behind the symbols, so that tells how many there are.
    """
    if _GNU_HASH in tags:
        table = elf.at_address(tags[_GNU_HASH][0], 16)
        if len(table) == 16:
            buckets, first, bloom, _ = struct.unpack(elf.order + "IIII", table)
            start = tags[_GNU_HASH][0] + 16 + bloom * (8 if elf.wide else 4)
            if any(elf.at_address(start, min(buckets, _MAX_SYMBOLS) * 4)):
                return int(min(first, _MAX_SYMBOLS))
    elif _HASH in tags:
        table = elf.at_address(tags[_HASH][0], 8)
        if len(table) == 8:
            return int(min(struct.unpack(elf.order + "II", table)[1], _MAX_SYMBOLS))
    between = tags.get(_STRTAB, [0])[0] - tags[_SYMTAB][0]
    return min(between // size, _MAX_SYMBOLS) if between > 0 else 0


def version_needs(
    elf: Segments, tags: Tags, strings: Strings
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """For each library: its soname, the versions wanted of it, and which of them are weak."""
    for record, data in _records(elf, tags, _VERNEED, _VERNEEDNUM, "HHIII"):
        _, count, library, inner, _ = record[1]
        wanted, weak = [], []
        position = record[0] + inner
        for _ in range(min(count, _MAX_RECORDS)):
            _, flags, _, name, following = _unpack(elf.order + "IHHII", data, position)
            wanted.append(strings.at(name))
            if flags & _WEAK:
                weak.append(strings.at(name))
            if not following:
                break
            position += following
        yield strings.at(library), tuple(wanted), tuple(weak)


def version_definitions(elf: Segments, tags: Tags, strings: Strings) -> tuple[str, ...]:
    """The versions a library offers, in its order, without the one that is its own name."""
    found = []
    for record, data in _records(elf, tags, _VERDEF, _VERDEFNUM, "HHHHIII"):
        _, flags, _, _, _, inner, _ = record[1]
        name, _ = _unpack(elf.order + "II", data, record[0] + inner)
        if not flags & _BASE:
            found.append(strings.at(name))
    return tuple(found)


def _records(
    elf: Segments, tags: Tags, start: int, number: int, layout: str
) -> Iterator[tuple[tuple[int, tuple[int, ...]], bytes]]:
    """The chained records of a version section, each with its place, and the section's bytes."""
    if start not in tags:
        return
    data = elf.at_address(tags[start][0], _MAX_VERSIONS)
    position = 0
    for _ in range(min(next(iter(tags.get(number, ())), 0), _MAX_RECORDS)):
        record = _unpack(elf.order + layout, data, position)
        yield (position, record), data
        if not record[-1]:
            return
        position += record[-1]


def _unpack(layout: str, data: bytes, position: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, position)
    except struct.error:
        raise BinaryError("the symbol versions of the ELF file are damaged") from None
