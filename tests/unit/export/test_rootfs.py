from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from jettison.errors import JettisonError
from jettison.export.rootfs import Root, write_directory, write_trees
from tests.unit.fs.layertrees import DirTree, lines, make

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def test_everything_is_copied_but_owners(tmp_path: Path) -> None:
    tree = make(
        tmp_path / "tree",
        {"bin/a": "program", "bin/b": "= bin/a", "l": "-> bin/a", "m": "= l", "d/sub": None},
    )
    os.chown(tree / "bin/a", 5, 6)
    os.chmod(tree / "bin/a", 0o4755)
    os.setxattr(tree / "bin/a", "user.note", b"n")
    os.mkfifo(tree / "pipe", 0o600)
    os.mknod(tree / "null", 0o020666, os.makedev(1, 3))
    os.utime(tree / "bin", ns=(0, 1_500_000_000))
    for name in ("bin/a", "pipe", "null"):
        os.utime(tree / name, (50, 50))
    os.chmod(tree / "d", 0o500)
    assert write_directory(DirTree(tree), str(tmp_path / "out/dir")) == []
    expected = [line.replace(" 5:6 ", " 0:0 ") for line in lines(tree, mtime=True)]
    assert lines(tmp_path / "out/dir", mtime=True) == expected


def test_what_is_there_is_merged_and_replaced(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", {"keep": "x"})
    tree = make(tmp_path / "tree", {"d/f": "new", "file": "f", "dir/f": "g", "was/f": "h"})
    there = make(
        tmp_path / "there",
        {"d/f": "old", "d/kept": "k", "file/x": "gone", "dir": "a file", "was": f"-> {outside}"},
    )
    write_directory(DirTree(tree), str(there))
    assert lines(there) == [
        "/d: dir 0755 0:0",
        "/d/f: file 0644 0:0 new",
        "/d/kept: file 0644 0:0 k",
        "/dir: dir 0755 0:0",
        "/dir/f: file 0644 0:0 g",
        "/file: file 0644 0:0 f",
        "/was: dir 0755 0:0",
        "/was/f: file 0644 0:0 h",
    ]
    assert lines(outside) == ["/keep: file 0644 0:0 x"]


def test_a_link_in_the_tree_is_not_written_through(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", {"f": "safe"})
    there = make(tmp_path / "there", {"f": f"-> {outside}/f"})
    write_directory(DirTree(make(tmp_path / "tree", {"f": "new"})), str(there))
    assert lines(outside) == ["/f: file 0644 0:0 safe"]
    assert lines(there) == ["/f: file 0644 0:0 new"]


def test_an_epoch_dates_everything(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"d/f": "x", "l": "-> d"})
    write_directory(DirTree(tree), str(tmp_path / "out"), mtime=7)
    assert [line.split("@")[1].split()[0] for line in lines(tmp_path / "out", mtime=True)] == [
        "7", "7", "7",
    ]  # fmt: skip


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    tree = DirTree(make(tmp_path / "tree", {"f": "x"}))
    (tmp_path / "file").write_text("")
    with pytest.raises(JettisonError, match=r"cannot write .*file"):
        write_directory(tree, str(tmp_path / "file"))


def test_trees_of_several_platforms_in_one_tar(tmp_path: Path) -> None:
    one = DirTree(make(tmp_path / "one", {"bin/a": "x", "bin/b": "= bin/a"}))
    two = DirTree(make(tmp_path / "two", {"bin/a": "y"}))
    out = io.BytesIO()
    write_trees([Root("linux_amd64", one, {}), Root("linux_arm64", two, {})], out, mtime=7)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        found = [
            f"{info.name} {info.type.decode()} {info.mtime} {info.linkname}" for info in archive
        ]
    assert found == [
        "linux_amd64 5 7 ",
        "linux_amd64/bin 5 7 ",
        "linux_amd64/bin/a 0 7 ",
        "linux_amd64/bin/b 1 7 linux_amd64/bin/a",
        "linux_arm64 5 7 ",
        "linux_arm64/bin 5 7 ",
        "linux_arm64/bin/a 0 7 ",
    ]
