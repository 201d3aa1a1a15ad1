"""COPY as BuildKit does it: the expected trees are those of the recorded conformance cases."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from jettison.errors import PathError, StoreError
from jettison.fs.context import ContextTree
from jettison.fs.copy import copy_selection, put_file
from jettison.fs.modes import parse_mode
from jettison.fs.select import select
from jettison.fs.stack import Stack
from jettison.fs.tree import Tree
from jettison.fs.upper import Upper
from tests.unit.fs.trees import make, show

pytestmark = pytest.mark.root


class Stage:
    """A stage being built: each step is one more layer."""

    def __init__(self, tmp_path: Path, *layers: Path) -> None:
        self.tmp_path = tmp_path
        self.layers = [str(layer) for layer in layers]

    @property
    def stack(self) -> Stack:
        return Stack(self.layers)

    def step(self) -> Upper:
        directory = self.tmp_path / f"layer{len(self.layers)}"
        directory.mkdir()
        upper = Upper(self.stack, str(directory))
        self.layers.append(str(directory))
        return upper

    def copy(
        self,
        tree: Tree,
        *words: str,
        chown: tuple[int, int] | None = None,
        chmod: str | None = None,
        parents: bool = False,
        exclude: tuple[str, ...] = (),
        hardlink: bool = False,
    ) -> Upper:
        """COPY with the words of the instruction; the last is the destination."""
        upper = self.step()
        for word in words[:-1]:
            copy_selection(
                tree,
                select(tree, word, parents=parents, exclude=exclude),
                upper,
                words[-1],
                chown=chown,
                chmod=parse_mode(chmod) if chmod else None,
                reset_owner=isinstance(tree, ContextTree),
                hardlink=hardlink,
            )
        return upper

    def show(self, path: str = "/") -> list[str]:
        return show(self.stack, path)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def based(tmp_path: Path) -> Stage:
    base = make(tmp_path / "base", {"etc/passwd": "x", "tmp": None})
    (base / "tmp").chmod(0o1777)
    return Stage(tmp_path, base)


def context(tmp_path: Path, files: Mapping[str, str | None]) -> ContextTree:
    return ContextTree(str(make(tmp_path / "context", files)))


def test_file_destinations(based: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"f": "f"})
    for dest in ("/newname", "/slash/", "/etc", "/deep/er/path/name", "/deep/er/dir/", "/", "/d/."):
        based.copy(src, "f", dest)
    assert based.show() == [
        "/d: dir 0755 0:0",
        "/d/f: file 0644 0:0 f",
        "/deep: dir 0755 0:0",
        "/deep/er: dir 0755 0:0",
        "/deep/er/dir: dir 0755 0:0",
        "/deep/er/dir/f: file 0644 0:0 f",
        "/deep/er/path: dir 0755 0:0",
        "/deep/er/path/name: file 0644 0:0 f",
        "/etc: dir 0755 0:0",
        "/etc/f: file 0644 0:0 f",
        "/etc/passwd: file 0644 0:0 x",
        "/f: file 0644 0:0 f",
        "/newname: file 0644 0:0 f",
        "/slash: dir 0755 0:0",
        "/slash/f: file 0644 0:0 f",
        "/tmp: dir 1777 0:0",
    ]


def test_each_file_in_turn_becomes_that_path(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"one1": "1", "two1": "a", "two2": "b"})
    stage.copy(src, "one*", "/renamed")
    stage.copy(src, "two*", "/last")
    stage.copy(src, "one1", "two1", "/again")
    assert stage.show() == [
        "/again: file 0644 0:0 a",
        "/last: file 0644 0:0 b",
        "/renamed: file 0644 0:0 1",
    ]


def test_empty_wildcard_makes_nothing(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"here": "x"})
    stage.copy(src, "here", "nomatch*", "/d/")
    stage.copy(src, "none?/*", "/never/")
    assert stage.show() == ["/d: dir 0755 0:0", "/d/here: file 0644 0:0 x"]


def test_directories_merge(stage: Stage, tmp_path: Path) -> None:
    src = context(
        tmp_path,
        {
            "pkg1/a": "a1",
            "pkg1/conf/c": "c1",
            "pkg2/a": "a2",
            "pkg2/sub/b": "b",
            "pkg2/empty": None,
        },
    )
    stage.copy(src, "pkg*", "/merged/")
    stage.copy(src, "*/conf", "/conf")
    assert stage.show() == [
        "/conf: dir 0755 0:0",
        "/conf/c: file 0644 0:0 c1",
        "/merged: dir 0755 0:0",
        "/merged/a: file 0644 0:0 a2",
        "/merged/conf: dir 0755 0:0",
        "/merged/conf/c: file 0644 0:0 c1",
        "/merged/empty: dir 0755 0:0",
        "/merged/sub: dir 0755 0:0",
        "/merged/sub/b: file 0644 0:0 b",
    ]


def test_metadata_of_directories(stage: Stage, tmp_path: Path) -> None:
    """The top keeps or gets its own, what is deeper takes the source's, even if it existed."""
    base = make(tmp_path / "b", {"have/sub": None})
    os.chown(base / "have", 1, 2)
    (base / "have").chmod(0o711)
    stage.layers.append(str(base))
    src = context(tmp_path, {"d/sub/f": "x"})
    Path(src.root, "d").chmod(0o700)
    Path(src.root, "d/sub").chmod(0o750)
    os.utime(Path(src.root, "d/sub"), (5, 5))
    os.utime(Path(src.root, "d"), (7, 7))
    stage.copy(src, "d", "/have")
    stage.copy(src, "d/", "/new")
    assert stage.show() == [
        "/have: dir 0711 1:2",
        "/have/sub: dir 0750 0:0",
        "/have/sub/f: file 0644 0:0 x",
        "/new: dir 0755 0:0",
        "/new/sub: dir 0750 0:0",
        "/new/sub/f: file 0644 0:0 x",
    ]
    times = {e.path: e.mtime_ns // 10**9 for e in stage.stack.walk() if e.is_dir}
    assert times == {"/have": 7, "/have/sub": 5, "/new": 7, "/new/sub": 5}


def test_times_of_files_and_links(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"d/f": "x", "d/l": "-> f"})
    os.utime(Path(src.root, "d/f"), ns=(1, 981173106_000000001))
    os.utime(Path(src.root, "d/l"), (1, 1012615322), follow_symlinks=False)
    stage.copy(src, "d", "/d")
    assert [e.mtime_ns for e in stage.stack.children("/d")] == [
        981173106_000000001,
        1012615322_000000000,
    ]


