"""ADD of unpacked archives (AD-04, AD-05, AD-21, C-16)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jettison.errors import PathError
from jettison.fs.merge import merge_archive
from jettison.fs.stack import Stack
from jettison.fs.tree import Subtree
from jettison.fs.upper import Upper
from tests.unit.fs.trees import make, show

pytestmark = pytest.mark.root


class Adding:
    def __init__(self, tmp_path: Path, base: dict[str, str | None], members: dict[str, str | None]):
        self.base = make(tmp_path / "base", base)
        self.scratch = make(tmp_path / "scratch", members)
        (tmp_path / "upper").mkdir()
        self.upper = Upper(Stack([str(self.base)]), str(tmp_path / "upper"))

    def merge(self, dest: str, chown: tuple[int, int] | None = None, implied: str = "") -> None:
        merge_archive(
            Stack([str(self.scratch)]), self.upper, dest, chown=chown, implied=implied.split()
        )

    def show(self, path: str = "/") -> list[str]:
        merged = show(Stack([str(self.base), self.upper.directory]), path)
        assert merged == show(self.upper, path)
        return merged


def test_over_existing(tmp_path: Path) -> None:
    adding = Adding(
        tmp_path,
        {
            "r/d/f": "old",
            "r/d/keep": "keep",
            "r/d/wasfile": "x",
            "r/real/in": "in",
            "r/target": "tgt",
            "r/waslink": "-> target",
            "r/wasdir/in": "x",
            "r/dirlink": "-> real",
        },
        {
            "d/f": "new",
            "d/wasfile": "-> f",
            "isdir/in": "in",
            "waslink": "new",
            "wasdir": "now a file",
            "dirlink/in": "own",
        },
    )
    (adding.scratch / "d").chmod(0o700)
    os.utime(adding.scratch / "d", (9, 9))
    adding.merge("/r")
    assert adding.show("/r") == [
        "/r/d: dir 0700 0:0",
        "/r/d/f: file 0644 0:0 new",
        "/r/d/keep: file 0644 0:0 keep",
        "/r/d/wasfile: link 0:0 -> f",
        "/r/dirlink: dir 0755 0:0",
        "/r/dirlink/in: file 0644 0:0 own",
        "/r/isdir: dir 0755 0:0",
        "/r/isdir/in: file 0644 0:0 in",
        "/r/real: dir 0755 0:0",
        "/r/real/in: file 0644 0:0 in",
        "/r/target: file 0644 0:0 tgt",
        "/r/wasdir: file 0644 0:0 now a file",
        "/r/waslink: file 0644 0:0 new",
    ]
    assert os.stat(adding.upper.real("/r/d")).st_mtime == 9


def test_destination_is_made_behind_links(tmp_path: Path) -> None:
    adding = Adding(tmp_path, {"real": None, "etc/l": "-> ../real"}, {"f": "x"})
    adding.merge("/etc/l/sub")
    assert adding.show("/real") == ["/real/sub: dir 0755 0:0", "/real/sub/f: file 0644 0:0 x"]


def test_destination_below_a_file(tmp_path: Path) -> None:
    adding = Adding(tmp_path, {"f": "x"}, {"g": "x"})
    with pytest.raises(PathError, match="mkdir /f: not a directory"):
        adding.merge("/f/")


def test_implied_directories(tmp_path: Path) -> None:
    """They change nothing that is there, and links in their place are followed inside dest."""
    adding = Adding(
        tmp_path,
        {"etc": None, "o/have": None, "o/inside": None, "o/l": "-> /inside", "o/up": "-> ../../x"},
        {"have/f": "1", "l/f": "2", "up/f": "3", "new/f": "4"},
    )
    (adding.base / "o/have").chmod(0o711)
    adding.merge("/o", chown=(8, 8), implied="have l up new")
    assert adding.show() == [
        "/etc: dir 0755 0:0",
        "/o: dir 0755 0:0",
        "/o/have: dir 0711 0:0",
        "/o/have/f: file 0644 8:8 1",
        "/o/inside: dir 0755 0:0",
        "/o/inside/f: file 0644 8:8 2",
        "/o/l: link 0:0 -> /inside",
        "/o/new: dir 0755 0:0",
        "/o/new/f: file 0644 8:8 4",
        "/o/up: link 0:0 -> ../../x",
        "/o/x: dir 0755 0:0",
        "/o/x/f: file 0644 8:8 3",
    ]


def test_owners(tmp_path: Path) -> None:
    adding = Adding(tmp_path, {}, {"d/f": "x", "d/l": "-> f", "d/suid": "s"})
    for name in ("d", "d/f", "d/l", "d/suid"):
        os.lchown(adding.scratch / name, 11, 12)
    (adding.scratch / "d/suid").chmod(0o4755)
    os.link(adding.scratch / "d/f", adding.scratch / "d/hard")
    adding.merge("/kept")
    assert adding.show("/kept/d") == [
        "/kept/d/f: file 0644 11:12 x",
        "/kept/d/hard: file 0644 11:12 x",
        "/kept/d/l: link 11:12 -> f",
        "/kept/d/suid: file 4755 11:12 s",
    ]
    one, two = (os.stat(adding.upper.real(f"/kept/d/{n}")).st_ino for n in ("f", "hard"))
    assert one == two


def test_chown(tmp_path: Path) -> None:
    adding = Adding(tmp_path, {}, {"d/f": "x", "d/l": "-> f", "d/suid": "s"})
    (adding.scratch / "d/suid").chmod(0o4755)
    (adding.scratch / ".wh.gone").write_text("w")
    adding.merge("/new/o", chown=(7, 8))
    assert adding.show() == [
        "/new: dir 0755 7:8",
        "/new/o: dir 0755 7:8",
        "/new/o/.wh.gone: file 0644 7:8 w",
        "/new/o/d: dir 0755 7:8",
        "/new/o/d/f: file 0644 7:8 x",
        "/new/o/d/l: link 7:8 -> f",
        "/new/o/d/suid: file 4755 7:8 s",
    ]


def test_subtree_is_what_an_archive_lies_on(tmp_path: Path) -> None:
    stack = Stack([str(make(tmp_path, {"o/d/f": "x"}))])
    inside = Subtree(stack, "/o")
    assert [e.path for e in inside.children("/d")] == ["/d/f"]
    root, file = inside.lstat("/"), inside.lstat("/d/f")
    assert root is not None and root.path == "/" and root.is_dir
    assert file is not None and (file.path, file.real) == ("/d/f", str(tmp_path / "o/d/f"))
    assert inside.lstat("/o") is None
