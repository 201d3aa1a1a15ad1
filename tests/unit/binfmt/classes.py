"""Java class files, jars and module images made byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping


class Pool:
    """A constant pool that grows."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.known: dict[bytes, int] = {}

    def add(self, row: bytes) -> int:
        if row not in self.known:
            self.rows.append(row)
            self.known[row] = len(self.rows)
        return self.known[row]

    def text(self, text: str) -> int:
        raw = text.encode()
        return self.add(b"\x01" + struct.pack(">H", len(raw)) + raw)

    def named(self, tag: int, text: str) -> int:
        return self.add(bytes([tag]) + struct.pack(">H", self.text(text)))

    def bytes(self) -> bytes:
        return struct.pack(">H", len(self.rows) + 1) + b"".join(self.rows)


_HEAD = b"\xca\xfe\xba\xbe" + struct.pack(">HH", 0, 61)


def make_class(
    name: str,
    classes: tuple[str, ...] = (),
    descriptors: tuple[str, ...] = (),
    strings: tuple[str, ...] = (),
) -> bytes:
    """A class that refers to others by constants, descriptors and strings."""
    pool = Pool()
    this = pool.named(7, name)
    for other in classes:
        pool.named(7, other)
    for text in descriptors:
        pool.text(text)
    for text in strings:
        pool.named(8, text)
    rest = struct.pack(">HHHHHHH", 0x21, this, 0, 0, 0, 0, 0)
    return _HEAD + pool.bytes() + rest


def make_module_info(
    name: str,
    requires: tuple[str, ...] = (),
    static: tuple[str, ...] = (),
    packages: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    provides: Mapping[str, tuple[str, ...]] | None = None,
) -> bytes:
    """A module-info.class; every package is exported."""
    pool = Pool()

    def listed(tag: int, names: tuple[str, ...]) -> bytes:
        rows = [struct.pack(">H", pool.named(tag, n.replace(".", "/"))) for n in names]
        return struct.pack(">H", len(rows)) + b"".join(rows)

    body = struct.pack(">HHH", pool.named(19, name), 0, 0)
    body += struct.pack(">H", len(requires) + len(static))
    for other in requires:
        body += struct.pack(">HHH", pool.named(19, other), 0, 0)
    for other in static:
        body += struct.pack(">HHH", pool.named(19, other), 0x40, 0)
    body += struct.pack(">H", len(packages))
    for package in packages:
        body += struct.pack(">HHH", pool.named(20, package.replace(".", "/")), 0, 0)
    body += struct.pack(">H", 0) + listed(7, uses)
    body += struct.pack(">H", len(provides or {}))
    for service, providers in (provides or {}).items():
        body += struct.pack(">H", pool.named(7, service.replace(".", "/")))
        body += listed(7, providers)
    attributes = struct.pack(">HI", pool.text("Module"), len(body)) + body
    listed_packages = listed(20, packages)
    attributes += struct.pack(">HI", pool.text("ModulePackages"), len(listed_packages))
    attributes += listed_packages
    this = pool.named(7, "module-info")
    rest = struct.pack(">HHHHHHH", 0x8000, this, 0, 0, 0, 0, 2) + attributes
    return _HEAD + pool.bytes() + rest


def make_jar(files: Mapping[str, bytes], manifest: str = "") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        if manifest:
            archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n" + manifest)
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def make_jimage(modules: Mapping[str, bytes], *, compressed: bool = False) -> bytes:
    """A lib/modules with the module-info of each module, and one class in a package."""
    strings = bytearray(b"\0")

    def name(text: str) -> int:
        at = len(strings)
        strings.extend(text.encode() + b"\0")
        return at

    base, extension, parent = name("module-info"), name("class"), name("java/lang")
    locations = bytearray(b"\0")
    offsets, content = [], b""

    def place(module: str, parent: int, data: bytes) -> None:
        nonlocal content
        offsets.append(len(locations))
        values = {1: name(module), 2: parent, 3: base, 4: extension, 5: len(content), 7: len(data)}
        if compressed:
            values[6] = 5
        for kind, value in values.items():
            raw = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
            locations.extend(bytes([kind << 3 | (len(raw) - 1)]) + raw)
        locations.append(0)
        content += data

    for module, data in modules.items():
        place(module, 0, data)
    place("java.base", parent, b"not a declaration: /java.base/java/lang/module-info.class")
    head = struct.pack(
        "<IIIIIII", 0xCAFEDADA, 1 << 16, 0, len(offsets), len(offsets), len(locations), len(strings)
    )
    table = struct.pack(f"<{len(offsets)}i", *range(len(offsets)))
    table += struct.pack(f"<{len(offsets)}I", *offsets)
    return head + table + bytes(locations) + bytes(strings) + content