def test_special_modes_survive(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"d/suid": "x", "d/none": "x", "d/sticky": None})
    for name, mode in (("suid", 0o6755), ("none", 0), ("sticky", 0o1777)):
        Path(src.root, "d", name).chmod(mode)
        os.chown(Path(src.root, "d", name), 7, 8)
        Path(src.root, "d", name).chmod(mode)
    stage.copy(src, "d", "/")
    assert stage.show() == [
        "/none: file 0000 0:0 x",
        "/sticky: dir 1777 0:0",
        "/suid: file 6755 0:0 x",
    ]


def test_stage_keeps_owners(stage: Stage, tmp_path: Path) -> None:
    source = make(tmp_path / "s", {"d/x": "x", "d/l": "-> x", "d/s/y": "y"})
    for name in ("d/x", "d/l", "d/s"):
        os.lchown(source / name, 1000, 2000)
    stage.copy(Stack([str(source)]), "/d", "/o")
    assert stage.show() == [
        "/o: dir 0755 0:0",
        "/o/l: link 1000:2000 -> x",
        "/o/s: dir 0755 1000:2000",
        "/o/s/y: file 0644 0:0 y",
        "/o/x: file 0644 1000:2000 x",
    ]


def test_source_links(stage: Stage, tmp_path: Path) -> None:
    build = make(
        tmp_path / "s",
        {
            "out/sub/f": "data",
            "abs": "-> /out/sub",
            "rel": "-> out/sub",
            "out/pw": "-> /etc/passwd",
            "etc/passwd": "inside",
            "out/sub/l": "-> f",
        },
    )
    src = Stack([str(build)])
    for words in (
        ("/abs/f", "/1"),
        ("/rel/f", "/2"),
        ("/abs", "/3"),
        ("/out/pw", "/4"),
        ("/out", "/5"),
        ("/out/sub/l", "/named/"),
        ("/a?s", "/6"),
    ):
        stage.copy(src, *words)
    assert stage.show() == [
        "/1: file 0644 0:0 data",
        "/2: file 0644 0:0 data",
        "/3: dir 0755 0:0",
        "/3/f: file 0644 0:0 data",
        "/3/l: link 0:0 -> f",
        "/4: file 0644 0:0 inside",
        "/5: dir 0755 0:0",
        "/5/pw: link 0:0 -> /etc/passwd",
        "/5/sub: dir 0755 0:0",
        "/5/sub/f: file 0644 0:0 data",
        "/5/sub/l: link 0:0 -> f",
        "/6: dir 0755 0:0",
        "/6/f: file 0644 0:0 data",
        "/6/l: link 0:0 -> f",
        "/named: dir 0755 0:0",
        "/named/l: file 0644 0:0 data",
    ]


