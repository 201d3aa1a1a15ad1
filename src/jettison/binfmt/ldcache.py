"""``/etc/ld.so.cache`` and ``/etc/ld.so.conf`` (glibc, sysdeps/generic/dl-cache.h; ldconfig(8))."""

from __future__ import annotations

import struct

from jettison.errors import BinaryError

_OLD = b"ld.so-1.7.0\0"
_NEW = b"glibc-ld.so.cache1.1"
_HEADER, _ENTRY = 48, 24
_MAX_ENTRIES = 200_000


def parse_cache(data: bytes) -> list[tuple[str, str]]:
    """Each library's name and path, in the order ld.so prefers them.

    Raises BinaryError if it is no cache of the format glibc reads since 2.2.
    """
    start = 0
    if data.startswith(_OLD):
        if len(data) < 16:
            raise BinaryError("the ld.so cache is cut off")
        (old,) = struct.unpack_from("<I", data, 12)
        start = 16 + 12 * old
        start += -start % 8
    if data[start : start + len(_NEW)] != _NEW:
        raise BinaryError("no ld.so cache of a known format")
    if len(data) < start + _HEADER:
        raise BinaryError("the ld.so cache is cut off")
    order = ">" if data[start + 28] & 3 == 3 else "<"  # 2 is little endian, 0 is not said
    (count,) = struct.unpack_from(order + "I", data, start + 20)
    if count > _MAX_ENTRIES or len(data) < start + _HEADER + count * _ENTRY:
        raise BinaryError("the ld.so cache is cut off")
    found = []
    for number in range(count):
        place = start + _HEADER + number * _ENTRY
        _, name, path = struct.unpack_from(order + "iII", data, place)
        found.append((_text(data, start + name), _text(data, start + path)))
    return found


def parse_conf(text: str) -> list[tuple[str, str]]:
    """The lines of an ld.so.conf: ``("include", pattern)`` and ``("directory", path)``."""
    found = []
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        word, _, rest = line.partition(" ")
        if word == "include":
            found += [("include", pattern) for pattern in rest.split()]
        elif line.startswith("/"):
            found.append(("directory", line.partition("=")[0].rstrip("/") or "/"))
    return found


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset)
    return data[offset : max(end, offset)].decode("utf-8", "surrogateescape")
