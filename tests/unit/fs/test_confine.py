from __future__ import annotations

import os
from pathlib import Path

import pytest

from jettison.errors import ArchiveError, PathError
from jettison.fs.confine import Root, clean, resolve_beneath
from tests.unit.fs.layertrees import make, make_deep


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b", "a/b"), ("/a//b/", "a/b"), ("./a/./b", "a/b"), ("a/../b", "b"),
        ("../../etc", "etc"), ("/../..", ""), (".", ""), ("", ""),
        ("/", ""), ("a/..", ""), ("...", "..."), ("..a/b", "..a/b"),
    ],
)  # fmt: skip
def test_names_are_taken_as_if_from_the_root(name: str, expected: str) -> None:
    # Go's path.Clean("/" + name), without the leading slash
    assert clean(name.encode()) == expected.encode()


TREE: dict[str, str | None] = {
    "real/sub": None,
    "link": "-> real",
    "abs": "-> /real/sub",
    "up": "-> ../../../../real",
    "chain": "-> link/sub",
    "dangling": "-> nowhere/below",
    "loop": "-> loop",
    "ping": "-> pong",
    "pong": "-> ping/x",
    "file": "x",
    "self": "-> .",
    "root": "-> /",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""), ("real", "real"), ("link", "real"), ("link/sub", "real/sub"), ("abs", "real/sub"),
        ("up/sub", "real/sub"), ("chain", "real/sub"), ("self/self/link", "real"),
        ("root/root/real", "real"), ("missing", None), ("dangling", None), ("real/sub/x", None),
    ],
)  # fmt: skip
def test_links_are_followed_inside(tmp_path: Path, path: str, expected: str | None) -> None:
    root = Root(str(make(tmp_path / "root", TREE)))
    found = root.directory(path.encode(), None)
    assert found == (None if expected is None else expected.encode())


def test_missing_directories_are_made_where_links_lead(tmp_path: Path) -> None:
    root = Root(str(make(tmp_path / "root", TREE)))
    made = []

    def mkdir(path: bytes) -> None:
        os.mkdir(root.host(path))
        made.append(path)

    assert root.directory(b"dangling/x", mkdir) == b"nowhere/below/x"
    assert made == [b"nowhere", b"nowhere/below", b"nowhere/below/x"]


@pytest.mark.parametrize("path", ["loop", "ping", "loop/x"])
def test_loops_are_errors(tmp_path: Path, path: str) -> None:
    root = Root(str(make(tmp_path / "root", TREE)))
    with pytest.raises(ArchiveError, match="too many symbolic links"):
        root.directory(path.encode(), None)


def test_a_file_on_the_way_is_an_error(tmp_path: Path) -> None:
    root = Root(str(make(tmp_path / "root", TREE)))
    with pytest.raises(ArchiveError, match="'file' is not a directory"):
        root.directory(b"file/x", None)


def test_a_removed_directory_is_looked_at_again(tmp_path: Path) -> None:
    root = Root(str(make(tmp_path / "root", {"a/b/c": None, "a/f": "x", "other": None})))
    assert root.directory(b"a/b/c", None) == b"a/b/c"
    assert list(root.remove(b"a")) == [b"a/b/c", b"a/b", b"a"]
    os.symlink("other", tmp_path / "root/a")
    assert root.directory(b"a", None) == b"other"


def test_a_removed_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    root = Root(str(make(tmp_path / "root", {"link": "-> ../outside"})))
    make(tmp_path / "outside", {"f": "x"})
    assert list(root.remove(b"link")) == []
    assert (tmp_path / "outside/f").exists()


def test_removing_a_tree_deeper_than_the_interpreters_stack(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    make_deep(tmp_path, 1200)
    assert sum(1 for _ in root.remove(b"d")) == 1200


def test_resolve_beneath(tmp_path: Path) -> None:
    root = make(tmp_path / "root", TREE)
    make(tmp_path / "outside", {"f": "x"})
    os.symlink(tmp_path / "outside", root / "out")
    assert resolve_beneath(str(root), "link/sub") == str(root / "real/sub")
    assert resolve_beneath(str(root), "../..") == str(root)
    for path in ("missing", "out", "file", "file/x"):
        with pytest.raises(PathError):
            resolve_beneath(str(root), path)
