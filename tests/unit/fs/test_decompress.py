from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import ArchiveError
from jettison.fs import decompress
from jettison.fs.decompress import detect, open_decompressed

TEXT = bytes(random.Random(2).choices(b"abcdefgh \n", k=700_000))
Pack = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACKERS: dict[str, Pack] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
PACKERS["zstd"] = zstd
each_format = pytest.mark.parametrize("name", PACKERS)


def unpack(data: bytes, size: int = 100_000, **bounds: int) -> bytes:
    reader = open_decompressed(Dribble(data), **bounds)
    return b"".join(iter(lambda: reader.read(size), b""))


class Dribble(io.BytesIO):
    """Gives fewer bytes than it is asked for, as sockets do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 5000) if size is None or size >= 0 else 5000)


@each_format
def test_formats_are_told_by_content(name: str) -> None:
    packed = PACKERS[name](TEXT)
    assert detect(packed[:10]) == name
    assert unpack(packed) == TEXT


@each_format
@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_reads_of_any_size(name: str, size: int) -> None:
    assert unpack(PACKERS[name](TEXT[:5000]), size) == TEXT[:5000]


@each_format
def test_nothing_compressed_is_nothing(name: str) -> None:
    assert unpack(PACKERS[name](b"")) == b""


@each_format
def test_concatenated_streams_are_one(name: str) -> None:
    pack = PACKERS[name]
    assert unpack(pack(TEXT) + pack(b"") + pack(b"more")) == TEXT + b"more"


@each_format
@pytest.mark.parametrize("missing", [1, 7, 1000])
def test_a_truncated_stream_is_an_error(name: str, missing: int) -> None:
    packed = PACKERS[name](TEXT)
    with pytest.raises(ArchiveError, match=f"the {name} stream is truncated"):
        unpack(packed[:-missing])


@each_format
def test_a_damaged_stream_is_an_error(name: str) -> None:
    packed = bytearray(PACKERS[name](TEXT))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(ArchiveError, match=r"damaged|truncated"):
        unpack(bytes(packed))


@each_format
def test_garbage_after_the_stream_is_an_error(name: str) -> None:
    with pytest.raises(ArchiveError):
        unpack(PACKERS[name](TEXT) + b"and more")


@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_zeros_after_the_stream_are_padding(name: str) -> None:
    assert unpack(PACKERS[name](TEXT) + bytes(512)) == TEXT


def test_zstd_frames_may_be_skippable() -> None:
    skippable = b"\x5e\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    assert unpack(skippable + zstd(b"one") + skippable + zstd(b"two")) == b"onetwo"


def test_zstd_of_every_header_form_is_followed_to_its_end() -> None:
    for size in (0, 1, 255, 256, 70_000):
        for kind in (
            zstandard.ZstdCompressor(),
            zstandard.ZstdCompressor(write_content_size=False, write_checksum=True),
            zstandard.ZstdCompressor(level=19, threads=1),
        ):
            unit = kind.compressobj()
            packed = unit.compress(TEXT[:size]) + unit.flush()
            assert unpack(packed) == TEXT[:size]
            with pytest.raises(ArchiveError):
                unpack(packed[:-1])


@pytest.mark.parametrize("data", [b"", b"x", b"plain text, no more", TEXT])
def test_what_is_not_compressed_passes(data: bytes) -> None:
    assert unpack(data) == data


def test_a_gzip_header_alone_is_truncated() -> None:
    with pytest.raises(ArchiveError, match="truncated"):
        unpack(b"\x1f\x8b\x08")


@each_format
def test_the_number_of_bytes_can_be_bounded(name: str) -> None:
    packed = PACKERS[name](TEXT)
    assert unpack(packed, max_bytes=len(TEXT)) == TEXT
    with pytest.raises(ArchiveError, match="more than the 699999 bytes allowed"):
        unpack(packed, max_bytes=len(TEXT) - 1)


@each_format
def test_a_bomb_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "RATIO_FLOOR", 1 << 20)
    packed = PACKERS[name](bytes(64 << 20))
    with pytest.raises(ArchiveError, match="expands more than 100-fold"):
        unpack(packed, max_ratio=100)


def test_errors_of_the_source_pass_through() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise TimeoutError("the registry stalls")

    with pytest.raises(TimeoutError):
        open_decompressed(Broken())


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"]),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes, magic: bytes) -> None:
    try:
        result = unpack(magic + data)
    except ArchiveError:
        assert magic or detect(data) != "plain"
    else:
        assert magic or result == data or detect(data) != "plain"
