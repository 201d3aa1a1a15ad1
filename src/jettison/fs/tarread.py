"""A streaming tar reader: v7, ustar, pax and GNU archives, sparse files included.

What it accepts is what Go's archive/tar accepts, since that is what images and archives meet
elsewhere: an archive may end without its two zero blocks, global pax headers are ignored, and
both kinds of checksum count. Nothing in an archive makes it hold more than a few MiB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from jettison.errors import ArchiveError
from jettison.fs.decompress import Readable
from jettison.fs.tarformat import (
    BLOCK,
    DIRECTORY,
    REGULAR,
    XATTR,
    Member,
)

_CHUNK = 256 << 10
_MAX_SPECIAL = 1 << 20  # bytes of a pax header or long name; Go's limit
_MAX_SPARSE = 1 << 18  # entries of a sparse map; Go reads 1 MiB of it
_ZEROS = bytes(BLOCK)
_WITHOUT_DATA = frozenset(b"%c" % kind for kind in b"123456")
_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12s")


class TarReader:
    """Reads members one after the other; what is not read of a member's data is skipped.

    Raises ArchiveError for anything that is not a tar; errors of ``stream`` pass through.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._buffer = b""
        self._position = 0
        self._left = 0  # of the current member's data
        self._padding = 0

    def next(self) -> Member | None:
        """The next member, or None at the end of the archive."""
        records: list[tuple[bytes, bytes]] = []
        long_name: bytes | None = None
        long_target: bytes | None = None
        while True:
            self._skip(self._left)
            padding, self._left, self._padding = self._padding, 0, 0
            block = self._header() if self._skip_padding(padding) else None
            if block is None:
                if records or long_name is not None or long_target is not None:
                    raise ArchiveError("the tar ends after an extended header")
                return None
            member = _parse(block)
            self._left = 0 if member.type in _WITHOUT_DATA else member.stored
            self._padding = -self._left % BLOCK
            if member.type == b"x":
                records = _pax_records(self._special())  # of several, the last counts
            elif member.type == b"L":
                long_name = self._special().partition(b"\0")[0]
            elif member.type == b"K":
                long_target = self._special().partition(b"\0")[0]
            elif member.type not in (b"g", b"V"):
                break
        if long_name is not None:
            member.name = long_name
        if long_target is not None:
            member.target = long_target
        if member.type == b"S":
            self._old_sparse(member, block)
        if records:
            self._apply(member, records)
        return _normal(member)

    def chunks(self) -> Iterator[bytes]:
        """The data the archive holds for the current member, in pieces."""
        while self._left:
            data = self._some(self._left)
            self._left -= len(data)
            yield data

    def data(self) -> bytes:
        """All data of the current member; for members known to be small."""
        size, self._left = self._left, 0
        return self._exactly(size)

    def drain(self) -> int:
        """Read what follows the archive's end, which is nothing or padding; how much it was."""
        total = len(self._buffer) - self._position
        self._buffer, self._position = b"", 0
        while data := self._stream.read(_CHUNK):
            total += len(data)
        return total

    def _header(self) -> bytes | None:
        block = self._block()
        if block is None:
            return None
        if block == _ZEROS:
            second = self._block()
            if second is not None and second != _ZEROS:
                raise ArchiveError("the tar has a zero block among its headers")
            return None
        return block

    def _block(self) -> bytes | None:
        end = self._position + BLOCK
        if end <= len(self._buffer):
            block = self._buffer[self._position : end]
            self._position = end
            return block
        if self._position == len(self._buffer) and not self._fill():
            return None
        return self._exactly(BLOCK)

    def _fill(self) -> bool:
        self._buffer, self._position = self._stream.read(_CHUNK), 0
        return bool(self._buffer)

    def _some(self, limit: int) -> bytes:
        if self._position == len(self._buffer) and not self._fill():
            raise ArchiveError("the tar is truncated")
        if self._position == 0 and len(self._buffer) <= limit:
            data, self._buffer = self._buffer, b""
            return data
        data = self._buffer[self._position : self._position + limit]
        self._position += len(data)
        return data

    def _exactly(self, size: int) -> bytes:
        data = self._buffer[self._position : self._position + size]
        self._position += len(data)
        if len(data) == size:
            return data
        parts = [data]
        missing = size - len(data)
        while missing:
            parts.append(self._some(missing))
            missing -= len(parts[-1])
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size:
            step = min(size, len(self._buffer) - self._position)
            self._position += step
            size -= step
            if size and not self._fill():
                raise ArchiveError("the tar is truncated")

    def _skip_padding(self, size: int) -> bool:
        """False if the archive ends there, which is no harm (nor to Go)."""
        try:
            self._skip(size)
        except ArchiveError:
            return False
        return True

    def _special(self) -> bytes:
        if self._left > _MAX_SPECIAL:
            raise ArchiveError("the tar has an extended header of more than 1 MiB")
        return self.data()

    def _old_sparse(self, member: Member, block: bytes) -> None:
        """GNU's own sparse format: pairs in the header, and in blocks that follow it."""
        pairs: list[tuple[int, int]] = []
        area, count, more = block[386:482], 4, block[482]
        member.size = _number(block[483:495])
        while True:
            for index in range(count):
                offset, length = area[24 * index :][:12], area[24 * index + 12 :][:12]
                if not offset.strip(b"\0"):
                    break
                pairs.append((_number(offset), _number(length)))
            if not more:
                break
            if len(pairs) > _MAX_SPARSE:
                raise ArchiveError("the tar has a sparse file in too many pieces")
            area, count = self._exactly(BLOCK), 21
            more = area[504]
        member.sparse = pairs

    def _apply(self, member: Member, records: list[tuple[bytes, bytes]]) -> None:
        """Let pax records override the header; an empty value leaves it alone, as in Go."""
        values = {key: value for key, value in records if value}
        for key in (b"path", b"linkpath"):
            if b"\0" in values.get(key, b""):
                raise ArchiveError("the tar has a name with a NUL byte")
        member.name = values.get(b"path", member.name)
        member.target = values.get(b"linkpath", member.target)
        member.uid = _decimal(values.get(b"uid"), member.uid)
        member.gid = _decimal(values.get(b"gid"), member.gid)
        if b"size" in values and member.type not in _WITHOUT_DATA:
            member.size = member.stored = self._left = _decimal(values[b"size"], 0)
            self._padding = -self._left % BLOCK
        if b"mtime" in values:
            member.mtime_ns = _time(values[b"mtime"])
        for key, value in records:
            if key.startswith(XATTR):
                member.xattrs[key[len(XATTR) :]] = value
        if any(key.startswith(b"GNU.sparse.") for key in values):
            self._pax_sparse(member, values, records)

    def _pax_sparse(
        self, member: Member, values: dict[bytes, bytes], records: list[tuple[bytes, bytes]]
    ) -> None:
        """GNU's sparse formats 0.0, 0.1 and 1.0 in pax headers."""
        member.name = values.get(b"GNU.sparse.name", member.name)
        real = values.get(b"GNU.sparse.realsize", values.get(b"GNU.sparse.size"))
        numbers: list[int]
        if values.get(b"GNU.sparse.major") == b"1":
            numbers = list(self._sparse_map_in_data())
            member.stored = self._left
        elif b"GNU.sparse.map" in values:
            numbers = [_decimal(part, 0) for part in values[b"GNU.sparse.map"].split(b",")]
        else:
            keys = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
            numbers = [_decimal(value, 0) for key, value in records if key in keys]
        if len(numbers) % 2:
            raise ArchiveError("the tar has a malformed sparse file")
        member.size = _decimal(real, member.size)
        member.sparse = list(zip(numbers[::2], numbers[1::2], strict=True))

    def _sparse_map_in_data(self) -> Iterator[int]:
        """Format 1.0: decimal numbers on lines of their own, padded to a block."""
        pending = b""

        def line() -> int:
            nonlocal pending
            while b"\n" not in pending:
                if self._left < BLOCK or len(pending) > 2 * BLOCK:
                    raise ArchiveError("the tar has a malformed sparse file")
                pending += self._exactly(BLOCK)
                self._left -= BLOCK
            text, _, pending = pending.partition(b"\n")
            return _decimal(text, 0)

        count = line()
        if count > _MAX_SPARSE:
            raise ArchiveError("the tar has a sparse file in too many pieces")
        for _ in range(2 * count):
            yield line()


