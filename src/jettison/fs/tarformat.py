"""The tar format as bytes: one member's header, written and read.

POSIX.1-2017 pax ("ustar Interchange Format", "pax Extended Header") and GNU tar's manual ("Basic
Tar Format") are the sources.
"""

from __future__ import annotations

from msgspec import Struct, field

BLOCK = 512
END = bytes(2 * BLOCK)

REGULAR = b"0"
LINK = b"1"
SYMLINK = b"2"
CHARACTER = b"3"
BLOCK_DEVICE = b"4"
DIRECTORY = b"5"
FIFO = b"6"

MAX_ID = 0o7777777
MAX_SIZE = 0o77777777777
XATTR = b"SCHILY.xattr."


class Member(Struct):
    """One member of a tar; names are bytes as they stand in it, ``mtime_ns`` nanoseconds.

    ``size`` is the size of the file; ``sparse`` (offset, length) says where its data goes if the
    archive leaves holes out, ``stored`` how many bytes of data the archive holds.
    """

    name: bytes
    type: bytes = REGULAR
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    target: bytes = b""
    major: int = 0
    minor: int = 0
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    sparse: list[tuple[int, int]] | None = None
    stored: int = 0


def padding(size: int) -> bytes:
    """The zeros that fill the last block of ``size`` bytes of data."""
    return bytes(-size % BLOCK)


def header_bytes(member: Member) -> bytes:
    """The header blocks of a member: ustar, preceded by a pax header only where ustar falls short.

    Whole seconds are written (as containerd's ChangeWriter does); a pax header carries long or
    non-ASCII names, large owners and sizes, times before 1970, and extended attributes.
    """
    records: dict[bytes, bytes] = {XATTR + key: value for key, value in member.xattrs.items()}
    name, target, prefix = member.name, member.target, b""
    if len(name) > 100 or not name.isascii():
        prefix, name = _split(name)
        if not name:
            records[b"path"] = member.name
            name = _ascii(member.name)[:100]
    if len(target) > 100 or not target.isascii():
        records[b"linkpath"] = target
        target = _ascii(target)[:100]
    seconds = member.mtime_ns // 1_000_000_000
    numbers = {b"uid": member.uid, b"gid": member.gid, b"size": member.size, b"mtime": seconds}
    for key, value in numbers.items():
        if not 0 <= value <= (MAX_ID if key in (b"uid", b"gid") else MAX_SIZE):
            records[key] = b"%d" % value
            numbers[key] = 0
    block = _ustar(
        name,
        member.type,
        (
            member.mode,
            numbers[b"uid"],
            numbers[b"gid"],
            numbers[b"size"],
            numbers[b"mtime"],
        ),
        (member.major, member.minor),
        target,
        prefix,
    )
    return _pax(member.name, records) + block if records else block


def _ustar(
    name: bytes,
    kind: bytes,
    numbers: tuple[int, int, int, int, int],
    device: tuple[int, int],
    target: bytes = b"",
    prefix: bytes = b"",
) -> bytes:
    """A ustar block; ``numbers`` are mode, uid, gid, size and time, each known to fit."""
    mode, uid, gid, size, mtime = numbers
    head = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(100, b"\0"),
        mode,
        uid,
        gid,
        size,
        mtime,
    )
    tail = b"%b%bustar\x0000%b%07o\0%07o\0%b" % (
        kind,
        target.ljust(100, b"\0"),
        bytes(64),
        device[0],
        device[1],
        prefix.ljust(167, b"\0"),
    )
    return b"%b%06o\0 %b" % (head, sum(head) + sum(tail) + 8 * 32, tail)


def _split(name: bytes) -> tuple[bytes, bytes]:
    """``name`` as ustar's prefix and name; two empty ones if it does not fit."""
    if name.isascii() and len(name) <= 256:
        cut = name.find(b"/", len(name) - 101)
        if 0 < cut <= 155 and cut < len(name) - 1:
            return name[:cut], name[cut + 1 :]
    return b"", b""


def _ascii(name: bytes) -> bytes:
    return name.decode("ascii", "replace").encode("ascii", "replace")


def _pax(name: bytes, records: dict[bytes, bytes]) -> bytes:
    data = b"".join(_record(key, records[key]) for key in sorted(records))
    base = _ascii(name.rstrip(b"/").rpartition(b"/")[2])
    name = (b"PaxHeaders.0/" + base)[:100]
    block = _ustar(name, b"x", (0, 0, 0, len(data), 0), (0, 0))
    return block + data + padding(len(data))


def _record(key: bytes, value: bytes) -> bytes:
    """A pax record; its length counts its own digits."""
    rest = b" %b=%b\n" % (key, value)
    size = len(rest) + len(b"%d" % len(rest))
    size = len(rest) + len(b"%d" % size)
    return b"%d%b" % (size, rest)
