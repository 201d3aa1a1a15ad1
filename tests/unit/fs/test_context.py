"""Build contexts behind a .dockerignore; the trees are those of the recorded ignore-* cases."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jettison.errors import PathError
from jettison.fs.context import ContextTree
from jettison.fs.patterns import read_ignorefile
from jettison.model.span import SourceText
from tests.unit.fs.trees import make


def context(tmp_path: Path, ignore: str, *files: str) -> ContextTree:
    """Files by name; a name that ends in a slash is a directory, ``a>b`` a link."""
    made: dict[str, str | None] = {}
    for name in files:
        link, arrow, target = name.partition(">")
        if arrow:
            made[link] = f"-> {target}"
        else:
            made[name] = None if name.endswith("/") else name
    root = make(tmp_path / "ctx", made)
    return ContextTree(str(root), read_ignorefile(SourceText(".dockerignore", ignore)))


def names(tree: ContextTree) -> str:
    return " ".join(entry.path[1:] for entry in tree.walk())


@pytest.mark.parametrize(
    ("ignore", "files", "expected"),
    [
        ("# comment\nba*\n\n  spaced.txt  \n!bay\n", "foo bar baz bay spaced.txt", "bay foo"),
        (
            "node_modules\n/build\nsub/skip\n*.log\ntmp/\n",
            "node_modules/a/f lib/node_modules/f build/x/f lib/build/f sub/skip/deep/f "
            "sub/keep/f tmp/x/f a.log sub/b.log",
            "lib lib/build lib/build/f lib/node_modules lib/node_modules/f "
            "sub sub/b.log sub/keep sub/keep/f",
        ),
        (
            "./one\ntwo/\nthree/../four\nfi[vV]e\ns?x\n\\!seven\neig\\*ht\n",
            "one two/f three/f four five fiVe fixe sax soox !seven eig*ht eigxht",
            "eigxht fixe soox three three/f",
        ),
        (
            "**/*.o\n**/cache\ndocs/**/draft*\nmedia/**\nx**y\n",
            "m.o a/n.o a/b/o.o a/b/cache/f a/cachefile cache/f docs/draft1 docs/one/draft2 "
            "docs/one/two/draft3 docs/one/final media/in/pic media/top xy x1y x/d/y x/d/z",
            "a a/b a/cachefile docs docs/one docs/one/final docs/one/two media x x/d x/d/z x1y",
        ),
        (
            "dir\n!dir/keep\n!dir/sub/deep.txt\ndir/keep/not\n*.md\n!README*.md\nREADME-secret.md",
            "dir/a dir/keep/b dir/keep/not/c dir/sub/deep.txt dir/sub/other other.md README.md "
            "README-secret.md",
            "README.md dir dir/keep dir/keep/b dir/sub dir/sub/deep.txt",
        ),
        ("hidden\nd/only\nlnk2\n", "hidden d/only lnk>hidden lnk2>d e/", "d e lnk"),
        ("*\n!src/**/*.py\n", "a src/b src/x/c.py src/y/d.c", "src src/x src/x/c.py"),
        ("*\n!gone\n", "a b/c", ""),
        ("**\n!keep\n", "keep/a/b c", "keep keep/a keep/a/b"),
        ("!a\n", "a b", "a b"),
    ],
)
def test_what_is_seen(tmp_path: Path, ignore: str, files: str, expected: str) -> None:
    assert names(context(tmp_path, ignore, *files.split())) == expected


@pytest.mark.parametrize("listed_first", [False, True])
def test_lookups_agree_with_listings(tmp_path: Path, listed_first: bool) -> None:
    files = ["a/b/c", "a/b/d", "a/e", "x/y", "l>a/b"]
    tree = context(tmp_path, "a\n!a/b/c\nx/y\n", *files)
    if listed_first:
        assert names(tree) == "a a/b a/b/c l x"
    seen = [
        p for p in ("a", "a/b", "a/b/c", "a/b/d", "a/e", "x", "x/y", "l") if tree.lstat("/" + p)
    ]
    assert seen == ["a", "a/b", "a/b/c", "x", "l"]
    assert tree.lstat("/l/c") is None
    assert tree.resolve("/l/c") == "/a/b/c"
    assert [e.path for e in tree.children("/l")] == []


def test_a_link_to_an_ignored_file_leads_nowhere(tmp_path: Path) -> None:
    tree = context(tmp_path, "hidden\n", "hidden", "lnk>hidden")
    assert tree.resolve("/lnk") == "/hidden"
    assert tree.lstat("/hidden") is None


def test_links_stay_inside(tmp_path: Path) -> None:
    make(tmp_path, {"secret": "s"})
    tree = context(tmp_path, "", "up>../../secret", "abs>/f", "f")
    assert tree.lstat(tree.resolve("/up")) is None
    assert tree.resolve("/abs") == "/f"


def test_explains_what_is_ignored(tmp_path: Path) -> None:
    tree = context(tmp_path, "a\n*.key\n", "a/b", "x.key", "c")
    assert "excluded by 'a'" in (tree.explain_missing("/a/b") or "")
    assert "excluded by '*.key'" in (tree.explain_missing("/x.key") or "")
    assert tree.explain_missing("/c") is None
    assert tree.explain_missing("/nothing.key") is None


def test_excluded_directories_are_not_read(tmp_path: Path) -> None:
    tree = context(tmp_path, "big\n!src/keep\n", "big/a/b/c", "src/keep")
    names(tree)
    assert sorted(tree._listed) == ["/", "/src"]


def test_not_a_directory(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="is not a directory"):
        ContextTree(str(tmp_path / "gone"))


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = context(tmp_path, "", "d/f")

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PathError, match="/d: Permission denied") as caught:
        tree.children("/d")
    assert ".dockerignore" in (caught.value.hint or "")