def test_destination_links(tmp_path: Path) -> None:
    base = make(
        tmp_path / "base",
        {
            "target": "old",
            "link": "-> target",
            "etc/link": "-> /target",
            "real": None,
            "dirlink": "-> /real",
            "dangling": "-> gone/deeper",
        },
    )
    stage = Stage(tmp_path, base)
    src = context(tmp_path, {"f": "new", "d/link": "replaces"})
    stage.copy(src, "f", "/link")
    stage.copy(src, "d", "/etc")
    stage.copy(src, "f", "/dirlink")
    stage.copy(src, "f", "/dirlink/sub/")
    stage.copy(src, "f", "/dangling")
    assert stage.show() == [
        "/dangling: link 0:0 -> gone/deeper",
        "/dirlink: link 0:0 -> /real",
        "/etc: dir 0755 0:0",
        "/etc/link: file 0644 0:0 replaces",
        "/gone: dir 0755 0:0",
        "/gone/deeper: file 0644 0:0 new",
        "/link: link 0:0 -> target",
        "/real: dir 0755 0:0",
        "/real/f: file 0644 0:0 new",
        "/real/sub: dir 0755 0:0",
        "/real/sub/f: file 0644 0:0 new",
        "/target: file 0644 0:0 new",
    ]


def test_links_and_files_replace_each_other(tmp_path: Path) -> None:
    base = make(
        tmp_path / "base",
        {"d/real": None, "d/waslink": "-> old", "d/wasfile": "x", "d/wasdirlink": "-> real"},
    )
    stage = Stage(tmp_path, base)
    src = context(
        tmp_path, {"src/waslink": "-> other", "src/wasfile": "-> new", "src/wasdirlink": "file"}
    )
    stage.copy(src, "src", "/d")
    assert stage.show("/d") == [
        "/d/real: dir 0755 0:0",
        "/d/wasdirlink: file 0644 0:0 file",
        "/d/wasfile: link 0:0 -> new",
        "/d/waslink: link 0:0 -> other",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("f", "/dir/"), "cannot replace to directory /dir/f with file"),
        (("f", "/etc/passwd/x"), "mkdir /etc/passwd: not a directory"),
        (("f", "/etc/passwd/"), "mkdir /etc/passwd: not a directory"),
        (("d", "/etc/passwd"), "cannot copy to non-directory: /etc/passwd"),
        (("d", "/"), "cannot copy to non-directory: /lnk"),
        (("f", "/loop"), "too many levels of symbolic links"),
    ],
)
def test_refusals(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    base = make(
        tmp_path / "base",
        {"dir/f/in": "x", "etc/passwd": "x", "lnk": "-> dir", "loop": "-> loop"},
    )
    src = context(tmp_path, {"f": "f", "d/lnk/x": "x"})
    with pytest.raises(PathError, match=message):
        Stage(tmp_path, base).copy(src, *words)


def test_refusal_within_one_step(stage: Stage, tmp_path: Path) -> None:
    """What an earlier source of the same COPY made counts, too."""
    src = context(tmp_path, {"a/x/y": "1", "b/x": "2"})
    with pytest.raises(PathError, match="cannot replace to directory /o/x with file"):
        stage.copy(src, "a", "b", "/o/")


def test_directory_after_a_file_within_one_step(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"a/x/y": "1", "b/x": "2"})
    with pytest.raises(PathError, match="cannot copy to non-directory: /o/x"):
        stage.copy(src, "b", "a", "/o/")


