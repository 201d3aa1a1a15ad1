from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from jettison.errors import ArchiveError, PathError
from jettison.fs.below import Below
from jettison.fs.tarformat import Member, header_bytes
from jettison.fs.tarwrite import TarWriter, write_layer, write_tree
from tests.unit.fs.layertrees import DirTree, lines, make, make_deep, opaque

root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def layer(upper: Path, below: Below | None = None, clamp: int | None = None) -> bytes:
    out = io.BytesIO()
    write_layer(str(upper), out, below=below, clamp_mtime=clamp)
    return out.getvalue()


def listing(data: bytes) -> list[str]:
    """The members as Python's tarfile reads them."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        for info in archive:
            kind = {
                tarfile.DIRTYPE: "dir", tarfile.REGTYPE: "file", tarfile.SYMTYPE: "link",
                tarfile.LNKTYPE: "hard", tarfile.FIFOTYPE: "fifo", tarfile.CHRTYPE: "char",
            }[info.type]  # fmt: skip
            words = [f"{info.name}: {kind} {info.mode:04o} {info.uid}:{info.gid} @{info.mtime:g}"]
            if info.isreg():
                file = archive.extractfile(info)
                assert file is not None
                words.append(file.read().decode())
            if info.linkname:
                words.append(f"-> {info.linkname}")
            if info.ischr():
                words.append(f"{info.devmajor},{info.devminor}")
            found.append(" ".join(words).rstrip())
    return found


def test_everything_of_a_first_layer(tmp_path: Path) -> None:
    upper = make(
        tmp_path / "upper",
        {
            "etc/passwd": "root",
            "bin/a": "program",
            "bin/b": "= bin/a",
            "usr": None,
            "lib": "-> usr/lib",
            "bin.x": "sorts after bin",
        },
    )
    os.chmod(upper / "bin/a", 0o4755)
    os.utime(upper / "bin/a", ns=(0, 5_999_999_999))
    os.mkfifo(upper / "pipe", 0o600)
    os.utime(upper / "pipe", (7, 7))
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(upper / "socket"))
    assert listing(layer(upper)) == [
        "bin: dir 0755 0:0 @1000",
        "bin/a: file 4755 0:0 @5 program",  # whole seconds, rounded down
        "bin/b: hard 4755 0:0 @5 -> bin/a",
        "bin.x: file 0644 0:0 @1000 sorts after bin",
        "etc: dir 0755 0:0 @1000",
        "etc/passwd: file 0644 0:0 @1000 root",
        "lib: link 0777 0:0 @1000 -> usr/lib",
        "pipe: fifo 0600 0:0 @7",
        "usr: dir 0755 0:0 @1000",
    ]


def test_the_bytes_are_plain_ustar(tmp_path: Path) -> None:
    data = layer(make(tmp_path / "upper", {"f": "hello"}))
    # POSIX.1-2017 pax, "ustar Header Block": offsets 0, 100, 108, 116, 124, 136, 148, 156, 257
    assert data[:16] == b"f" + bytes(15)
    assert data[100:148] == b"0000644\x000000000\x000000000\x0000000000005\x0000000001750\x00"
    assert data[156:157] + data[257:265] == b"0ustar\x0000"
    assert data[512:1024] == b"hello" + bytes(507)
    assert data[1024:] == bytes(1024)


@root
def test_only_the_capabilities_among_attributes_are_kept(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {"ping": "p"})
    capability = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw=ep
    os.setxattr(upper / "ping", "security.capability", capability)
    os.setxattr(upper / "ping", "user.note", b"n")
    with tarfile.open(fileobj=io.BytesIO(layer(upper))) as archive:
        headers = archive.getmember("ping").pax_headers
    assert list(headers) == ["SCHILY.xattr.security.capability"]
    assert (
        headers["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape") == capability
    )


@pytest.mark.parametrize(
    "name",
    [
        "é", "a\nb", "x\udcff", " ", "-rf", "\\", "n" * 255, "d/" * 60 + "f",
        "d" * 90 + "/" + "f" * 100,
        "d" * 90 + "/" + "e" * 90 + "/" + "f" * 101, "é" * 100,
    ],
)  # fmt: skip
def test_odd_names(tmp_path: Path, name: str) -> None:
    upper = make(tmp_path / "upper", {name: "x"})
    (upper / "target").symlink_to(name)
    data = layer(upper)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        assert name in archive.getnames()
        assert archive.getmember("target").linkname == name
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", "-", "-C", tmp_path / "out"], input=data, check=True)
    assert lines(tmp_path / "out") == lines(upper)


@root
def test_large_owners_and_old_times_go_into_a_pax_header(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {"f": "x", "g": "y"})
    os.chown(upper / "f", 2**21, 4_000_000_000)
    os.utime(upper / "f", ns=(0, -1_500_000_000))
    os.chown(upper / "g", 2**21 - 1, 2**21 - 1)
    data = layer(upper)
    assert listing(data) == [
        "f: file 0644 2097152:4000000000 @-2 x",
        "g: file 0644 2097151:2097151 @1000 y",
    ]
    assert data.count(b"PaxHeaders.0/") == 1


def test_a_size_beyond_8_gib_goes_into_a_pax_header() -> None:
    header = header_bytes(Member(b"big", size=1 << 33))
    assert b"19 size=8589934592\n" in header
    info = tarfile.TarInfo.frombuf(
        header_bytes(Member(b"big", size=(1 << 33) - 1)), "utf-8", "strict"
    )
    assert info.size == (1 << 33) - 1


def test_pax_records_count_their_own_length() -> None:
    for size in (*range(80, 120), *range(970, 1010)):
        header = header_bytes(Member(b"\xc3\xa9" * size))
        with tarfile.open(fileobj=io.BytesIO(header + bytes(1024))) as archive:
            assert archive.getnames() == ["é" * size]


def test_sparse_files_have_their_real_size(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {"f": ""})
    with open(upper / "f", "r+b") as file:
        file.truncate(3_000_000)
        file.seek(2_000_000)
        file.write(b"x")
    with tarfile.open(fileobj=io.BytesIO(layer(upper))) as archive:
        file_in = archive.extractfile("f")
        assert file_in is not None
        assert file_in.read() == bytes(2_000_000) + b"x" + bytes(999_999)


@root
def test_whiteouts_of_what_is_below(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"etc/gone": "x", "etc/kept": "y", "dir/f": ""})
    upper = make(
        tmp_path / "upper",
        {"etc/gone": "whiteout", "etc/never": "whiteout", "dir": "whiteout", "new/x": "whiteout"},
        mtime=2000,
    )
    assert listing(layer(upper, DirTree(below))) == [
        ".wh.dir: file 0000 0:0 @0",
        "etc: dir 0755 0:0 @2000",
        "etc/.wh.gone: file 0000 0:0 @0",
        "new: dir 0755 0:0 @2000",
    ]
    assert listing(layer(upper)) == [
        "etc: dir 0755 0:0 @2000",
        "new: dir 0755 0:0 @2000",
    ]


@root
def test_opaque_directories(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"a/same/old": "x", "a/x": "x", "file": "x"})
    files = {"a/+": "first", "a/same/new": "n", "a/x": "whiteout", "file/f": "", "b/f": ""}
    upper = make(tmp_path / "upper", dict(files))
    for name in ("a", "a/same", "file", "b"):
        opaque(upper / name)
    assert listing(layer(upper, DirTree(below))) == [
        "a: dir 0755 0:0 @1000",
        "a/.wh..wh..opq: file 0000 0:0 @0",
        "a/+: file 0644 0:0 @1000 first",
        "a/same: dir 0755 0:0 @1000",
        "a/same/new: file 0644 0:0 @1000 n",
        "b: dir 0755 0:0 @1000",  # nothing below to hide: no mark
        "b/f: file 0644 0:0 @1000",
        "file: dir 0755 0:0 @1000",
        "file/f: file 0644 0:0 @1000",
    ]


def test_unchanged_directories_are_written_only_as_parents(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"a/b/c/f": "x", "same/dir": None, "mode": None})
    upper = make(
        tmp_path / "upper", {"a/b/c/new": "n", "same/dir": None, "mode/sub": None}, mtime=3000
    )
    os.chmod(upper / "mode", 0o700)
    assert listing(layer(upper, DirTree(below))) == [
        "a: dir 0755 0:0 @3000",
        "a/b: dir 0755 0:0 @3000",
        "a/b/c: dir 0755 0:0 @3000",
        "a/b/c/new: file 0644 0:0 @3000 n",
        "mode: dir 0700 0:0 @3000",
        "mode/sub: dir 0755 0:0 @3000",
    ]


def test_a_directory_that_replaces_a_file(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"x": "file", "l": "-> d", "d/f": ""})
    upper = make(tmp_path / "upper", {"x/f": "", "l/f": ""})
    assert [line.partition(":")[0] for line in listing(layer(upper, DirTree(below)))] == [
        "l", "l/f", "x", "x/f",
    ]  # fmt: skip


def test_files_copied_up_but_not_changed_are_left_out(tmp_path: Path) -> None:
    files: dict[str, str | None] = {
        "same": "a", "content": "a", "mode": "a", "time": "a", "link": "-> a", "other": "-> a",
        "linked": "a",
    }  # fmt: skip
    below = make(tmp_path / "below", files)
    upper = make(tmp_path / "upper", files | {"content": "b", "other": "-> b", "name": "= linked"})
    os.chmod(upper / "mode", 0o600)
    os.utime(upper / "time", (1, 1))
    assert listing(layer(upper, DirTree(below))) == [
        "content: file 0644 0:0 @1000 b",
        "linked: file 0644 0:0 @1000 a",
        "mode: file 0600 0:0 @1000 a",
        "name: hard 0644 0:0 @1000 -> linked",
        "other: link 0777 0:0 @1000 -> b",
        "time: file 0644 0:0 @1 a",
    ]


def test_a_file_shared_with_the_layer_below_is_left_out(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"a": "x", "b": "x"})
    upper = make(tmp_path / "upper", {"c": None})
    os.link(below / "a", upper / "a")
    os.link(below / "b", upper / "c/b")
    names = [line.partition(" ")[0] for line in listing(layer(upper, DirTree(below)))]
    assert names == ["c:", "c/b:"]


def test_times_are_clamped(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {"d/new": "n", "old": "o", "link": "-> x"}, mtime=5000)
    os.utime(upper / "old", (10, 10))
    assert listing(layer(upper, clamp=3000)) == [
        "d: dir 0755 0:0 @3000",
        "d/new: file 0644 0:0 @3000 n",
        "link: link 0777 0:0 @3000 -> x",
        "old: file 0644 0:0 @10 o",
    ]


def test_files_called_like_whiteouts_stay_files(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {".wh.etc": "x"})
    assert listing(layer(upper)) == [".wh.etc: file 0644 0:0 @1000 x"]


def test_devices(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {})
    os.mknod(upper / "null", 0o020666, os.makedev(1, 3))
    os.chmod(upper / "null", 0o666)
    os.utime(upper / "null", (9, 9))
    assert listing(layer(upper)) == ["null: char 0666 0:0 @9 1,3"]


def test_a_tree_deeper_than_the_interpreters_stack(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {})
    make_deep(upper, 1200)
    try:
        assert len(listing(layer(upper))) == 1200
    finally:
        subprocess.run(["rm", "-rf", upper], check=True)


@root
@pytest.mark.parametrize(
    ("attribute", "name"), [("trusted.overlay.redirect", "d"), ("trusted.overlay.metacopy", "f")]
)
def test_what_no_layer_can_express_is_refused(tmp_path: Path, attribute: str, name: str) -> None:
    below = make(tmp_path / "below", {"d": None})
    upper = make(tmp_path / "upper", {"d": None, "f": "x"})
    os.setxattr(upper / name, attribute, b"/x")
    with pytest.raises(ArchiveError, match=r"overlayfs|metadata"):
        layer(upper, DirTree(below))


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {"f": "abc"})
    tar = TarWriter(io.BytesIO())
    with pytest.raises(PathError, match="became shorter"):
        tar.add_file(Member(b"f", size=4), os.fsencode(upper / "f"))


def test_a_missing_layer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="No such file"):
        layer(tmp_path / "missing")


@root
def test_a_merged_tree(tmp_path: Path) -> None:
    tree = make(tmp_path / "t", {"b/f": "x", "b/g": "= b/f", "a": "-> b", "b.c": "y"})
    os.setxattr(tree / "b/f", "user.note", b"n")
    os.setxattr(tree / "b", "trusted.overlay.opaque", b"y")
    out = io.BytesIO()
    write_tree(DirTree(tree), out)
    assert listing(out.getvalue()) == [
        "a: link 0777 0:0 @1000 -> b",
        "b: dir 0755 0:0 @1000",
        "b/f: file 0644 0:0 @1000 x",
        "b/g: hard 0644 0:0 @1000 -> b/f",
        "b.c: file 0644 0:0 @1000 y",
    ]
    assert out.getvalue().count(b"SCHILY.xattr.user.note=n") == 1
    assert b"opaque" not in out.getvalue()
    out = io.BytesIO()
    write_tree(DirTree(tree), out, mtime=77)
    assert {line.split("@")[1].split()[0] for line in listing(out.getvalue())} == {"77"}
