from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from jettison.errors import ArchiveError
from jettison.fs.archive import is_archive, unpack_archive, unpack_context
from jettison.fs.extract import Limits
from tests.unit.fs.layertrees import DirTree, lines, make, member, tar

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
SMALL = tar(member("d/f", "x"))


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def unpack(tmp_path: Path, data: bytes, **options: object) -> list[str]:
    dest = tmp_path / "dest"
    dest.mkdir()
    unpack_archive(write(tmp_path / "archive", data), str(dest), **options)  # type: ignore[arg-type]  # options of any kind
    return lines(dest, mtime=True)


@pytest.mark.parametrize("name", PACKERS)
def test_archives_are_recognised_by_content(tmp_path: Path, name: str) -> None:
    assert is_archive(write(tmp_path / "no-suffix", PACKERS[name](SMALL)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"text" * 1000,
        bytes(10240),  # an empty tar
        gzip.compress(b"not a tar", mtime=0),
        gzip.compress(b"", mtime=0),
        gzip.compress(SMALL, mtime=0)[:30],
        b"\x1f\x8b\x08broken",
        SMALL[:511],
        b"PK\x03\x04" + bytes(600),
    ],
)
def test_anything_else_is_no_archive(tmp_path: Path, data: bytes) -> None:
    assert not is_archive(write(tmp_path / "archive.tar.gz", data))


def test_only_regular_files_are_archives(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", SMALL)
    os.symlink("a.tar", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    assert not is_archive(str(tmp_path / "link"))
    assert not is_archive(str(tmp_path / "pipe"))
    assert not is_archive(str(tmp_path))
    assert not is_archive(str(tmp_path / "missing"))
    with pytest.raises(ArchiveError, match="No such file"):
        unpack_archive(str(tmp_path / "missing"), str(tmp_path))


@pytest.mark.parametrize("name", PACKERS)
def test_any_compression_is_unpacked(tmp_path: Path, name: str) -> None:
    assert unpack(tmp_path, PACKERS[name](SMALL)) == [
        "/d: dir 0755 0:0 @1000",
        "/d/f: file 0644 0:0 @1000 x",
    ]


def test_members_keep_what_they_say(tmp_path: Path) -> None:  # AD-04, AD-15
    data = tar(
        member("d/", None, mode=0o2770, uid=1, gid=2, mtime=3),
        member("d/f", "x", mode=0o4755, uid=1000, gid=2000, mtime=5.25),
        member("hard", "= d/f", mode=0o4755, uid=1000, gid=2000, mtime=5.25),
        member("link", "-> /outside/of/it"),
        member("pipe", type=tarfile.FIFOTYPE),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    )
    assert unpack(tmp_path, data) == [
        "/d: dir 2770 1:2 @3",
        "/d/f: file 4755 1000:2000 @5.25 x",
        "/hard: file 4755 1000:2000 @5.25 x = /d/f",
        "/link: link 0:0 @1000 -> /outside/of/it",
        "/null: char 0644 0:0 @1000 1,3",
        "/pipe: fifo 0644 0:0 @1000",
    ]


def test_names_of_whiteouts_are_ordinary(tmp_path: Path) -> None:  # AD-18
    data = tar(member(".wh.etc", "x"), member("d/.wh..wh..opq", ""))
    assert unpack(tmp_path, data) == [
        "/.wh.etc: file 0644 0:0 @1000 x",
        "/d: dir 0755 0:0 @1000",
        "/d/.wh..wh..opq: file 0644 0:0 @1000",
    ]


def test_members_stay_inside(tmp_path: Path) -> None:  # AD-21; BuildKit's result is recorded
    data = tar(
        member("../../escape", "x"),
        member("/absolute", "x"),
        member("in/../dotted", "x"),
        member("etc", None),
        member("lnk", "-> /etc"),
        member("lnk/through", "x"),
    )
    assert unpack(tmp_path, data) == [
        "/absolute: file 0644 0:0 @1000 x",
        "/dotted: file 0644 0:0 @1000 x",
        "/escape: file 0644 0:0 @1000 x",
        "/etc: dir 0755 0:0 @1000",
        "/etc/through: file 0644 0:0 @1000 x",
        "/lnk: link 0:0 @1000 -> /etc",
    ]


def test_implied_directories_are_told_apart(tmp_path: Path) -> None:
    data = tar(
        member("a/b/f", "x"), member("a/", None, mode=0o700), member("c/", None),
        member("d/x/y", ""), member("d/x", "replaced"),
    )  # fmt: skip
    dest = tmp_path / "dest"
    dest.mkdir()
    result = unpack_archive(write(tmp_path / "t", data), str(dest))
    assert result.implied == {"a/b", "d"}
    assert result.entries == 9  # five members, four directories made for them


def test_hard_links_to_what_the_image_has(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"bin/sh": "shell"})
    data = tar(member("sh", "= bin/sh"))
    assert unpack(tmp_path, data, below=DirTree(below)) == ["/sh: file 0644 0:0 @1000 shell"]


@pytest.mark.parametrize("size", [700, 1500, 5000])
def test_a_truncated_archive_is_an_error(tmp_path: Path, size: int) -> None:  # AD-17
    data = tar(member("f", os.urandom(8000)))
    with pytest.raises(ArchiveError, match="truncated"):
        unpack(tmp_path, data[:size])


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_a_truncated_compressed_archive_is_an_error(tmp_path: Path, name: str) -> None:
    packed = PACKERS[name](tar(member("f", os.urandom(80_000))))
    with pytest.raises(ArchiveError, match="truncated"):
        unpack(tmp_path, packed[: len(packed) // 2])


def test_a_whiteout_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="character device 0:0"):
        unpack(tmp_path, tar(member("etc", type=tarfile.CHRTYPE)))


def test_limits(tmp_path: Path) -> None:
    data = gzip.compress(tar(member("f", bytes(1 << 20))))
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        unpack(tmp_path, data, limits=Limits(max_bytes=1000))


def test_a_context(tmp_path: Path) -> None:
    data = gzip.compress(tar(member("Dockerfile", "FROM scratch"), member("src/f", "x", uid=9)))
    unpack_context(io.BytesIO(data), str(tmp_path))
    assert lines(tmp_path) == [
        "/Dockerfile: file 0644 0:0 FROM scratch",
        "/src: dir 0755 0:0",
        "/src/f: file 0644 0:0 x",
    ]


def test_a_context_whose_owners_count(tmp_path: Path) -> None:
    data = tar(member("src/f", "x", uid=9))
    unpack_context(io.BytesIO(data), str(tmp_path), owners=True)
    assert lines(tmp_path) == ["/src: dir 0755 0:0", "/src/f: file 0644 9:0 x"]


def test_a_context_that_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"truncated|not a tar"):
        unpack_context(io.BytesIO(b"FROM scratch\n"), str(tmp_path))