def _parse(block: bytes) -> Member:
    (
        name, mode, uid, gid, size, mtime, checksum, kind, target,
        magic, version, _user, _group, major, minor, prefix, _rest,
    ) = _FIELDS.unpack(block)  # fmt: skip
    expected = _number(checksum)
    actual = sum(block) - sum(checksum) + 8 * 32
    if actual != expected:
        signed = actual - 256 * sum(1 for b in block[:148] + block[156:] if b > 127)
        if signed != expected:
            raise ArchiveError("this is not a tar, or a damaged one (wrong header checksum)")
    name = name.partition(b"\0")[0]
    modern = magic == b"ustar\0"
    if modern:
        if block[508:] == b"tar\0":  # Schilling's star
            prefix = prefix[:131]
        prefix = prefix.partition(b"\0")[0]
        if prefix:
            name = prefix + b"/" + name
    length = _number(size)
    if length < 0:
        raise ArchiveError("the tar has a member of negative size")
    member = Member(
        name,
        kind,
        _number(mode) & 0o7777,
        _number(uid),
        _number(gid),
        length,
        _number(mtime) * 1_000_000_000,
        target.partition(b"\0")[0],
        stored=length,
    )
    if kind in b"34" and (modern or (magic == b"ustar " and version == b" \0")):
        member.major, member.minor = _number(major), _number(minor)
    if kind == b"\0":
        member.type = DIRECTORY if name.endswith(b"/") else REGULAR
    return member