def inodes(stage: Stage) -> dict[str, tuple[int, int]]:
    return {e.path: (e.st.st_dev, e.st.st_ino) for e in stage.stack.walk() if e.is_file}


@pytest.mark.parametrize("from_stage", [False, True])
def test_hard_links(stage: Stage, tmp_path: Path, from_stage: bool) -> None:
    root = make(tmp_path / "context", {"d/a": "one", "d/s": None, "d/x": "two"})
    os.link(root / "d/a", root / "d/b")
    os.link(root / "d/a", root / "d/s/c")
    tree: Tree = Stack([str(root)]) if from_stage else ContextTree(str(root))
    stage.copy(tree, "d", "/d", hardlink=from_stage)
    stage.copy(tree, "d/a", "d/b", "/two/", hardlink=from_stage)
    found = inodes(stage)
    assert found["/d/a"] == found["/d/b"] == found["/d/s/c"]
    assert len(set(found.values())) == 4  # the three, x, and the two others
    assert (root / "d/a").stat().st_nlink == 3


def test_unchanging_files_are_linked_once(stage: Stage, tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"a": "1", "sub/b": "2", "l": "-> a"})
    tree = Stack([str(root)])
    stage.copy(tree, "/", "/x", hardlink=True)
    assert os.stat(root / "a").st_ino == inodes(stage)["/x/a"][1]
    # Again, and through a link: no two paths of one tree may share an inode.
    stage.copy(tree, "/", "/y/", hardlink=True)
    stage.copy(tree, "/a", "/l", "/z/", hardlink=True)
    found = inodes(stage)
    assert len(found) == len(set(found.values())) == 6
    assert show(stage.stack, "/y") == [
        "/y/a: file 0644 0:0 1",
        "/y/l: link 0:0 -> a",
        "/y/sub: dir 0755 0:0",
        "/y/sub/b: file 0644 0:0 2",
    ]


def test_two_names_for_one_source_file_are_two_files(stage: Stage, tmp_path: Path) -> None:
    tree = Stack([str(make(tmp_path / "src", {"a": "1", "l": "-> a"}))])
    stage.copy(tree, "/*", "/z/", hardlink=True)
    assert len(set(inodes(stage).values())) == 2


def test_layers_below_are_not_linked_to(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"a": "1"})
    stage = Stage(tmp_path, base)
    stage.copy(Stack([str(base)]), "/a", "/b", hardlink=True)
    assert len(set(inodes(stage).values())) == 2


@pytest.mark.parametrize("flags", [{"chown": (5, 5)}, {"chmod": "600"}])
def test_changed_files_are_not_linked(stage: Stage, tmp_path: Path, flags: dict[str, str]) -> None:
    root = make(tmp_path / "src", {"a": "1"})
    before = (root / "a").stat()
    stage.copy(Stack([str(root)]), "/a", "/b", hardlink=True, **flags)  # type: ignore[arg-type] # one flag at a time
    after = (root / "a").stat()
    assert (after.st_nlink, after.st_uid, after.st_mode) == (1, before.st_uid, before.st_mode)


CAPABILITY = bytes.fromhex("0100000201200000000000000000000000000000")


