"""Where the sections of an ELF file lie (System V gABI, chapters 4 and 5): no more than that."""

from __future__ import annotations

import struct
from typing import IO

from msgspec import Struct

from jettison.packages.malformed import PackageError

_MAX_SECTIONS = 10_000
_MAX_NAMES = 1 << 20
_NOBITS = 8


class Section(Struct, frozen=True):
    """``address`` is where it is loaded; ``offset`` and ``size`` are bytes of the file."""

    name: str
    address: int
    offset: int
    size: int


class Elf:
    """An ELF file, opened for random access."""

    def __init__(self, file: IO[bytes]) -> None:
        """Raises PackageError if ``file`` is no ELF file or its section headers are damaged."""
        self._file = file
        ident = self.read_at(0, 64)
        if ident[:4] != b"\x7fELF" or len(ident) < 52 or ident[4] not in (1, 2):
            raise PackageError("no ELF file")
        self.wide = ident[4] == 2
        self.order = ">" if ident[5] == 2 else "<"
        self.sections = {section.name: section for section in self._sections(ident)}

    def read_at(self, offset: int, size: int) -> bytes:
        try:
            self._file.seek(offset)
            return self._file.read(size)
        except (OSError, ValueError, OverflowError) as error:
            raise PackageError(f"unreadable: {error}") from None

    def read(self, section: Section, limit: int) -> bytes:
        """A section's bytes; raises PackageError if they are more than ``limit`` or not there."""
        if section.size > limit:
            raise PackageError(f"the section {section.name} has {section.size} bytes")
        data = self.read_at(section.offset, section.size)
        if len(data) != section.size:
            raise PackageError(f"the section {section.name} is cut off")
        return data

    def at_address(self, address: int, size: int) -> bytes:
        """The bytes that are loaded at an address; raises PackageError if there are none."""
        for section in self.sections.values():
            inside = address - section.address
            if section.address and 0 <= inside < section.size:
                return self.read_at(section.offset + inside, min(size, section.size - inside))
        raise PackageError("a pointer leads nowhere")

    def _sections(self, ident: bytes) -> list[Section]:
        if self.wide:
            if len(ident) < 64:
                raise PackageError("the ELF header is cut off")
            (table,) = struct.unpack_from(self.order + "Q", ident, 40)
            entry, count, names_at = struct.unpack_from(self.order + "HHH", ident, 58)
            layout, smallest = self.order + "IIQQQQ", 40
        else:
            (table,) = struct.unpack_from(self.order + "I", ident, 32)
            entry, count, names_at = struct.unpack_from(self.order + "HHH", ident, 46)
            layout, smallest = self.order + "IIIIII", 24
        if not table or not count:
            return []
        if count > _MAX_SECTIONS or entry < smallest or names_at >= count:
            raise PackageError("the section headers are damaged")
        data = self.read_at(table, entry * count)
        if len(data) != entry * count:
            raise PackageError("the section headers are cut off")
        rows = [struct.unpack_from(layout, data, entry * number) for number in range(count)]
        names = self.read_at(rows[names_at][4], min(rows[names_at][5], _MAX_NAMES))
        return [
            Section(_name(names, name), address, offset, size)
            for name, kind, _, address, offset, size in rows
            if kind != _NOBITS
        ]


def _name(names: bytes, offset: int) -> str:
    end = names.find(b"\x00", offset)
    return names[offset : max(end, offset)].decode("ascii", "replace")
