from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jettison.errors import PathError
from jettison.fs.contenthash import FileKey, list_files
from jettison.fs.context import ContextTree
from jettison.fs.select import select
from tests.unit.fs.trees import make


class Memory:
    def __init__(self) -> None:
        self.known: dict[FileKey, str] = {}
        self.hits = 0

    def get(self, key: FileKey) -> str | None:
        self.hits += key in self.known
        return self.known.get(key)

    def put(self, key: FileKey, digest: str) -> None:
        self.known[key] = digest


def of(
    root: Path,
    pattern: str = ".",
    *,
    owners: bool = False,
    memo: Memory | None = None,
    exclude: tuple[str, ...] = (),
) -> str:
    tree = ContextTree(str(root))
    selection = select(tree, pattern, exclude=exclude)
    return list_files(tree, selection, memo or Memory(), owners=owners).digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "ctx", {"d/f": "1", "d/g": "2", "d/l": "-> f", "d/s/e": "", "x1": "x"})


def setcap(path: Path) -> None:
    os.setxattr(path, "security.capability", bytes.fromhex("01000002" + "01" * 16))


def shell(script: str) -> Callable[[Path], object]:
    return lambda root: subprocess.run(["sh", "-ec", script], cwd=root, check=True)


@pytest.mark.parametrize(
    "script",
    [
        "printf 3 > d/f",
        "touch d/new",
        "mkdir d/new",
        "rm d/g",
        "mv d/g d/h",
        "chmod 755 d/f",
        "chmod 700 d/s",
        "ln -sfn g d/l",
        "rm d/s/e; mkdir d/s/e",
        "rm d/l; printf f > d/l",
        "mv d/s/e d/e",
        "mv d/f d/t; mv d/g d/f; mv d/t d/g",
    ],
)
def test_counts(root: Path, script: str) -> None:
    before = of(root, "d")
    shell(script)(root)
    assert of(root, "d") != before


@pytest.mark.parametrize(
    "script",
    [
        "touch -d 2001-01-01 d/f",
        "touch -d 2001-01-01 d",
        "rm d/f; printf 1 > d/f",
        "touch other",
        "printf y > x1",
        "mv d d2; mv d2 d",
    ],
)
def test_does_not_count(root: Path, script: str) -> None:
    before = of(root, "d")
    shell(script)(root)
    assert of(root, "d") == before


@pytest.mark.root
@pytest.mark.parametrize("change", [shell("chown 5:6 d/f"), lambda root: setcap(root / "d/f")])
def test_owners_count_if_kept(root: Path, change: Callable[[Path], object]) -> None:
    before = [of(root, "d", owners=False), of(root, "d", owners=True)]
    change(root)
    after = [of(root, "d", owners=False), of(root, "d", owners=True)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]


@pytest.mark.root
def test_devices_count(root: Path) -> None:
    found = set()
    for kind, minor in ((stat.S_IFCHR, 3), (stat.S_IFCHR, 5), (stat.S_IFIFO, 0)):
        os.mknod(root / "d/n", kind | 0o600, os.makedev(1, minor))
        found.add(of(root, "d"))
        (root / "d/n").unlink()
    assert len(found) == 3


def test_names_of_matched_files_count(root: Path) -> None:
    before = of(root, "x*")
    (root / "x1").rename(root / "x2")
    assert of(root, "x*") != before


def test_unselected_and_excluded_files_do_not_count(root: Path) -> None:
    before = of(root, "d", exclude=("g",))
    (root / "d/g").write_text("changed")
    assert of(root, "d", exclude=("g",)) == before
    assert of(root, "d") != before


def test_mode_of_the_root_does_not_count(root: Path) -> None:
    before = of(root)
    root.chmod(0o700)
    assert of(root) == before


def test_boundaries_are_kept(tmp_path: Path) -> None:
    """Names and contents cannot run into each other."""
    one = make(tmp_path / "1", {"a": "", "b": "-> a"})
    two = make(tmp_path / "2", {"a\nb": "-> a"})
    assert of(one) != of(two)
    assert of(make(tmp_path / "3", {"a": "\0b"})) != of(make(tmp_path / "4", {"a": "b"}))


def test_memo(root: Path) -> None:
    memo = Memory()
    first = of(root, memo=memo)
    assert (memo.hits, len(memo.known)) == (0, 3)  # the empty file needs none
    assert of(root, memo=memo) == first
    assert memo.hits == 3
    (root / "d/f").write_text("9")
    os.utime(root / "d/f", (1, 1))
    assert of(root, memo=memo) != first


def test_a_file_that_changes_while_it_is_read_is_not_remembered(root: Path) -> None:
    tree = ContextTree(str(root))
    selection = select(tree, "x1")
    (root / "x1").write_text("longer than before")
    memo = Memory()
    list_files(tree, selection, memo, owners=False)
    assert memo.known == {}


def test_vanished_file(root: Path) -> None:
    tree = ContextTree(str(root))
    selection = select(tree, "x1")
    (root / "x1").unlink()
    with pytest.raises(PathError, match="/x1: No such file"):
        list_files(tree, selection, Memory(), owners=False)