def test_capabilities(stage: Stage, tmp_path: Path) -> None:
    root = make(tmp_path / "context", {"x": "1"})
    os.setxattr(root / "x", "security.capability", CAPABILITY)
    tree = Stack([str(root)])
    stage.copy(tree, "x", "/plain")
    stage.copy(tree, "x", "/chowned", chown=(7, 7))
    stage.copy(tree, "x", "/moded", chmod="4755")
    stage.copy(ContextTree(str(root)), "x", "/context")
    found = {
        e.path: "security.capability" in os.listxattr(e.real) for e in stage.stack.children("/")
    }
    assert found == {"/plain": True, "/chowned": True, "/moded": True, "/context": False}


def test_user_attributes_are_dropped(stage: Stage, tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"d/x": "1"})
    try:
        os.setxattr(root / "d/x", "user.note", b"v")
        os.setxattr(root / "d", "user.note", b"v")
    except OSError:
        pytest.skip("no user xattrs here")
    stage.copy(Stack([str(root)]), "/", "/o", hardlink=True)
    assert [os.listxattr(e.real) for e in stage.stack.walk()] == [[], [], []]


def test_special_files(stage: Stage, tmp_path: Path) -> None:
    root = make(tmp_path / "context", {"d": None})
    os.mkfifo(root / "d/fifo", 0o620)
    os.mknod(root / "d/char", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(root / "d/block", 0o660 | stat.S_IFBLK, os.makedev(7, 200))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "d/sock"))
    (root / "d/sock").chmod(0o755)
    (root / "d/char").chmod(0o666)
    (root / "d/block").chmod(0o660)
    stage.copy(ContextTree(str(root)), "d", "/")
    assert stage.show() == [
        "/block: char 0660 0:0 7,200",  # sic
        "/char: char 0666 0:0 1,3",
        "/fifo: fifo 0600 0:0 0,0",  # the umask of this test took 0020
        "/sock: file 0755 0:0",
    ]


def test_device_that_would_be_a_whiteout(stage: Stage, tmp_path: Path) -> None:
    root = make(tmp_path / "context", {"d": None})
    os.mknod(root / "d/null", stat.S_IFCHR | 0o600, 0)
    with pytest.raises(PathError, match="device 0:0"):
        stage.copy(ContextTree(str(root)), "d", "/")


def test_large_and_sparse_files(stage: Stage, tmp_path: Path) -> None:
    root = make(tmp_path / "context", {"empty": "", "big": "z" * 3_000_000})
    with open(root / "sparse", "wb") as file:
        file.truncate(40 << 20)
        file.seek(20 << 20)
        file.write(b"middle")
    stage.copy(ContextTree(str(root)), "big", "empty", "sparse", "/")
    sparse = stage.stack.lstat("/sparse")
    assert sparse is not None
    assert sparse.size == 40 << 20
    assert sparse.st.st_blocks * 512 < 1 << 20
    for name in ("big", "empty", "sparse"):
        assert Path(stage.layers[0], name).read_bytes() == (root / name).read_bytes()


def test_chown(tmp_path: Path) -> None:
    base = make(tmp_path / "base", {"exists/sub": None, "exists/old": "old"})
    stage = Stage(tmp_path, base)
    src = context(tmp_path, {"d/sub/f": "x", "d/sub/l": "-> f"})
    stage.copy(src, "d", "/new/parent/", chown=(50, 60))
    stage.copy(src, "d", "/exists", chown=(50, 60))
    stage.copy(src, "d/sub/f", "/p/q/f", chown=(50, 60))
    assert stage.show() == [
        "/exists: dir 0755 0:0",
        "/exists/old: file 0644 0:0 old",
        "/exists/sub: dir 0755 50:60",
        "/exists/sub/f: file 0644 50:60 x",
        "/exists/sub/l: link 50:60 -> f",
        "/new: dir 0755 50:60",
        "/new/parent: dir 0755 50:60",
        "/new/parent/sub: dir 0755 50:60",
        "/new/parent/sub/f: file 0644 50:60 x",
        "/new/parent/sub/l: link 50:60 -> f",
        "/p: dir 0755 50:60",
        "/p/q: dir 0755 50:60",
        "/p/q/f: file 0644 50:60 x",
    ]


