"""ELF files made byte by byte, as a linker would, for what ld.so reads of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spec:
    """What the file says. ``needs``: library -> versions; versions ending in ``?`` are weak."""

    needed: tuple[str, ...] = ()
    soname: str = ""
    interpreter: str = ""
    rpath: str = ""
    runpath: str = ""
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    defines: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    note: bytes = b""
    type: int = 3
    machine: int = 62
    wide: bool = True
    big: bool = False
    flags_1: int = 0
    dynamic: bool = True
    hash: str = "gnu"
    data: bytes = b""


def make_elf(spec: Spec) -> bytes:
    """The bytes of the file: one PT_LOAD that is all of it, loaded at 0x10000."""
    return _Builder(spec).build()


class _Builder:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.order = ">" if spec.big else "<"
        self.names = bytearray(b"\0")
        self.known: dict[str, int] = {"": 0}
        self.base = 0x10000
        self.body = bytearray()
        self.start = 64 + 4 * 56 if spec.wide else 52 + 4 * 32

    def name(self, text: str) -> int:
        if text not in self.known:
            self.known[text] = len(self.names)
            self.names += text.encode() + b"\0"
        return self.known[text]

    def put(self, data: bytes) -> int:
        """Append, aligned to 8; returns the place in the file."""
        self.body += bytes(-len(self.body) % 8)
        place = self.start + len(self.body)
        self.body += data
        return place

    def build(self) -> bytes:
        spec, order = self.spec, self.order
        word = "Q" if spec.wide else "I"
        tags: list[tuple[int, int]] = [(1, self.name(n)) for n in spec.needed]
        for tag, text in ((14, spec.soname), (15, spec.rpath), (29, spec.runpath)):
            if text:
                tags.append((tag, self.name(text)))
        if spec.flags_1:
            tags.append((0x6FFFFFFB, spec.flags_1))
        symbols = self.symbols()
        tags += self.versions()
        first = len(spec.imports) + 1
        symtab = self.put(symbols)
        strtab = self.put(bytes(self.names))
        assert strtab >= symtab + len(symbols)
        tags += [(6, self.base + symtab), (5, self.base + strtab), (10, len(self.names))]
        if spec.hash == "gnu":
            bucket = first if spec.exports else 0
            table = struct.pack(order + "IIII", 1, first if spec.exports else 1, 1, 6)
            table += struct.pack(order + word + "I", 0, bucket)
            tags.append((0x6FFFFEF5, self.base + self.put(table)))
        elif spec.hash == "sysv":
            count = first + len(spec.exports)
            table = struct.pack(order + "III", 1, count, 0) + bytes(4 * count)
            tags.append((4, self.base + self.put(table)))
        self.put(spec.data)
        segments: list[tuple[int, int, int, int]] = []
        if spec.interpreter:
            raw = spec.interpreter.encode() + b"\0"
            segments.append((3, self.put(raw), len(raw), 1))
        if spec.note:
            note = struct.pack(order + "III", 4, len(spec.note), 0x407C0C0A) + b"FDO\0" + spec.note
            note += bytes(-len(note) % 4)
            segments.append((4, self.put(note), len(note), 4))
        if spec.dynamic:
            raw = b"".join(struct.pack(order + word * 2, *tag) for tag in (*tags, (0, 0)))
            segments.append((2, self.put(raw), len(raw), 8))
        size = self.start + len(self.body)
        segments.append((1, 0, size, 4096))
        return self.header(segments) + bytes(self.body)

    def symbols(self) -> bytes:
        found = b""
        rows = [("", 0), *((n, 0) for n in self.spec.imports), *((n, 1) for n in self.spec.exports)]
        for text, section in rows:
            name = self.name(text)
            if self.spec.wide:
                found += struct.pack(self.order + "IBBHQQ", name, 0x12, 0, section, 0, 0)
            else:
                found += struct.pack(self.order + "IIIBBH", name, 0, 0, 0x12, 0, section)
        return found

    def versions(self) -> list[tuple[int, int]]:
        order, tags = self.order, []
        if self.spec.needs:
            data = b""
            for number, (library, versions) in enumerate(self.spec.needs.items(), 1):
                size = 16 + 16 * len(versions)
                following = size if number < len(self.spec.needs) else 0
                data += struct.pack(
                    order + "HHIII", 1, len(versions), self.name(library), 16, following
                )
                for count, version in enumerate(versions, 1):
                    weak = 2 if version.endswith("?") else 0
                    after = 16 if count < len(versions) else 0
                    name = self.name(version.rstrip("?"))
                    data += struct.pack(order + "IHHII", 0, weak, 2, name, after)
            tags += [(0x6FFFFFFE, self.base + self.put(data)), (0x6FFFFFFF, len(self.spec.needs))]
        if self.spec.defines:
            data = b""
            names = (self.spec.soname or "self", *self.spec.defines)
            for number, version in enumerate(names, 1):
                following = 28 if number < len(names) else 0
                flags = 1 if number == 1 else 0
                data += struct.pack(order + "HHHHIII", 1, flags, number, 1, 0, 20, following)
                data += struct.pack(order + "II", self.name(version), 0)
            tags += [(0x6FFFFFFC, self.base + self.put(data)), (0x6FFFFFFD, len(names))]
        return tags

    def header(self, segments: list[tuple[int, int, int, int]]) -> bytes:
        spec, order = self.spec, self.order
        ident = b"\x7fELF" + bytes([2 if spec.wide else 1, 2 if spec.big else 1, 1]) + bytes(9)
        if spec.wide:
            head = ident + struct.pack(
                order + "HHIQQQIHHHHHH", spec.type, spec.machine, 1, 0, 64, 0, 0, 64, 56,
                len(segments), 0, 0, 0,
            )  # fmt: skip
            rows = [
                struct.pack(order + "IIQQQQQQ", kind, 5, at, self.base + at, 0, size, size, align)
                for kind, at, size, align in segments
            ]
        else:
            head = ident + struct.pack(
                order + "HHIIIIIHHHHHH", spec.type, spec.machine, 1, 0, 52, 0, 0, 52, 32,
                len(segments), 0, 0, 0,
            )  # fmt: skip
            rows = [
                struct.pack(order + "IIIIIIII", kind, at, self.base + at, 0, size, size, 5, align)
                for kind, at, size, align in segments
            ]
        return (head + b"".join(rows)).ljust(self.start, b"\0")
