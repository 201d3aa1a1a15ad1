from __future__ import annotations

from pathlib import Path

import pytest

from jettison.errors import PathError
from jettison.fs.stack import Stack
from jettison.fs.tree import clean, parent_of, resolve
from tests.unit.fs.trees import make


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("a/./b//c/", "/a/b/c"),
        ("../../x", "/x"),
        ("/a/../..", "/"),
    ],
)
def test_clean(path: str, expected: str) -> None:
    assert clean(path) == expected


def test_parent() -> None:
    assert [parent_of(p) for p in ("/a/b", "/a", "/")] == ["/a", "/", "/"]


@pytest.fixture
def tree(tmp_path: Path) -> Stack:
    make(
        tmp_path / "outside",
        {"secret": "s"},
    )
    return Stack(
        [
            str(
                make(
                    tmp_path / "root",
                    {
                        "real/sub/f": "x",
                        "abs": "-> /real",
                        "rel": "-> real/sub",
                        "up": "-> ../../../outside",
                        "real/back": "-> ../abs/sub",
                        "dangling": "-> gone/deeper",
                        "chain": "-> rel",
                        "loop": "-> loop",
                        "a": "-> b",
                        "b": "-> a",
                    },
                )
            )
        ]
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/abs/sub/f", "/real/sub/f"),
        ("/rel/f", "/real/sub/f"),
        ("/chain", "/real/sub"),
        ("/up/secret", "/outside/secret"),
        ("/real/back/f", "/real/sub/f"),
        ("/dangling/x", "/gone/deeper/x"),
        ("/rel/..", "/real"),
        ("/rel/../..", "/"),
        ("/no/such/../thing", "/no/thing"),
        ("/", "/"),
        ("//real//./sub/", "/real/sub"),
    ],
)
def test_resolve(tree: Stack, path: str, expected: str) -> None:
    assert tree.resolve(path) == expected


def test_resolve_keeps_the_last_link(tree: Stack) -> None:
    assert tree.resolve("/abs/back", follow_last=False) == "/real/back"


@pytest.mark.parametrize("path", ["/loop", "/a/x"])
def test_loop(tree: Stack, path: str) -> None:
    with pytest.raises(PathError, match="too many levels"):
        tree.resolve(path)


def test_resolve_below_a_root(tree: Stack) -> None:
    """Inside /real, an absolute link starts at /real."""
    assert resolve(tree.lstat, "back", root="/real") == "/real/abs/sub"
    assert resolve(tree.lstat, "../../x", root="/real") == "/real/x"
