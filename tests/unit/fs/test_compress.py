from __future__ import annotations

import gzip
import io
import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import UsageError
from jettison.fs.compress import BLOCK, Compression, Kind, open_writer

LOREM = bytes(random.Random(1).choices(b"abcdefgh \n", k=3 * BLOCK + 17))


def compress(
    data: bytes, compression: Compression, *, threads: int | None = None, step: int = 1 << 30
) -> bytes:
    out = io.BytesIO()
    with open_writer(out, compression, threads=threads) as writer:
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
    return out.getvalue()


@pytest.mark.parametrize("level", [None, *range(10)])
def test_gzip_is_read_by_the_standard_library(level: int | None) -> None:
    assert gzip.decompress(compress(LOREM, Compression("gzip", level))) == LOREM


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_gzip_around_the_edges_of_its_blocks(size: int) -> None:
    assert gzip.decompress(compress(LOREM[:size], Compression())) == LOREM[:size]


@pytest.mark.parametrize("level", [None, 0, 1, 9, 22])
def test_zstd_is_read_by_the_zstd_program(level: int | None) -> None:
    data = LOREM[: BLOCK // 4]
    compressed = compress(data, Compression("zstd", level))
    result = subprocess.run(["zstd", "-dc"], input=compressed, capture_output=True, check=True)
    assert result.stdout == data


def test_uncompressed_is_left_alone() -> None:
    assert compress(LOREM, Compression("uncompressed"), step=1000) == LOREM


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_output_depends_on_neither_threads_nor_the_sizes_of_writes(kind: Kind) -> None:
    outputs = {
        compress(LOREM, Compression(kind), threads=threads, step=step)
        for threads in (1, 2)
        for step in (1000, BLOCK, 1 << 30)
    }
    assert len(outputs) == 1


def test_gzip_header_has_neither_time_nor_name() -> None:
    # RFC 1952: FLG and MTIME zero, OS 255 (unknown)
    assert compress(b"x", Compression())[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_higher_levels_of_gzip_are_not_larger() -> None:
    with open("/bin/bash", "rb") as file:
        data = file.read(2 * BLOCK)
    sizes = [len(compress(data, Compression("gzip", level))) for level in (0, 1, 3, 5, 9)]
    assert sizes == sorted(sizes, reverse=True)


def test_default_gzip_is_not_notably_larger_than_zlib_6() -> None:
    with open("/bin/bash", "rb") as file:
        data = file.read(4 * BLOCK)
    import zlib

    assert len(compress(data, Compression())) < 1.05 * len(zlib.compress(data, 6))


def test_an_error_while_writing_ends_without_a_trailer() -> None:
    out = io.BytesIO()
    with pytest.raises(KeyError), open_writer(out, Compression()) as writer:
        writer.write(LOREM)
        raise KeyError
    with pytest.raises(EOFError):
        gzip.decompress(out.getvalue())


def test_an_error_of_the_output_is_raised() -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), open_writer(Full(), Compression()) as w:
        w.write(LOREM)


@pytest.mark.parametrize(
    ("kind", "level", "message"),
    [
        ("gzip", 10, "compression level 10 is out of range for gzip"),
        ("gzip", -1, "compression level -1 is out of range for gzip"),
        ("zstd", 23, "compression level 23 is out of range for zstd"),
        ("uncompressed", 1, "compression uncompressed has no levels"),
        ("estargz", None, "unknown compression 'estargz'"),
    ],
)
def test_what_is_out_of_range_is_refused(kind: Kind, level: int | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Compression(kind, level)
    assert caught.value.message == message


@given(st.lists(st.binary(max_size=3000), max_size=8))
@settings(max_examples=30, deadline=None)
def test_any_bytes_survive_gzip(parts: list[bytes]) -> None:
    out = io.BytesIO()
    with open_writer(out, Compression("gzip", 1)) as writer:
        for part in parts:
            writer.write(part)
    assert gzip.decompress(out.getvalue()) == b"".join(parts)
