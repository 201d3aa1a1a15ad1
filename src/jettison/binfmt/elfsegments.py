"""The frame of an ELF file: header, segments, dynamic section, strings, notes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from msgspec import Struct

from jettison.errors import BinaryError

_MAX_SEGMENTS = 4096
_MAX_DYNAMIC = 1 << 20
_MAX_STRINGS = 64 << 20
_PT_LOAD, _PT_DYNAMIC = 1, 2
_STRTAB, _STRSZ = 5, 10

Tags = dict[int, list[int]]
"""The values of each dynamic tag, in the file's order."""


class Segment(Struct, frozen=True):
    """``offset`` and ``file_size`` are bytes of the file, ``address`` is where it is loaded."""

    type: int
    offset: int
    address: int
    file_size: int
    align: int


class Strings:
    """The dynamic string table."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def at(self, offset: int) -> str:
        """The string at an offset; empty beyond the end, as a damaged offset would have it."""
        if offset >= len(self._data):
            return ""
        end = self._data.find(b"\0", offset)
        return self._data[offset : end if end >= 0 else None].decode("utf-8", "surrogateescape")


class Segments:
    """An ELF file, opened for random access; made by `read_segments`."""

    def __init__(self, file: IO[bytes], wide: bool, order: str, type: int, machine: int) -> None:
        self._file = file
        self.wide = wide
        self.order = order
        self.type = type
        self.machine = machine
        self.segments: list[Segment] = []

    def of_type(self, type: int) -> Iterator[Segment]:
        return (segment for segment in self.segments if segment.type == type)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes of the file; raises BinaryError if they are not there."""
        data = self.read_some(offset, size)
        if len(data) != size:
            raise BinaryError("the ELF file is cut off")
        return data

    def read_some(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes."""
        self._file.seek(offset)
        return self._file.read(size)

    def offset_of(self, address: int) -> int:
        """Where in the file lies what is loaded at ``address``; raises BinaryError if nowhere."""
        return self._place(address)[0]

    def at_address(self, address: int, size: int) -> bytes:
        """At most ``size`` of the bytes loaded at ``address``; raises BinaryError if none are."""
        offset, left = self._place(address)
        return self.read_some(offset, min(size, left))

    def dynamic(self) -> Tags:
        """The dynamic section; empty for what is linked statically."""
        tags: Tags = {}
        entry = self.order + ("qQ" if self.wide else "iI")
        size = struct.calcsize(entry)
        for segment in self.of_type(_PT_DYNAMIC):
            if segment.file_size > _MAX_DYNAMIC:
                raise BinaryError(f"the dynamic section has {segment.file_size} bytes")
            data = self.read_some(segment.offset, segment.file_size)
            for tag, value in struct.iter_unpack(entry, data[: len(data) // size * size]):
                if tag == 0:
                    break
                tags.setdefault(tag, []).append(value)
        return tags

    def strings(self, tags: Tags) -> Strings:
        if _STRTAB not in tags:
            return Strings(b"")
        size = next(iter(tags.get(_STRSZ, ())), 0)
        if size > _MAX_STRINGS:
            raise BinaryError(f"the table of strings has {size} bytes")
        return Strings(self.at_address(tags[_STRTAB][0], size))

    def notes(self, segment: Segment) -> Iterator[tuple[bytes, int, bytes]]:
        """Owner, type and content of each note."""
        data = self.read_some(segment.offset, segment.file_size)
        align = 8 if segment.align == 8 else 4
        position = 0
        while position + 12 <= len(data):
            name, size, kind = struct.unpack_from(self.order + "III", data, position)
            start = position + 12
            content = start + name + -(start + name) % align
            yield data[start : start + name].rstrip(b"\0"), kind, data[content : content + size]
            position = content + size + -(content + size) % align

    def _place(self, address: int) -> tuple[int, int]:
        for segment in self.of_type(_PT_LOAD):
            inside = address - segment.address
            if 0 <= inside < segment.file_size:
                return segment.offset + inside, segment.file_size - inside
        raise BinaryError("an address in the ELF file leads nowhere")


def read_segments(file: IO[bytes]) -> Segments:
    """Raises BinaryError if ``file`` is no ELF file or its program headers are damaged."""
    file.seek(0)
    head = file.read(64)
    if head[:4] != b"\x7fELF" or len(head) < 52 or head[4] not in (1, 2) or head[5] not in (1, 2):
        raise BinaryError("no ELF file")
    wide, order = head[4] == 2, ">" if head[5] == 2 else "<"
    if wide and len(head) < 64:
        raise BinaryError("the ELF header is cut off")
    type, machine = struct.unpack_from(order + "HH", head, 16)
    elf = Segments(file, wide, order, type, machine)
    if wide:
        (table,) = struct.unpack_from(order + "Q", head, 32)
        entry, count = struct.unpack_from(order + "HH", head, 54)
        layout, smallest = order + "IIQQQQQQ", 56
    else:
        (table,) = struct.unpack_from(order + "I", head, 28)
        entry, count = struct.unpack_from(order + "HH", head, 42)
        layout, smallest = order + "IIIIIIII", 32
    if not table or not count:
        return elf
    if count > _MAX_SEGMENTS or entry < smallest:
        raise BinaryError("the program headers are damaged")
    data = elf.read(table, entry * count)
    rows = (struct.unpack_from(layout, data, entry * number) for number in range(count))
    elf.segments = [_segment(row, wide) for row in rows]
    return elf


def _segment(row: tuple[int, ...], wide: bool) -> Segment:
    """The fields stand in another order in 32-bit files."""
    if wide:
        type, _, offset, address, _, size, _, align = row
    else:
        type, offset, address, _, size, _, _, align = row
    return Segment(type, offset, address, size, align)