def test_chmod_octal(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"f": "f", "d/x": "x", "d/sub/y": "y", "d/l": "-> x"})
    Path(src.root, "d/x").chmod(0o755)
    stage.copy(src, "d", "/a", chmod="0644")
    stage.copy(src, "f", "/zero", chmod="0")
    stage.copy(src, "f", "/all", chmod="7777")
    stage.copy(src, "f", "/p/q/f", chmod="640")
    stage.copy(src, "d", "/sticky/", chmod="1777")
    stage.copy(src, "d", "/exists/")
    stage.copy(src, "d", "/exists", chmod="700")
    assert stage.show() == [
        "/a: dir 0644 0:0",
        "/a/l: link 0:0 -> x",
        "/a/sub: dir 0644 0:0",
        "/a/sub/y: file 0644 0:0 y",
        "/a/x: file 0644 0:0 x",
        "/all: file 7777 0:0 f",
        "/exists: dir 0755 0:0",
        "/exists/l: link 0:0 -> x",
        "/exists/sub: dir 0700 0:0",
        "/exists/sub/y: file 0700 0:0 y",
        "/exists/x: file 0700 0:0 x",
        "/p: dir 0640 0:0",
        "/p/q: dir 0640 0:0",
        "/p/q/f: file 0640 0:0 f",
        "/sticky: dir 0777 0:0",
        "/sticky/l: link 0:0 -> x",
        "/sticky/sub: dir 1777 0:0",
        "/sticky/sub/y: file 1777 0:0 y",
        "/sticky/x: file 1777 0:0 x",
        "/zero: file 0000 0:0 f",
    ]


def test_chmod_symbolic(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"d/x": "x", "d/sub/y": "y"})
    Path(src.root, "d/x").chmod(0o744)
    stage.copy(src, "d", "/new/a", chmod="u=rwX,go=rX")
    assert stage.show() == [
        "/new: dir 0755 0:0",
        "/new/a: dir 0755 0:0",
        "/new/a/sub: dir 0755 0:0",
        "/new/a/sub/y: file 0644 0:0 y",
        "/new/a/x: file 0755 0:0 x",
    ]


def test_parents(stage: Stage, tmp_path: Path) -> None:
    src = context(tmp_path, {"a/b/f": "f", "a/b/g": "g", "a/top": "top", "x/f": "xf"})
    Path(src.root, "a").chmod(0o750)
    Path(src.root, "a/b").chmod(0o700)
    os.utime(Path(src.root, "a"), (9, 9))
    stage.copy(src, "a/b/f", "x/f", "/out", parents=True)
    stage.copy(src, "a/b/*", "/glob/", parents=True)
    stage.copy(src, "a", "/w", parents=True)
    stage.copy(src, "./a/b/f", "/dot/", parents=True)
    assert stage.show() == [
        "/dot: dir 0755 0:0",
        "/dot/a: dir 0750 0:0",
        "/dot/a/b: dir 0700 0:0",
        "/dot/a/b/f: file 0644 0:0 f",
        "/glob: dir 0755 0:0",
        "/glob/a: dir 0750 0:0",
        "/glob/a/b: dir 0700 0:0",
        "/glob/a/b/f: file 0644 0:0 f",
        "/glob/a/b/g: file 0644 0:0 g",
        "/out: dir 0755 0:0",
        "/out/a: dir 0750 0:0",
        "/out/a/b: dir 0700 0:0",
        "/out/a/b/f: file 0644 0:0 f",
        "/out/x: dir 0755 0:0",
        "/out/x/f: file 0644 0:0 xf",
        "/w: dir 0755 0:0",
        "/w/a: dir 0750 0:0",
        "/w/a/b: dir 0700 0:0",
        "/w/a/b/f: file 0644 0:0 f",
        "/w/a/b/g: file 0644 0:0 g",
        "/w/a/top: file 0644 0:0 top",
    ]
    top = stage.stack.lstat("/out/a")
    assert top is not None
    assert top.mtime_ns == 9 * 10**9


