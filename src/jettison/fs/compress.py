"""Compressing layers: gzip, zstd or not at all, deterministically.

gzip is written in blocks of 1 MiB that are compressed independently, each primed with the 32 KiB
before it, so several threads share the work and the bytes do not depend on how many. Measured on a
Go binary with zoneinfo, /usr/lib and a Python installation (MB/s of one core, size against zlib's
level 6, which is what Go's gzip writer is near):

    level 1  isal 2      450-520  111-112 %
    level 2  isal 3      270-285  110 %
    level 3  zlib-ng 3   120-150  105-106 %
    level 4  zlib-ng 4   100-120  103-104 %
    level 5  zlib-ng 5    90-110  101-103 %   the default
    level 6  zlib-ng 6    70-85   101-103 %
    zlib 6                25-37   100 %
"""

from __future__ import annotations

from collections import deque
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from msgspec import Struct

from jettison.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Kind = Literal["gzip", "zstd", "uncompressed"]

LEVELS: dict[Kind, range] = {"gzip": range(10), "zstd": range(23), "uncompressed": range(0)}
GZIP_LEVEL = 5
ZSTD_LEVEL = 3

BLOCK = 1 << 20
_WINDOW = 32 << 10
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, unknown system
_FINAL = b"\x03\x00"  # an empty last block with fixed codes
_MAX_THREADS = 8


class Writable(Protocol):
    """Anything bytes are written to; takes all of them."""

    def write(self, data: bytes, /) -> object: ...


class Compression(Struct, frozen=True):
    """How layers are compressed; ``level`` None is the default of the kind.

    Raises UsageError for an unknown kind or a level out of range: 0-9 for gzip, 0-22 for zstd
    (BuildKit's ``compression-level``).
    """

    kind: Kind = "gzip"
    level: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in LEVELS:
            known = ", ".join(LEVELS)
            raise UsageError(f"unknown compression {self.kind!r}", hint=f"known are: {known}")
        levels = LEVELS[self.kind]
        if self.level is not None and self.level not in levels:
            if not levels:
                raise UsageError(f"compression {self.kind} has no levels")
            raise UsageError(
                f"compression level {self.level} is out of range for {self.kind}",
                hint=f"levels go from {levels[0]} to {levels[-1]}",
            )


class Compressor(Protocol):
    """A context manager that compresses what is written; a clean exit writes the end."""

    def write(self, data: bytes, /) -> object: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


def open_writer(
    out: Writable, compression: Compression, *, threads: int | None = None
) -> Compressor:
    """A writer that passes what it is given on to ``out``, compressed.

    The bytes depend on the data and on ``compression`` only. ``threads`` bounds the threads used
    beside the caller's (None: one per processor, at most 8). ``out`` is not closed.
    """
    count = _MAX_THREADS if threads is None else threads
    count = max(1, min(count, _processors()))
    if compression.kind == "gzip":
        level = GZIP_LEVEL if compression.level is None else compression.level
        return _Gzip(out, level, count)
    if compression.kind == "zstd":
        level = ZSTD_LEVEL if compression.level is None else compression.level
        return _Zstd(out, level, count)
    return _Plain(out)


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0))


class _Plain:
    def __init__(self, out: Writable) -> None:
        self.write = out.write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to end."""


class _Gzip:
    def __init__(self, out: Writable, level: int, threads: int) -> None:
        self._out = out
        self._codec, self._level = _deflate(level)
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[Future[bytes]] = deque()
        self._buffer = bytearray()
        self._before = b""
        self._crc = 0
        self._size = 0
        out.write(_HEADER)

    def write(self, data: bytes, /) -> None:
        self._crc = self._codec.crc32(data, self._crc)
        self._size += len(data)
        self._buffer += data
        while len(self._buffer) > BLOCK:
            block = bytes(self._buffer[:BLOCK])
            del self._buffer[:BLOCK]
            self._submit(block)

    def _submit(self, block: bytes) -> None:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._threads, "gzip")
        while len(self._running) > self._threads:
            self._out.write(self._running.popleft().result())
        self._running.append(self._pool.submit(self._compress, block, self._before))
        self._before = block[-_WINDOW:]

    def _compress(self, block: bytes, before: bytes) -> bytes:
        codec = self._codec
        if before:
            unit = codec.compressobj(self._level, codec.DEFLATED, -15, zdict=before)
        else:
            unit = codec.compressobj(self._level, codec.DEFLATED, -15)
        data: bytes = unit.compress(block) + unit.flush(codec.Z_SYNC_FLUSH)
        return data

    def _finish(self) -> None:
        while self._running:
            self._out.write(self._running.popleft().result())
        if self._buffer:
            self._out.write(self._compress(bytes(self._buffer), self._before))
        trailer = self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        self._out.write(_FINAL + trailer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)


def _deflate(level: int) -> tuple[ModuleType, int]:
    """The module that compresses at ``level``, and its own level for it."""
    import zlib

    try:
        if level in (1, 2):
            from isal import isal_zlib

            return isal_zlib, level + 1
        from zlib_ng import zlib_ng

        return zlib_ng, level
    except ImportError:
        return zlib, level


class _Zstd:
    def __init__(self, out: Writable, level: int, threads: int) -> None:
        import zstandard

        self._out = out
        # With at least one worker the output does not depend on how many there are.
        compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
        self._unit = compressor.compressobj()

    def write(self, data: bytes, /) -> None:
        compressed = self._unit.compress(data)
        if compressed:
            self._out.write(compressed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        if kind is None:
            self._out.write(self._unit.flush())
