from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import ArchiveError
from jettison.fs.tarread import TarReader
from tests.unit.fs.layertrees import member, tar


def read(data: bytes) -> list[str]:
    """Each member as a line; its data is read to the end."""
    reader = TarReader(io.BytesIO(data))
    found = []
    while (one := reader.next()) is not None:
        content = b"".join(reader.chunks())
        text = content.decode() if len(content) < 40 else "…"
        xattrs = "".join(f" [{k.decode()}={v!r}]" for k, v in one.xattrs.items())
        found.append(
            f"{os.fsdecode(one.name)} {one.type.decode()} {one.mode:04o} {one.uid}:{one.gid} "
            f"{one.size} @{one.mtime_ns / 1e9:g} {os.fsdecode(one.target)}"
            f"{one.major},{one.minor} {text}{xattrs}"
        )
    return found


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_each_format(format: int) -> None:
    data = tar(
        member("dir/", None, mode=0o1777),
        member("dir/file", "hello", uid=7, gid=8, mode=0o4755),
        member("link", "-> dir/file"),
        member("hard", "= dir/file"),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=300),
        member("pipe", type=tarfile.FIFOTYPE),
        format=format,
    )
    assert read(data) == [
        "dir/ 5 1777 0:0 0 @1000 0,0 ",
        "dir/file 0 4755 7:8 5 @1000 0,0 hello",
        "link 2 0644 0:0 0 @1000 dir/file0,0 ",
        "hard 1 0644 0:0 0 @1000 dir/file0,0 ",
        "null 3 0644 0:0 0 @1000 1,3 ",
        "disk 4 0644 0:0 0 @1000 8,300 ",
        "pipe 6 0644 0:0 0 @1000 0,0 ",
    ]


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_ustar_cannot_say(format: int) -> None:
    long = "d/" * 150 + "é" * 40
    data = tar(
        member(long, "x", uid=3_000_000, gid=4_000_000),
        member("link", "-> " + long),
        member("old", "", mtime=-5),
        format=format,
    )
    assert read(data) == [
        f"{long} 0 0644 3000000:4000000 1 @1000 0,0 x",
        f"link 2 0644 0:0 0 @1000 {long}0,0 ",
        "old 0 0644 0:0 0 @-5 0,0 ",
    ]


def test_pax_records() -> None:
    info, data = member("short", "x")
    info.pax_headers = {
        "mtime": "1234.5678",
        "SCHILY.xattr.security.capability": "abc",
        "SCHILY.xattr.user.note": "k=v",
        "comment": "ignored",
    }
    assert read(tar((info, data))) == [
        "short 0 0644 0:0 1 @1234.57 0,0 x [security.capability=b'abc'] [user.note=b'k=v']"
    ]


def test_names_need_not_be_unicode() -> None:
    assert read(tar(member("a\udcff\nb", "x")))[0].startswith("a\udcff\nb 0 ")


