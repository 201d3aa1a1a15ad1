"""Reading streams that may be compressed: plain, gzip, bzip2, xz or zstd, told by content.

A reader never holds more than a few buffers, checks what the format lets it check (checksums,
that the stream ends where it says), and can be bounded against decompression bombs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, Literal, Protocol, Self, cast

from jettison.errors import ArchiveError

Format = Literal["plain", "gzip", "bzip2", "xz", "zstd"]

CHUNK = 256 << 10
RATIO_FLOOR = 64 << 20
"""Bytes that may come out before the ratio is looked at: small inputs may well be all zeros."""

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_FIRST = 4 << 10
_NOT_ZERO = re.compile(rb"[^\0]")
_XZ_MEMORY = 130 << 20  # twice what `xz -9` needs
_ZSTD_WINDOW = 128 << 20


class Readable(Protocol):
    """Anything bytes are read from: at most ``size`` of them, none only at the end."""

    def read(self, size: int, /) -> bytes: ...


class _Unit(Protocol):
    """A decompressor of one gzip member, xz stream or bzip2 stream (as in bz2 and lzma)."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def detect(head: bytes) -> Format:
    """What a stream that begins with ``head`` (10 bytes are enough) is compressed with.

    The magic numbers are moby's (go-archive, compression.Detect); a zstd stream may begin with a
    skippable frame (RFC 8878 section 3.1.2).
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return "zstd"
    return "plain"


def open_decompressed(
    source: Readable, *, max_bytes: int | None = None, max_ratio: int | None = None
) -> Reader:
    """A stream of what ``source`` holds, decompressed if it is compressed.

    ``max_bytes`` bounds what comes out; ``max_ratio`` bounds it by what went in, once more than
    RATIO_FLOOR has come out. Raises ArchiveError, from here or from reads, for a damaged or
    truncated stream or one that exceeds its bounds; errors of ``source`` pass through.
    """
    counted = _Counted(source)
    head = counted.read(CHUNK)
    while 0 < len(head) < 10:
        more = counted.read(CHUNK)
        if not more:
            break
        head += more
    counted.unread(head)
    kind = detect(head)
    read = counted.read if kind == "plain" else _decoder(kind, counted)
    return Reader(kind, counted, read, max_bytes, max_ratio)


class Reader:
    """A bounded reader of a decompressed stream; made by open_decompressed."""

    def __init__(
        self,
        kind: Format,
        source: _Counted,
        read: Callable[[int], bytes],
        max_bytes: int | None,
        max_ratio: int | None,
    ) -> None:
        self.kind = kind
        self.total = 0
        """Bytes that have come out so far."""
        self._source = source
        self._read = read
        self._max_bytes = max_bytes
        self._max_ratio = max_ratio

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; all that is left if it is negative; none only at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        if size == 0:
            return b""
        try:
            data = self._read(size)
        except Exception as error:
            if not _is_format_error(error):
                raise
            raise ArchiveError(f"the {self.kind} stream is damaged: {error}") from None
        self.total += len(data)
        self._check()
        return data

    def _check(self) -> None:
        if self._max_bytes is not None and self.total > self._max_bytes:
            raise ArchiveError(f"the stream holds more than the {self._max_bytes} bytes allowed")
        if (
            self._max_ratio is not None
            and self.total > RATIO_FLOOR
            and self.total > self._source.total * self._max_ratio
        ):
            raise ArchiveError(
                f"the {self.kind} stream expands more than {self._max_ratio}-fold",
                hint="it looks like a decompression bomb",
            )

    def close(self) -> None:
        """Nothing to release; the source belongs to the caller."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Counted:
    """Counts what is read from a source, and can take its beginning back once."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head = b""
        self.total = 0

    def unread(self, head: bytes) -> None:
        self._head = head

    def read(self, size: int, /) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        data = self._source.read(size)
        self.total += len(data)
        return data


def _decoder(kind: Format, source: Readable) -> Callable[[int], bytes]:
    if kind == "zstd":
        return _zstd(source)
    units = {"gzip": _gzip_unit, "bzip2": _bzip2_unit, "xz": _xz_unit}[kind]
    return _Units(kind, source, units).read


class _Units:
    """Concatenated units (pigz, estargz and pbzip2 write many), with zeros allowed between."""

    def __init__(self, kind: Format, source: Readable, new: Callable[[], _Unit]) -> None:
        self._kind = kind
        self._source = source
        self._new = new
        self._unit: _Unit | None = None
        self._buffer = b""
        self._position = 0
        self._step = _FIRST

    def read(self, size: int) -> bytes:
        while True:
            if self._unit is None:
                if not self._begins():
                    return b""
                self._unit, self._step = self._new(), _FIRST
            out = self._unit.decompress(self._input() if self._unit.needs_input else b"", size)
            if self._unit.eof:
                self._position -= len(self._unit.unused_data)
                self._unit = None
            if out:
                return out

    def _input(self) -> bytes:
        """Some input for the unit: little at first, since the rest of it is copied at its end."""
        if not self._fill():
            raise ArchiveError(f"the {self._kind} stream is truncated")
        data = self._buffer[self._position : self._position + self._step]
        self._position += len(data)
        self._step = CHUNK
        return data

    def _begins(self) -> bool:
        """Whether there is another unit, after zeros perhaps."""
        while self._fill():
            if self._kind == "bzip2":
                return True
            found = _NOT_ZERO.search(self._buffer, self._position)
            self._position = found.start() if found else len(self._buffer)
            if found:
                return True
        return False

    def _fill(self) -> bool:
        if self._position == len(self._buffer):
            self._buffer, self._position = self._source.read(CHUNK), 0
        return bool(self._buffer)


def _gzip_unit() -> _Unit:
    try:
        from isal import igzip_lib
    except ImportError:
        return _Zlib()
    unit: _Unit = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return unit


def _bzip2_unit() -> _Unit:
    import bz2

    return bz2.BZ2Decompressor()


def _xz_unit() -> _Unit:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


class _Zlib:
    """zlib's decompressor with the interface of bz2's, where isal is not to be had."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _zstd(source: Readable) -> Callable[[int], bytes]:
    import zstandard

    frames = _ZstdFrames(source)
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    reader = context.stream_reader(
        cast("IO[bytes]", frames), read_size=CHUNK, read_across_frames=True
    )

    def read(size: int) -> bytes:
        data = reader.read(size)
        if not data and not frames.complete:
            raise ArchiveError("the zstd stream is truncated")
        return data

    return read