def test_existing_parents_get_the_mode_of_the_source(stage: Stage, tmp_path: Path) -> None:
    """BuildKit's createParentDirs: a parent that exists gets the source's mode, nothing else."""
    src = context(tmp_path, {"a/x": "x", "a/y": "y"})
    stage.copy(src, "a/x", "a/y", "/", parents=True, chmod="700", chown=(4, 4))
    assert stage.show() == [
        "/a: dir 0755 4:4",
        "/a/x: file 0700 4:4 x",
        "/a/y: file 0700 4:4 y",
    ]


def test_parents_pivot(stage: Stage, tmp_path: Path) -> None:
    src = context(
        tmp_path,
        {"t/a/b/c/d/f.txt": "1", "t/a/b2/c/f.txt": "2", "t/x/n.md": "3", "t/a/b/top.txt": "4"},
    )
    for n, word in enumerate(
        (
            "/t/a/b/./c/d",
            "/t/a/./*/c",
            "/t/a/b*/./c",
            "/t/./**/*.txt",
            "/t/a/./b/./c",
            "/t/./a/nomatch*",
        ),
        start=1,
    ):
        stage.copy(src, word, f"/{n}/", parents=True)
    assert [line for line in stage.show() if ": dir" not in line] == [
        "/1/c/d/f.txt: file 0644 0:0 1",
        "/2/b/c/d/f.txt: file 0644 0:0 1",
        "/2/b2/c/f.txt: file 0644 0:0 2",
        "/3/c/d/f.txt: file 0644 0:0 1",
        "/3/c/f.txt: file 0644 0:0 2",
        "/4/a/b/c/d/f.txt: file 0644 0:0 1",
        "/4/a/b/top.txt: file 0644 0:0 4",
        "/4/a/b2/c/f.txt: file 0644 0:0 2",
        "/5/b/c/d/f.txt: file 0644 0:0 1",
    ]
    assert "/6: dir 0755 0:0" in stage.show()
    assert [line for line in stage.show() if "/x" in line] == []


@pytest.mark.parametrize(
    ("source", "exclude", "expected"),
    [
        (".", ("*.txt",), "b.md sub sub/c.txt sub/d.md sub/deep sub/deep/x.txt sub/deep/y.md"),
        (".", ("**/*.txt",), "b.md sub sub/d.md sub/deep sub/deep/y.md"),
        (".", ("sub",), "a.txt b.md"),
        (".", ("sub/deep",), "a.txt b.md sub sub/c.txt sub/d.md"),
        ("sub", ("deep",), "c.txt d.md"),
        (".", ("sub", "!sub/deep/y.md"), "a.txt b.md sub sub/deep sub/deep/y.md"),
        ("a.txt", ("*.txt",), "a.txt"),
        ("*", ("*.txt",), "a.txt b.md d.md deep deep/x.txt deep/y.md"),
    ],
)
def test_exclude(
    stage: Stage, tmp_path: Path, source: str, exclude: tuple[str, ...], expected: str
) -> None:
    src = context(
        tmp_path,
        dict.fromkeys(
            ["a.txt", "b.md", "sub/c.txt", "sub/d.md", "sub/deep/x.txt", "sub/deep/y.md"], ""
        ),
    )
    stage.copy(src, source, "/o/", exclude=exclude)
    assert " ".join(e.path[3:] for e in stage.stack.walk("/o")) == expected


def test_heredoc_files(based: Stage) -> None:
    upper = based.step()
    put_file(upper, "/etc", "EOF", b"one\n", 0o644)
    put_file(upper, "/new/name", "EOF", b"two", 0o644, chown=(3, 4), chmod=parse_mode("a+x"))
    put_file(upper, "/new/", "EOF", b"three", 0o644)
    assert based.show("/new") == [
        "/new/EOF: file 0644 0:0 three",
        "/new/name: file 0755 3:4 two",
    ]
    assert based.show("/etc")[0] == "/etc/EOF: file 0644 0:0 one\n".rstrip()


def test_full_disk_is_the_stores_error(stage: Stage) -> None:
    upper = stage.step()

    def full(real: str) -> None:
        raise OSError(28, "No space left on device", real)

    with pytest.raises(StoreError, match="No space left"):
        upper.put("/f", full)
