"""Databases of package managers and linked programs, made as their formats say."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = int | str | Sequence[int] | Sequence[str]


def rpm_header(tags: Mapping[int, Value]) -> bytes:
    """A header as it lies in the database: rpm's docs/manual/format_header.md."""
    entries, data = b"", b""
    for tag, value in sorted(tags.items()):
        if isinstance(value, str):
            kind, count, raw = 6, 1, value.encode() + b"\0"
        elif isinstance(value, int):
            kind, count, raw = 4, 1, struct.pack(">I", value)
        elif value and isinstance(value[0], int):
            kind, count, raw = 4, len(value), struct.pack(f">{len(value)}I", *value)
        else:
            kind, count = 8, len(value)
            raw = b"".join(str(v).encode() + b"\0" for v in value)
        if kind == 4:
            data += b"\0" * (-len(data) % 4)
        entries += struct.pack(">IIII", tag, kind, len(data), count)
        data += raw
    return struct.pack(">II", len(tags), len(data)) + entries + data


def rpm_database(path: Path, headers: Sequence[bytes], *, wal: bool = False) -> bytes:
    database = sqlite3.connect(path)
    if wal:
        database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB)")
    database.executemany("INSERT INTO Packages (blob) VALUES (?)", [(h,) for h in headers])
    database.commit()
    if wal:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path.read_bytes()


def elf(sections: Mapping[str, bytes], *, wide: bool = True, big: bool = False) -> bytes:
    """An ELF file with these sections, each loaded at 0x1000 times its number."""
    order = ">" if big else "<"
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    start = 64 if wide else 52
    body, rows = b"", [(0, 0, 0, 0, 0, 0)]
    for number, (name, data) in enumerate([*sections.items(), (".shstrtab", names)], 1):
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        address = 0 if name == ".shstrtab" else 0x1000 * number
        rows.append((at, 1, 0, address, start + len(body), len(data)))
        body += data
    layout = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    table = b"".join(struct.pack(layout, *row, 0, 0, 0, 0) for row in rows)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    size = struct.calcsize(layout)
    rest = struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        2, 62, 1, 0, 0, start + len(body), 0, start, 0, 0, size, len(rows), len(rows) - 1,
    )  # fmt: skip
    return ident + rest + body + table


GO_MODULES = (
    "path\texample.org/Tool/cmd\n"
    "mod\texample.org/Tool\t(devel)\t\n"
    "dep\tgithub.com/Masterminds/semver/v3\tv3.2.1\th1:abc=\n"
    "dep\tgolang.org/x/net\tv0.1.0\th1:abc=\n"
    "=>\tgolang.org/x/net\tv0.2.0\th1:def=\n"
    "build\t-compiler=gc\n"
)
_SENTINELS = (
    bytes.fromhex("3077af0c9274080241e1c107e6d618e6"),
    bytes.fromhex("f932433186182072008242104116d8f2"),
)


def go_info(modules: str = GO_MODULES, version: str = "go1.22.3") -> bytes:
    """The section .go.buildinfo with inline strings (Go 1.18 and later)."""
    info = _SENTINELS[0] + modules.encode() + _SENTINELS[1]
    head = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    return head + _counted(version.encode()) + _counted(info)


def go_pointers() -> dict[str, bytes]:
    """The sections of a program of Go 1.17: pointers to strings, which lie in .data (0x2000)."""
    info = _SENTINELS[0] + GO_MODULES.encode() + _SENTINELS[1]
    version = b"go1.17.13"
    strings = version + info
    base = 0x2000 + 32
    data = struct.pack("<QQQQ", base, len(version), base + len(version), len(info)) + strings
    head = b"\xff Go buildinf:" + bytes([8, 0]) + struct.pack("<QQ", 0x2000, 0x2010)
    return {".go.buildinfo": head, ".data": data}


def _counted(data: bytes) -> bytes:
    count, length = b"", len(data)
    while length >= 0x80:
        count += bytes([length & 0x7F | 0x80])
        length >>= 7
    return count + bytes([length]) + data


def rust_info(packages: Sequence[Mapping[str, object]]) -> bytes:
    return zlib.compress(json.dumps({"packages": packages}).encode())


def jar(files: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()