class _ZstdFrames:
    """Passes a zstd stream on and follows its frames (RFC 8878 section 3.1).

    The library does not tell a truncated stream from a whole one; the frame and block headers do.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head = bytearray()
        self._skip = 0
        self._want = 4
        self._parse: Callable[[bytes], None] = self._magic
        self._checksum = 0

    @property
    def complete(self) -> bool:
        """Whether what was passed on so far ends with a frame."""
        return self._parse == self._magic and not self._head and not self._skip

    def read(self, size: int = CHUNK) -> bytes:
        data = self._source.read(size)
        position = 0
        while position < len(data):
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
            else:
                step = min(self._want - len(self._head), len(data) - position)
                self._head += data[position : position + step]
                if len(self._head) == self._want:
                    head, self._head = bytes(self._head), bytearray()
                    self._parse(head)
            position += step
        return data

    def _expect(self, want: int, parse: Callable[[bytes], None]) -> None:
        self._want, self._parse = want, parse

    def _magic(self, head: bytes) -> None:
        if head[1:] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
            self._expect(4, self._skippable)
        elif head == b"\x28\xb5\x2f\xfd":
            self._expect(1, self._descriptor)
        else:
            raise ArchiveError("the zstd stream is followed by something else")

    def _skippable(self, head: bytes) -> None:
        self._skip = int.from_bytes(head, "little")
        self._expect(4, self._magic)

    def _descriptor(self, head: bytes) -> None:
        flags = head[0]
        single = flags >> 5 & 1
        self._checksum = 4 if flags & 4 else 0
        self._skip = (
            (1 - single) + (0, 1, 2, 4)[flags & 3] + ((1 if single else 0), 2, 4, 8)[flags >> 6]
        )
        self._expect(3, self._block)

    def _block(self, head: bytes) -> None:
        value = int.from_bytes(head, "little")
        last, kind, size = value & 1, value >> 1 & 3, value >> 3
        self._skip = 1 if kind == 1 else size
        if last:
            self._skip += self._checksum
            self._expect(4, self._magic)


def _is_format_error(error: Exception) -> bool:
    """Whether a decompressor says that its input is wrong (their exceptions share no base)."""
    if isinstance(error, ArchiveError):
        return False
    if isinstance(error, EOFError):
        return True
    module, name = type(error).__module__.partition(".")[0], type(error).__name__
    if module in ("igzip_lib", "isal", "zlib", "_lzma", "lzma", "zstandard"):
        return True
    # bz2 says OSError or ValueError without an errno, unlike anything a file would raise.
    return name in ("OSError", "ValueError") and getattr(error, "errno", None) is None
