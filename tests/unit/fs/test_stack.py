from __future__ import annotations

from pathlib import Path

import pytest

from jettison.errors import PathError
from jettison.fs.stack import Stack
from tests.unit.fs.trees import make, opaque, show, whiteout


def test_no_layers() -> None:
    stack = Stack([])
    root = stack.lstat("/")
    assert root is not None
    assert (root.is_dir, root.mode, root.uid, root.mtime_ns) == (True, 0o755, 0, 0)
    assert stack.children("/") == []
    assert stack.lstat("/etc/passwd") is None
    assert stack.read_bytes("/etc/passwd", 10) is None


def test_missing_layer(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="is missing"):
        Stack([str(tmp_path / "gone")])


def test_upper_layers_win(tmp_path: Path) -> None:
    low = make(tmp_path / "1", {"d/a": "1", "d/b": "1", "f": "1", "sub/x/y": "1"})
    high = make(tmp_path / "2", {"d/a": "2", "d/c": "2", "sub/x/z": "2"})
    (high / "d").chmod(0o700)
    assert show(Stack([str(low), str(high)]), owner=False) == [
        "/d: dir 0700",
        "/d/a: file 0644 2",
        "/d/b: file 0644 1",
        "/d/c: file 0644 2",
        "/f: file 0644 1",
        "/sub: dir 0755",
        "/sub/x: dir 0755",
        "/sub/x/y: file 0644 1",
        "/sub/x/z: file 0644 2",
    ]


@pytest.mark.root
def test_whiteouts_and_opaque_directories(tmp_path: Path) -> None:
    low = make(
        tmp_path / "1", {"gone/f": "1", "o/old": "1", "o/keep/x": "1", "t/in": "1", "f": "1"}
    )
    mid = make(tmp_path / "2", {"o/new": "2", "t": "now a file"})
    whiteout(mid / "gone")
    whiteout(mid / "f")
    opaque(mid / "o")
    high = make(tmp_path / "3", {"gone/g": "3", "t/fresh": "3", "o/keep/z": "3"})
    stack = Stack([str(p) for p in (low, mid, high)])
    assert show(stack, owner=False) == [
        "/gone: dir 0755",
        "/gone/g: file 0644 3",
        "/o: dir 0755",
        "/o/keep: dir 0755",
        "/o/keep/z: file 0644 3",
        "/o/new: file 0644 2",
        "/t: dir 0755",
        "/t/fresh: file 0644 3",
    ]
    assert stack.lstat("/f") is None
    assert stack.lstat("/o/old") is None
    assert stack.lstat("/gone/f") is None
    assert stack.lstat("/t/in") is None
    assert stack.lstat("/o/keep/x") is None
    assert stack.lstat("/gone/g") is not None


@pytest.mark.root
def test_opaque_layer_root(tmp_path: Path) -> None:
    low = make(tmp_path / "1", {"a": "1"})
    high = make(tmp_path / "2", {"b": "2"})
    opaque(high)
    assert show(Stack([str(low), str(high)]), owner=False) == ["/b: file 0644 2"]


def test_links_are_not_entered(tmp_path: Path) -> None:
    stack = Stack([str(make(tmp_path / "1", {"d/f": "1", "l": "-> d", "etc": "-> /etc"}))])
    assert stack.lstat("/l/f") is None
    assert stack.lstat("/etc/passwd") is None
    assert stack.children("/l") == []
    assert stack.lstat("/d/f/g") is None


def test_odd_names(tmp_path: Path) -> None:
    stack = Stack([str(make(tmp_path / "1", {"\udcff": "raw", "new\nline": "n"}))])
    assert [e.name for e in stack.children("/")] == ["new\nline", "\udcff"]
    assert stack.lstat("/nul\0byte") is None
    with pytest.raises(PathError, match="too long"):
        stack.lstat("/" + "x" * 300)


def test_read_bytes(tmp_path: Path) -> None:
    stack = Stack([str(make(tmp_path / "1", {"etc/real": "text", "etc/l": "-> /etc/real"}))])
    assert stack.read_bytes("/etc/l", 4) == b"text"
    assert stack.read_bytes("/etc", 4) is None
    with pytest.raises(PathError, match="more than 3 bytes"):
        stack.read_bytes("/etc/l", 3)
