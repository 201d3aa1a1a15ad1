from __future__ import annotations

import os
from pathlib import Path

import pytest

from jettison.errors import PathError
from jettison.fs.stack import Stack
from jettison.fs.upper import Upper
from jettison.fs.whiteout import is_opaque
from jettison.fs.write import Attributes, write_file, write_link
from tests.unit.fs.trees import make, show

pytestmark = pytest.mark.root


def upper_on(tmp_path: Path, *layers: Path) -> Upper:
    (tmp_path / "upper").mkdir()
    return Upper(Stack([str(layer) for layer in layers]), str(tmp_path / "upper"))


def put(upper: Upper, path: str, text: str = "new", *, replace_dir: bool = False) -> None:
    want = Attributes(0o644, 0, 0)
    upper.put(
        path, lambda r: write_file(r, text.encode(), want, upper.owners), replace_dir=replace_dir
    )


def own(upper: Upper) -> list[str]:
    """What is in the layer itself."""
    return show(Stack([upper.directory]))


def test_root_looks_like_the_one_below(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {})
    base.chmod(0o1751)
    os.chown(base, 3, 4)
    os.utime(base, (5, 5))
    upper = upper_on(tmp_path, base)
    st = os.stat(upper.directory)
    assert (st.st_mode & 0o7777, st.st_uid, st.st_gid, st.st_mtime) == (0o1751, 3, 4, 5)


def test_root_from_scratch(tmp_path: Path) -> None:
    os.umask(os.umask(0o077))
    upper = upper_on(tmp_path)
    assert os.stat(upper.directory).st_mode & 0o7777 == 0o755


def test_copy_up(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"a/b/c/f": "x", "a/other": "o"})
    for name, mode, owner in (("a", 0o711, 1), ("a/b", 0o1770, 2), ("a/b/c", 0o2755, 3)):
        os.chown(base / name, owner, owner)
        (base / name).chmod(mode)
    os.setxattr(base / "a", "trusted.overlay.opaque", b"y")
    os.setxattr(base / "a", "trusted.mine", b"v")
    for name in ("a/b/c", "a/b", "a", "."):
        os.utime(base / name, (1000, 1000))
    upper = upper_on(tmp_path, base)
    upper.copy_up("/a/b/c")
    assert own(upper) == [
        "/a: dir 0711 1:1",
        "/a/b: dir 1770 2:2",
        "/a/b/c: dir 2755 3:3",
    ]
    assert os.listxattr(upper.real("/a")) == ["trusted.mine"]
    assert {os.stat(upper.real(p)).st_mtime for p in ("/a", "/a/b", "/a/b/c", "/")} == {1000}
    put(upper, "/a/b/f")
    times = [os.stat(upper.real(p)).st_mtime == 1000 for p in ("/", "/a", "/a/b", "/a/b/c")]
    assert times == [True, True, False, True]


def test_make_dirs(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"real": None, "l": "-> /real", "lost": "-> gone/x"})
    (base / "real").chmod(0o700)
    upper = upper_on(tmp_path, base)
    assert upper.make_dirs("/l/a/b", owner=(5, 6), mode=0o755, mtime=77) == "/real/a/b"
    assert upper.make_dirs("lost/y/", owner=(5, 6), mode=0o750) == "/gone/x/y"
    assert upper.make_dirs("/real", owner=(9, 9), mode=0o777) == "/real"
    assert own(upper) == [
        "/gone: dir 0750 5:6",
        "/gone/x: dir 0750 5:6",
        "/gone/x/y: dir 0750 5:6",
        "/real: dir 0700 0:0",
        "/real/a: dir 0755 5:6",
        "/real/a/b: dir 0755 5:6",
    ]
    assert [os.stat(upper.real(p)).st_mtime for p in ("/real/a", "/real/a/b")] == [77, 77]


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/passwd/x/y", "/l"])
def test_make_dirs_on_a_file(tmp_path: Path, path: str) -> None:
    base = make(tmp_path / "base", {"etc/passwd": "x", "l": "-> etc/passwd"})
    with pytest.raises(PathError, match="mkdir /etc/passwd: not a directory"):
        upper_on(tmp_path, base).make_dirs(path, owner=(0, 0), mode=0o755)


def test_put_replaces_what_is_no_directory(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"d/f": "old", "d/l": "-> f", "d/sub/x": "x"})
    upper = upper_on(tmp_path, base)
    for path in ("/d/f", "/d/l", "/d/f"):
        put(upper, path)
    upper.put("/d/f", lambda real: write_link(real, "l", Attributes(0, 1, 1), upper.owners))
    assert show(upper, "/d") == [
        "/d/f: link 1:1 -> l",
        "/d/l: file 0644 0:0 new",
        "/d/sub: dir 0755 0:0",
        "/d/sub/x: file 0644 0:0 x",
    ]
    for path in ("/d/sub", "/d"):
        with pytest.raises(PathError, match="cannot replace to directory"):
            put(upper, path)


def test_what_a_file_hid_does_not_come_back(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"d/sub/x": "x", "d/keep": "k"})
    upper = upper_on(tmp_path, base)
    put(upper, "/d", replace_dir=True)
    assert show(upper) == ["/d: file 0644 0:0 new"]
    assert upper.lstat("/d/keep") is None
    upper.make_dir("/d", Attributes(0o700, 0, 0))
    assert is_opaque(upper.real("/d"))
    put(upper, "/d/keep")
    upper.make_dir("/d/sub", Attributes(0o700, 0, 0))
    merged = ["/d: dir 0700 0:0", "/d/keep: file 0644 0:0 new", "/d/sub: dir 0700 0:0"]
    assert show(upper) == merged
    assert show(Stack([str(base), upper.directory])) == merged
    put(upper, "/d", replace_dir=True)
    assert show(Stack([str(base), upper.directory])) == ["/d: file 0644 0:0 new"]


def test_directory_over_a_file_below(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"f": "x"})
    upper = upper_on(tmp_path, base)
    upper.make_dir("/f", Attributes(0o755, 0, 0))
    put(upper, "/f/in")
    assert show(Stack([str(base), upper.directory])) == show(upper)
    assert show(upper) == ["/f: dir 0755 0:0", "/f/in: file 0644 0:0 new"]
