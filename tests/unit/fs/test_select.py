from __future__ import annotations

from pathlib import Path

import pytest

from jettison.errors import DockerfileError, PathError
from jettison.fs.context import ContextTree
from jettison.fs.patterns import PatternList
from jettison.fs.select import contents, select
from jettison.fs.stack import Stack
from tests.unit.fs.trees import make


@pytest.fixture
def tree(tmp_path: Path) -> Stack:
    return Stack(
        [
            str(
                make(
                    tmp_path,
                    {
                        "a.txt": "a",
                        "b.txt": "b",
                        ".hidden.txt": "h",
                        "d/a.txt": "da",
                        "d/e/f": "def",
                        "link": "-> d/e",
                        "file": "-> /d/a.txt",
                        "broken": "-> nowhere",
                        "arr[0].txt": "x",
                        "back\\slash": "y",
                        "star*": "z",
                    },
                )
            )
        ]
    )


def picked(tree: Stack, pattern: str, *, parents: bool = False) -> list[str]:
    found = select(tree, pattern, parents=parents)
    return [f"{item.name}={item.entry.path}" for item in found.items]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.txt", ["a.txt=/a.txt"]),
        ("/a.txt", ["a.txt=/a.txt"]),
        ("../../a.txt//", ["a.txt=/a.txt"]),
        ("d/.", ["d=/d"]),
        (".", ["=/"]),
        ("*.txt", [".hidden.txt=/.hidden.txt", "a.txt=/a.txt", "arr[0].txt=/arr[0].txt"]),
        ("d*/*", ["a.txt=/d/a.txt", "e=/d/e"]),
        ("*/e", ["e=/d/e"]),
        ("link/*", ["f=/d/e/f"]),
        ("l*/f", []),
        ("f?le", ["file=/d/a.txt"]),
        ("link", ["link=/d/e"]),
        ("arr[[]0].txt", ["arr[0].txt=/arr[0].txt"]),
        ("*r\\*", ["star*=/star*"]),
        ("nothing*", []),
        ("back\\slash", ["back\\slash=/back\\slash"]),
    ],
)
def test_patterns(tree: Stack, pattern: str, expected: list[str]) -> None:
    found = picked(tree, pattern)
    assert found[: len(expected)] == expected
    assert pattern == "*.txt" or len(found) == len(expected)


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        ("c.txt", '"/c.txt": not found', "did you mean /"),
        ("A.txt", '"/A.txt": not found', "did you mean /a.txt?"),
        ("dd/e", '"/dd/e": not found', None),
        ("d/aa.txt", '"/d/aa.txt": not found', "did you mean /d/a.txt?"),
        ("gone/*", '"/gone": not found', None),
        ("broken", '"/broken": not found', "symbolic link to nowhere"),
        ("brok*", '"/broken": not found', "symbolic link to nowhere"),
        ("a.txt/below", '"/a.txt/below": not found', None),
        ("[", '"/[": syntax error in pattern', "[[]"),
        ("d/[z-", '"/d/[z-": syntax error in pattern', None),
    ],
)
def test_missing(tree: Stack, pattern: str, message: str, hint: str | None) -> None:
    with pytest.raises(PathError) as caught:
        select(tree, pattern)
    assert caught.value.message == message
    assert hint is None or hint in (caught.value.hint or "")


def test_ignored_sources_say_so(tmp_path: Path) -> None:
    tree = ContextTree(str(make(tmp_path, {"secret": "s"})), PatternList.parse(["sec*"]))
    with pytest.raises(PathError, match='"/secret": not found') as caught:
        select(tree, "secret")
    assert "excluded by 'sec*'" in (caught.value.hint or "")
    assert select(tree, "s*").items == ()


def test_without_wildcards(tree: Stack) -> None:
    assert [i.entry.path for i in select(tree, "star*", wildcard=False).items] == ["/star*"]
    with pytest.raises(PathError):
        select(tree, "*.txt", wildcard=False)


def test_parents_need_what_is_literal(tree: Stack) -> None:
    with pytest.raises(PathError, match='"/d/gone": not found'):
        select(tree, "d/gone", parents=True)
    with pytest.raises(PathError, match='"/d/e/gone": not found'):
        select(tree, "d/./e/gone", parents=True)
    assert picked(tree, "d/./gone*", parents=True) == ["d=/d"]


def test_a_pivot_cuts_nothing_off_a_file(tree: Stack) -> None:
    assert picked(tree, "d*/./e", parents=True) == ["d=/d"]
    assert picked(tree, "a*/./e", parents=True) == picked(tree, "a*") != []


@pytest.mark.parametrize("pattern", [".", "/", "./", "d/./", "d/./.", "./."])
def test_parents_needs_a_name(tree: Stack, pattern: str) -> None:
    with pytest.raises(PathError, match="not found"):
        picked(tree, pattern, parents=True)


def test_parents_needs_something_that_is_not_excluded(tree: Stack) -> None:
    assert taken(tree, "d", "d/*", parents=True) == ["d"]
    for exclude in ("d", "*", "**"):
        with pytest.raises(PathError, match='"/d": not found'):
            taken(tree, "d", exclude, parents=True)


def test_parents_does_not_follow_links(tmp_path: Path) -> None:
    tree = Stack([str(make(tmp_path, {"d/c": "c", "ld": "-> d", "x/y": "-> ../d"}))])
    assert taken(tree, "ld", parents=True) == ["ld"]
    assert taken(tree, "ld/./c*", parents=True) == ["c"]
    for pattern in ("ld/c", "ld/./c", "x/y/c"):
        with pytest.raises(PathError, match="not found"):
            taken(tree, pattern, parents=True)


def taken(tree: Stack, pattern: str, *exclude: str, parents: bool = False) -> list[str]:
    found = select(tree, pattern, parents=parents, exclude=exclude)
    return [
        f"({name})" if implied else name
        for item in found.items
        for name, _, implied in contents(tree, item, found)
    ]


def test_contents(tree: Stack) -> None:
    assert taken(tree, "d") == ["a.txt", "e", "e/f"]
    assert taken(tree, "d", "e", "!e/f") == ["a.txt", "(e)", "e/f"]
    assert taken(tree, "d", "e", "!x/f") == ["a.txt"]
    assert taken(tree, "d/./e/f", parents=True) == ["(e)", "e/f"]
    assert taken(tree, "d/e", parents=True) == ["(d)", "d/e", "d/e/f"]
    assert taken(tree, "d", "**/f", parents=True) == ["d", "d/a.txt", "d/e"]
    assert "d/e/f" in taken(tree, "*", parents=True)


def test_bad_exclude(tree: Stack) -> None:
    with pytest.raises(DockerfileError, match="malformed pattern"):
        select(tree, "d", exclude=["[a"])
