"""Tar members byte by byte, also such as no program would write."""

from __future__ import annotations

END = bytes(1024)
Value = int | bytes


def member(
    name: bytes | str,
    data: bytes = b"",
    *,
    kind: bytes = b"0",
    mode: int = 0o644,
    uid: Value = 0,
    gid: Value = 0,
    size: Value | None = None,
    mtime: Value = 0,
    link: bytes | str = b"",
    device: tuple[Value, Value] = (0, 0),
    checksum: int | None = None,
    rest: bytes = b"",
) -> bytes:
    """A header and its data; numbers given as bytes stand in their fields as they are.

    ``rest`` takes the place of ustar's prefix. Names of more than 100 bytes are cut off.
    """
    name, link = _bytes(name), _bytes(link)
    head = b"".join(
        (
            name[:100].ljust(100, b"\0"),
            b"%07o\0" % mode,
            _number(uid, 8),
            _number(gid, 8),
            _number(len(data) if size is None else size, 12),
            _number(mtime, 12),
            b" " * 8,
            kind,
            link[:100].ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),
            _number(device[0], 8) + _number(device[1], 8),
            rest.ljust(167, b"\0"),
        )
    )
    total = sum(head) if checksum is None else checksum
    head = head[:148] + b"%06o\0 " % total + head[156:]
    assert len(head) == 512
    return head + data + bytes(-len(data) % 512)


def directory(name: bytes | str, mode: int = 0o755) -> bytes:
    return member(name, kind=b"5", mode=mode)


def symlink(name: bytes | str, target: bytes | str) -> bytes:
    return member(name, kind=b"2", link=target, mode=0o777)


def link(name: bytes | str, target: bytes | str) -> bytes:
    return member(name, kind=b"1", link=target)


def record(key: bytes | str, value: bytes | str) -> bytes:
    """A pax record with the length that it has."""
    body = b" " + _bytes(key) + b"=" + _bytes(value) + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body


def pax(*records: bytes, kind: bytes = b"x", size: Value | None = None) -> bytes:
    """An extended header of records, which may be malformed."""
    return member("pax", b"".join(records), kind=kind, size=size)


def named(name: bytes | str) -> bytes:
    """The pax header that gives the next member its name."""
    return pax(record("path", name))


def gnu(kind: bytes, text: bytes) -> bytes:
    """GNU's long name (``L``) or long link target (``K``)."""
    return member("././@LongLink", text + b"\0", kind=kind)


def old_sparse(name: str, real: bytes, pairs: list[tuple[bytes, bytes]], data: bytes) -> bytes:
    """GNU's first sparse format with up to four pairs in the header."""
    area = b"".join(_pad(o) + _pad(n) for o, n in pairs).ljust(96, b"\0")
    # GNU's header has 41 bytes of times and offsets where ustar has its prefix.
    raw = member(name, data, kind=b"S", rest=bytes(41) + area + b"\0" + _pad(real))
    head = raw[:257] + b"ustar  \0" + raw[265:512]
    head = head[:148] + b" " * 8 + head[156:]
    return head[:148] + b"%06o\0 " % sum(head) + head[156:] + raw[512:]


def _pad(number: bytes) -> bytes:
    return number.rjust(11, b"0") + b"\0" if len(number) < 12 else number


def _number(value: Value, width: int) -> bytes:
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    return b"%0*o\0" % (width - 1, value)


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