def _normal(member: Member) -> Member:
    """Fold the kinds of regular files into one, and check a sparse map."""
    if member.type in (b"7", b"S"):
        member.type = REGULAR
    if member.type != REGULAR:
        member.size = member.stored = 0
        member.sparse = None
    if member.sparse is not None:
        if member.size < 0:
            raise ArchiveError("the tar has a malformed sparse file")
        end = total = 0
        for offset, length in member.sparse:
            if offset < end or length < 0 or offset + length > member.size:
                raise ArchiveError("the tar has a malformed sparse file")
            end = offset + length
            total += length
        if total != member.stored:
            raise ArchiveError("the tar has a malformed sparse file")
    return member


def _number(field: bytes) -> int:
    """A numeric header field: octal digits, or base 256 with the first bit set (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        if field[0] & 0x40:
            return value - (1 << bits)
        return value - (1 << (bits - 1))
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise ArchiveError("this is not a tar, or a damaged one (malformed number in a header)")


def _decimal(text: bytes | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit() or len(text) > 20:
        raise ArchiveError("the tar has a malformed number in a pax header")
    return int(text)


def _time(text: bytes) -> int:
    """Nanoseconds of a pax time, ``-1234.5678``."""
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    whole = whole.removeprefix(b"-")
    if not whole.isdigit() or len(whole) > 20 or (fraction and not fraction.isdigit()):
        raise ArchiveError("the tar has a malformed time in a pax header")
    nanoseconds = int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    return -nanoseconds if negative else nanoseconds


def _pax_records(data: bytes) -> list[tuple[bytes, bytes]]:
    records = []
    position = 0
    while position < len(data):
        length, space, _ = data[position : position + 12].partition(b" ")
        size = int(length) if length.isdigit() and space else 0
        record = data[position : position + size]
        key, equals, value = record[len(length) + 1 : -1].partition(b"=")
        if not size or len(record) != size or record[-1:] != b"\n" or not key or not equals:
            raise ArchiveError("the tar has a malformed pax header")
        records.append((key, value))
        position += size
    return records