@pytest.mark.parametrize(
    "options",
    [
        "--format=gnu",
        "--format=posix --sparse-version=0.0",
        "--format=posix --sparse-version=0.1",
        "--format=posix --sparse-version=1.0",
    ],
)
def test_sparse_files_as_gnu_tar_writes_them(tmp_path: Path, options: str) -> None:
    hole = 1 << 20
    with open(tmp_path / "sparse", "wb") as file:
        for number in range(30):  # more pieces than fit in one header
            file.seek(number * hole)
            file.write(b"%02d" % number)
        file.truncate(30 * hole)
    (tmp_path / "after").write_text("after")
    data = subprocess.run(
        ["tar", "-S", *options.split(), "-cf", "-", "sparse", "after"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    ).stdout
    assert len(data) < hole
    reader = TarReader(io.BytesIO(data))
    sparse = reader.next()
    assert sparse is not None and sparse.sparse is not None
    assert (sparse.name, sparse.size) == (b"sparse", 30 * hole)
    stored = b"".join(reader.chunks())
    pieces = {}
    position = 0
    for offset, length in sparse.sparse:
        pieces[offset] = stored[position : position + 2] if length else b""
        position += length
    assert [pieces[n * hole] for n in range(30)] == [b"%02d" % n for n in range(30)]
    after = reader.next()
    assert after is not None and after.name == b"after"
    assert reader.data() == b"after"


def test_data_that_is_not_read_is_skipped() -> None:
    data = tar(member("a", "x" * 100_000), member("b", "y"))
    reader = TarReader(io.BytesIO(data))
    names = []
    while (one := reader.next()) is not None:
        names.append(one.name)
    assert names == [b"a", b"b"]


def test_the_end_need_not_be_marked() -> None:
    data = tar(member("a", "x"))
    assert read(data[:1024]) == read(data[:600]) == read(data) == ["a 0 0644 0:0 1 @1000 0,0 x"]


def test_an_empty_archive_has_no_members() -> None:
    assert read(b"") == read(bytes(1024)) == read(bytes(512)) == []


def test_a_v7_directory_is_told_by_its_slash() -> None:
    data = bytearray(tar(member("dir", ""))[:512])
    data[:100] = b"dir/".ljust(100, b"\0")
    data[156:157] = b"\0"
    data[257:512] = bytes(255)
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:]) + 256)
    assert read(bytes(data)) == ["dir/ 5 0644 0:0 0 @1000 0,0 "]


ARCHIVE = tar(member("é", "x" * 600), member("b", "y"))


@pytest.mark.parametrize("size", [1, 511, 513, 1024, 1500, 1536 + 511])
def test_a_truncated_archive_is_an_error(size: int) -> None:
    with pytest.raises(ArchiveError, match=r"truncated|ends after an extended header"):
        read(ARCHIVE[:size])


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, b"X", "wrong header checksum"),
        (124, b"9", "malformed number|checksum"),
        (148, b"zzzzzz", "malformed number"),
    ],
)
def test_a_damaged_header_is_an_error(position: int, value: bytes, message: str) -> None:
    data = bytearray(tar(member("a", "x")))
    data[position : position + len(value)] = value
    with pytest.raises(ArchiveError, match=message):
        read(bytes(data))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (b"12 path=abc\n\n", "malformed pax header"),
        (b"path=abc\n", "malformed pax header"),
        (b"99999 path=abc\n", "malformed pax header"),
        (b"12 path=a\0c\n", "NUL"),
        (b"11 size=-1\n", "malformed number"),
        (b"11 uid=0x1\n", "malformed number"),
        (b"13 mtime=1e9\n", "malformed time"),
        (b"21 GNU.sparse.map=1\n\n", "malformed"),
    ],
)
def test_malformed_pax_headers(records: bytes, message: str) -> None:
    header = member("x", records, type=tarfile.XHDTYPE)
    with pytest.raises(ArchiveError, match=message):
        read(tar(header, member("a", "x"), format=tarfile.USTAR_FORMAT))


def test_a_zero_block_between_members_is_an_error() -> None:
    one = tar(member("a", ""))[:512]
    with pytest.raises(ArchiveError, match="zero block"):
        read(one + bytes(512) + one)


def test_a_huge_extended_header_is_refused() -> None:
    header = member("x", b"a" * (1 << 20) + b"b", type=tarfile.XHDTYPE)
    with pytest.raises(ArchiveError, match="more than 1 MiB"):
        read(tar(header, format=tarfile.USTAR_FORMAT))


@given(st.integers(0, len(ARCHIVE) - 1), st.binary(min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_damage_does_more_than_raise(position: int, damage: bytes) -> None:
    data = ARCHIVE[:position] + damage + ARCHIVE[position + len(damage) :]
    reader = TarReader(io.BytesIO(data))
    total = 0
    try:
        while reader.next() is not None:
            total += sum(map(len, reader.chunks()))
    except ArchiveError:
        pass
    assert total <= len(data)
