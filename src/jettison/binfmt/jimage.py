"""Java's ``lib/modules`` (OpenJDK, jdk.internal.jimage: BasicImageReader, ImageLocation)."""

from __future__ import annotations

import struct
from typing import IO

from jettison.binfmt.classfile import ModuleInfo, parse_module_info
from jettison.errors import BinaryError

_MAGIC = 0xCAFEDADA
_HEADER = 28
_MAX_ENTRIES = 2_000_000
_MAX_TABLE = 256 << 20
_MAX_RESOURCE = 16 << 20
_END, _MODULE, _PARENT, _BASE, _EXTENSION, _OFFSET, _COMPRESSED, _SIZE = range(8)


def read_modules(file: IO[bytes]) -> dict[str, ModuleInfo]:
    """The declaration of every module of the runtime, with its packages, by name.

    Raises BinaryError for a damaged image, or one that is compressed (jlink --compress): there
    the modules' names alone can be had, from its ``release`` file.
    """
    try:
        return _read(file)
    except (OSError, ValueError, IndexError, OverflowError, struct.error) as error:
        raise BinaryError(f"unreadable Java module image: {error}") from None


def _read(file: IO[bytes]) -> dict[str, ModuleInfo]:
    file.seek(0)
    header = file.read(_HEADER)
    order = "<" if header[:4] == _MAGIC.to_bytes(4, "little") else ">"
    if len(header) != _HEADER or struct.unpack_from(order + "I", header)[0] != _MAGIC:
        raise BinaryError("no Java module image")
    _, _, entries, length, locations_size, strings_size = struct.unpack_from(
        order + "IIIIII", header, 4
    )
    if max(length, entries) > _MAX_ENTRIES or locations_size + strings_size > _MAX_TABLE:
        raise BinaryError("the Java module image is damaged")
    file.seek(_HEADER + 4 * length)
    offsets = struct.unpack(f"{order}{length}I", file.read(4 * length))
    locations = file.read(locations_size)
    strings = file.read(strings_size)
    data = _HEADER + 8 * length + locations_size + strings_size
    name = strings.find(b"\0module-info\0") + 1
    found: dict[str, ModuleInfo] = {}
    for offset in offsets:
        place = _location(locations, offset)
        if not name or place[_BASE] != name or (place[_PARENT] and strings[place[_PARENT]]):
            continue
        if place[_COMPRESSED]:
            raise BinaryError("the Java module image is compressed")
        if place[_SIZE] > _MAX_RESOURCE:
            raise BinaryError("the Java module image is damaged")
        file.seek(data + place[_OFFSET])
        info = parse_module_info(file.read(place[_SIZE]))
        found[info.name] = info
    return found


def _location(data: bytes, at: int) -> list[int]:
    """The attributes of one location: a byte of kind and length, then the value."""
    place = [0] * 8
    while at < len(data):
        kind, size = data[at] >> 3, (data[at] & 7) + 1
        if kind == _END:
            return place
        if kind > 7:
            raise BinaryError("the Java module image is damaged")
        place[kind] = int.from_bytes(data[at + 1 : at + 1 + size], "big")
        at += 1 + size
    raise BinaryError("the Java module image is cut off")
