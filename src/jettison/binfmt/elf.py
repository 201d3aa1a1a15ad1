"""ELF files: what the dynamic linker reads of them (System V gABI, chapters 4 and 5; ld.so(8)).

Everything is found through the program headers, as the kernel and ld.so find it; section headers,
which may be stripped, are not looked at.
"""

from __future__ import annotations

from typing import IO

from msgspec import Struct

from jettison.binfmt.elfsegments import Segments, read_segments
from jettison.binfmt.elfsymbols import imported_symbols, version_definitions, version_needs
from jettison.errors import BinaryError

EXECUTABLE, SHARED = 2, 3
_PT_INTERP, _PT_NOTE = 3, 4
_NEEDED, _SONAME, _RPATH, _RUNPATH = 1, 14, 15, 29
_FLAGS, _FLAGS_1 = 30, 0x6FFFFFFB
_DF_1_NODEFLIB, _DF_1_PIE = 0x800, 0x08000000
_MAX_INTERPRETER = 4096
_MAX_NOTE = 1 << 20
_DLOPEN_TYPE = 0x407C0C0A
MACHINES = {
    (3, 32): "386",
    (40, 32): "arm",
    (62, 64): "amd64",
    (62, 32): "x32",
    (183, 64): "arm64",
    (243, 64): "riscv64",
    (21, 64): "ppc64",
    (22, 64): "s390x",
    (258, 64): "loong64",
    (8, 32): "mips",
    (8, 64): "mips64",
}
"""Architectures in OCI's words by e_machine and word size; ``ppc64le`` is told by byte order."""


class VersionNeed(Struct, frozen=True):
    """A library by its soname, and the symbol versions that are wanted of it.

    ``weak`` are those a program can do without (VER_FLG_WEAK).
    """

    library: str
    versions: tuple[str, ...]
    weak: tuple[str, ...] = ()


class DlopenNote(Struct, frozen=True):
    """What a file says it may load (UAPI group, "ELF dlopen metadata"): any one of ``sonames``.

    ``priority`` is ``required``, ``recommended`` or ``suggested``.
    """

    sonames: tuple[str, ...]
    feature: str = ""
    priority: str = "recommended"


class Elf(Struct, frozen=True, kw_only=True):
    """What an ELF file says of itself. Texts are decoded as file names are.

    ``type`` is e_type; ``imports`` are the dynamic symbols it leaves undefined; ``rpath`` and
    ``runpath`` are as written, split at colons; ``dynamic`` tells whether it has a dynamic section,
    without which it is linked statically or no program at all.
    """

    bits: int
    big_endian: bool
    machine: int
    type: int
    dynamic: bool
    interpreter: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    no_default_paths: bool = False
    pie: bool = False
    needs: tuple[VersionNeed, ...] = ()
    defines: tuple[str, ...] = ()
    dlopens: tuple[DlopenNote, ...] = ()
    imports: frozenset[str] = frozenset()

    @property
    def architecture(self) -> str:
        """In OCI's words, ``amd64``; ``elf-N`` for a machine without one."""
        name = MACHINES.get((self.machine, self.bits), f"elf-{self.machine}")
        return "ppc64le" if name == "ppc64" and not self.big_endian else name

    @property
    def is_program(self) -> bool:
        """Whether the kernel would start it: a shared object without an interpreter is none."""
        return self.type == EXECUTABLE or bool(self.interpreter) or self.pie

    @property
    def is_static(self) -> bool:
        """A program that needs no dynamic linker."""
        return self.is_program and not self.interpreter

    def loads_with(self, other: Elf) -> bool:
        """Whether both can be in one process: ld.so passes over what cannot."""
        mine = (self.bits, self.machine, self.big_endian)
        return mine == (other.bits, other.machine, other.big_endian)


def is_elf(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (four bytes are enough) is an ELF file."""
    return head[:4] == b"\x7fELF"


def read_elf(file: IO[bytes]) -> Elf:
    """Read what the dynamic linker would. Raises BinaryError for what is damaged or too large."""
    try:
        return _read(read_segments(file))
    except (OSError, ValueError, OverflowError) as error:
        raise BinaryError(f"unreadable ELF file: {error}") from None


def _read(elf: Segments) -> Elf:
    tags = elf.dynamic()
    strings = elf.strings(tags)
    flags = next(iter(tags.get(_FLAGS_1, ())), 0)

    def text(tag: int) -> str:
        return next((strings.at(value) for value in tags.get(tag, ())), "")

    def paths(tag: int) -> tuple[str, ...]:
        return tuple(part for part in text(tag).split(":") if part)

    return Elf(
        bits=64 if elf.wide else 32,
        big_endian=elf.order == ">",
        machine=elf.machine,
        type=elf.type,
        dynamic=bool(tags),
        interpreter=_interpreter(elf),
        soname=text(_SONAME),
        needed=tuple(strings.at(value) for value in tags.get(_NEEDED, ())),
        rpath=paths(_RPATH),
        runpath=paths(_RUNPATH),
        no_default_paths=bool(flags & _DF_1_NODEFLIB),
        pie=bool(flags & _DF_1_PIE),
        needs=tuple(VersionNeed(*need) for need in version_needs(elf, tags, strings)),
        defines=version_definitions(elf, tags, strings),
        dlopens=_dlopen_notes(elf),
        imports=imported_symbols(elf, tags, strings),
    )


def _interpreter(elf: Segments) -> str:
    for segment in elf.of_type(_PT_INTERP):
        if not 0 < segment.file_size <= _MAX_INTERPRETER:
            raise BinaryError("the path of the ELF file's interpreter has no sensible length")
        raw = elf.read(segment.offset, segment.file_size)
        return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return ""


def _dlopen_notes(elf: Segments) -> tuple[DlopenNote, ...]:
    found: list[DlopenNote] = []
    for segment in elf.of_type(_PT_NOTE):
        if segment.file_size > _MAX_NOTE:
            continue  # core dumps have such; no program has
        for owner, kind, text in elf.notes(segment):
            if owner == b"FDO" and kind == _DLOPEN_TYPE:
                found += _parse_dlopen(text)
    return tuple(found)


def _parse_dlopen(text: bytes) -> list[DlopenNote]:
    """The notes of one record; what is not as specified is left out, as readers should."""
    import json

    try:
        entries = json.loads(text.rstrip(b"\0"))
    except (ValueError, RecursionError):
        return []
    found = []
    for entry in entries if isinstance(entries, list) else []:
        names = entry.get("soname") if isinstance(entry, dict) else None
        sonames = tuple(n for n in names if isinstance(n, str)) if isinstance(names, list) else ()
        if sonames:
            priority = str(entry.get("priority", "recommended"))
            found.append(DlopenNote(sonames, str(entry.get("feature", "")), priority))
    return found
