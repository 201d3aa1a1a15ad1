"""Trees against simpler descriptions of the same, and against the kernel."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import DockerfileError, PathError, PlanError
from jettison.fs.context import ContextTree
from jettison.fs.modes import parse_mode
from jettison.fs.patterns import PatternList, read_ignorefile
from jettison.fs.select import contents, select
from jettison.fs.stack import Stack
from jettison.fs.tree import clean
from jettison.fs.upper import Upper
from jettison.fs.write import Attributes, write_file
from jettison.model.span import SourceText
from tests.unit.fs.trees import make, opaque, show, whiteout

NAMES = st.sampled_from(["a", "b", "ab", "c.txt"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PARTS = st.sampled_from(["a", "b", "*", "**", "a*", "?", "[ab]", "*.txt", "**b", "c.txt"])
PATTERNS = st.builds(
    lambda bang, parts: bang + "/".join(parts),
    st.sampled_from(["", "", "!"]),
    st.lists(PARTS, min_size=1, max_size=3),
)


def files_below(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


@settings(max_examples=60, deadline=None)
@given(paths=st.lists(PATHS, max_size=8), patterns=st.lists(PATTERNS, max_size=4))
def test_filters_see_exactly_the_files_that_do_not_match(
    paths: list[str], patterns: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path in paths:
            file = root / path
            if not any(p.is_file() for p in [*file.parents, file]) and not file.is_dir():
                make(root, {path: "x"})
        ignore = PatternList.parse(patterns)
        expected = [path for path in files_below(root) if not ignore.matches(path)]
        hidden = ContextTree(name, ignore)
        assert sorted(e.path[1:] for e in hidden.walk() if e.is_file) == expected
        assert all(hidden.lstat("/" + path) for path in expected)
        whole = Stack([name])
        chosen = select(whole, "/", exclude=patterns)
        found = list(contents(whole, chosen.items[0], chosen))
        assert sorted(n for n, e, _ in found if e.is_file) == expected
        for number, (child, _, _) in enumerate(found):
            parent = os.path.dirname(child)
            assert not parent or parent in [n for n, _, _ in found[:number]]


@settings(max_examples=200)
@given(text=st.text(alphabet="ab*?[]^-\\!/. #\n\t{}()+$|é", max_size=12))
def test_any_text_is_a_list_or_an_error(text: str) -> None:
    try:
        found = read_ignorefile(SourceText("x", text))
    except DockerfileError as error:
        assert error.span is not None
    else:
        assert found.matches("a/b") in (True, False)
        assert found.may_match_below("a", negated=True) in (True, False)


@given(
    text=st.text(alphabet="ugoa+-=rwxXst,01", min_size=1, max_size=8), mode=st.integers(0, 0o7777)
)
def test_any_mode_is_applied_or_an_error(text: str, mode: int) -> None:
    try:
        parsed = parse_mode(text)
    except PlanError:
        return
    assert 0 <= parsed.apply(mode, is_dir=False) <= 0o7777


@settings(max_examples=60, deadline=None)
@given(
    links=st.dictionaries(
        NAMES, st.lists(st.sampled_from(["a", "b", "ab", "..", "", "."]), max_size=4), max_size=4
    ),
    path=st.lists(st.sampled_from(["a", "b", "ab", ".."]), max_size=4),
)
def test_no_path_leads_out(links: dict[str, list[str]], path: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for link, target in links.items():
            os.symlink("/".join(target) or "/", os.path.join(name, link))
        try:
            where = Stack([name]).resolve("/".join(path))
        except PathError as error:
            assert "too many levels" in error.message
        else:
            assert where == clean(where)


@pytest.mark.root
def test_the_kernel_merges_alike(tmp_path: Path) -> None:
    """A stack and an upper made on it look the same through a mount of overlayfs."""
    low = make(tmp_path / "1", {"gone/f": "1", "o/old": "1", "o/k/x": "1", "t/in": "1", "f": "1"})
    mid = make(tmp_path / "2", {"o/new": "2", "t": "2", "l": "-> o", "deep/er/x": "2"})
    whiteout(mid / "gone")
    opaque(mid / "o")
    upper_dir = tmp_path / "3"
    upper_dir.mkdir()
    upper = Upper(Stack([str(low), str(mid)]), str(upper_dir))
    want = Attributes(0o640, 3, 4)
    upper.put("/t", lambda real: write_file(real, b"3", want, upper.owners))
    upper.put("/deep/er/y", lambda real: write_file(real, b"3", want, upper.owners))
    upper.put("/o", lambda real: write_file(real, b"3", want, upper.owners), replace_dir=True)
    upper.make_dir("/o", Attributes(0o700, 5, 6))
    upper.put("/o/k", lambda real: write_file(real, b"3", want, upper.owners))
    mount = tmp_path / "mount"
    mount.mkdir()
    layers = ":".join(str(p) for p in (upper_dir, mid, low))
    script = f"mount -t overlay -o ro,lowerdir={layers} none {mount} && find {mount} -mindepth 1"
    listing = " -printf '/%P %y %m %U:%G %l\\n' | LC_ALL=C sort"
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script + listing], capture_output=True, text=True, check=False
    )
    if not result.stdout:
        pytest.skip(f"cannot mount overlayfs here: {result.stderr}")
    stack = Stack([str(low), str(mid), str(upper_dir)])
    kinds = {True: "d", False: "f"}
    mine = [
        f"{e.path} {'l' if e.is_link else kinds[e.is_dir]} {e.mode:o} {e.uid}:{e.gid} "
        + (e.target if e.is_link else "")
        for e in stack.walk()
    ]
    assert sorted(mine) == result.stdout.splitlines()
    assert show(upper) == show(stack)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """1500 directories, each in the other."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # shutil would recurse


def test_deep_trees(deep: Path) -> None:
    """Deeper than Python's stack."""
    path = "/d" * 1500
    tree = ContextTree(str(deep), PatternList.parse(["x", "!y"]))
    assert tree.lstat(path) is not None
    assert sum(1 for _ in tree.walk()) == 1500
    stack = Stack([str(deep)])
    assert stack.lstat(path) is not None
    chosen = select(stack, "/", exclude=["x", "!y"])
    assert sum(1 for _ in contents(stack, chosen.items[0], chosen)) == 1500
    hidden = ContextTree(str(deep), PatternList.parse(["d", "!**/y"]))
    assert hidden.children("/") == []
