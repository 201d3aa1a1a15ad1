"""Go modules, as linked programs list them (Go, ``debug/buildinfo`` and ``runtime/debug``)."""

from __future__ import annotations

import re

from jettison.packages.elf import Elf
from jettison.packages.malformed import PackageError, text_of, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl

_SECTION = ".go.buildinfo"
_MAGIC = b"\xff Go buildinf:"
_HEADER = 32
_MAX_SECTION = 16 << 20
_MAX_MODULES = 50_000
_VERSION = re.compile(r"^go(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)")


def parse_program(elf: Elf, location: str) -> list[Package]:
    """The modules of a Go program, with the standard library as ``stdlib``; none of another one.

    Raises PackageError if its build information is damaged.
    """
    section = elf.sections.get(_SECTION)
    if section is None:
        return []
    data = elf.read(section, _MAX_SECTION)
    start = data.find(_MAGIC)
    if start < 0:
        raise PackageError("the section .go.buildinfo holds no build information")
    version, modules = _strings(elf, data[start:])
    return _packages(version, modules, location)


def _strings(elf: Elf, data: bytes) -> tuple[str, str]:
    """The version of Go, and the module information without the sentinels around it."""
    if len(data) < _HEADER:
        raise PackageError("the build information is cut off")
    if data[15] & 2:  # since Go 1.18 the strings follow, each after its length
        version, rest = _inline(data[_HEADER:])
        modules, _ = _inline(rest)
    else:  # before, there were pointers to strings
        order = ">" if data[15] & 1 else "<"
        version, modules = (_pointed(elf, data[at:], data[14], order) for at in (16, 16 + data[14]))
    if len(modules) >= 33 and modules[-17:-16] == b"\n":
        modules = modules[16:-16]
    else:
        modules = b""
    return text_of(version), text_of(modules)


def _inline(data: bytes) -> tuple[bytes, bytes]:
    """A string after its length in base 128, and what follows it."""
    length = 0
    for position in range(10):
        byte = data[position : position + 1]
        if not byte:
            break
        length |= (byte[0] & 0x7F) << (7 * position)
        if byte[0] < 0x80:
            end = position + 1 + length
            if end > len(data):
                break
            return data[position + 1 : end], data[end:]
    raise PackageError("the build information is cut off")


def _pointed(elf: Elf, data: bytes, size: int, order: str) -> bytes:
    import struct

    if size not in (4, 8):
        raise PackageError(f"pointers of {size} bytes")
    kind = order + ("Q" if size == 8 else "I")
    try:
        (header,) = struct.unpack_from(kind, data)
        pointer, length = struct.unpack_from(kind + kind[1], elf.at_address(header, 2 * size))
    except struct.error:
        raise PackageError("the build information is cut off") from None
    if length > _MAX_SECTION:
        raise PackageError(f"a string of {length} bytes")
    return elf.at_address(pointer, length) if length else b""


def _packages(version: str, modules: str, location: str) -> list[Package]:
    """One package for each ``mod`` and ``dep`` line; ``=>`` replaces the module before it."""
    named: list[tuple[str, str]] = []
    for line in modules.split("\n"):
        fields = line.split("\t")
        if fields[0] in ("mod", "dep") and len(fields) >= 3:
            named.append((word(fields[1]), word(fields[2])))
        elif fields[0] == "=>" and len(fields) >= 3 and named:
            named[-1] = (word(fields[1]), word(fields[2]))
        if len(named) > _MAX_MODULES:
            raise PackageError(f"more than {_MAX_MODULES} modules")
    match = _VERSION.match(version)
    if match:
        named.append(("stdlib", match[1]))
    return [_package(path, number, location) for path, number in named if path]


def _package(path: str, version: str, location: str) -> Package:
    version = "" if version == "(devel)" else version
    namespace, _, name = path.rpartition("/")
    return Package(
        type="golang",
        name=path,
        version=version,
        purl=make_purl("golang", name, version, namespace=namespace),
        locations=(location,),
    )
