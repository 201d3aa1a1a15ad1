"""What a build sees of a context; the expectations are what BuildKit's client sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from jettison.errors import DockerfileError, PathError
from jettison.fs.context import ContextTree
from jettison.fs.follow import followed
from jettison.fs.select import select
from tests.unit.fs.trees import make


@pytest.fixture
def tree(tmp_path: Path) -> ContextTree:
    files = {
        "a": "a",
        "d/c": "c",
        "d/e/e": "e",
        "d/la": "-> ../a",
        "em": None,
        "ld": "-> d",
        "p/q/1": "1",
        "p/3": "3",
    }
    return ContextTree(str(make(tmp_path / "ctx", files)))


def names(tree: ContextTree, *paths: str) -> str:
    return " ".join(entry.path[1:] for entry in followed(tree, paths).walk())


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("/d/nope*",), ""),
        (("/d/nope*", "/d/c"), "d d/c"),
        (("/em/*",), ""),
        (("/em/*", "/em"), "em"),
        (("/d/e*",), "d d/e d/e/e"),
        (("/p/*/*",), "p p/q p/q/1"),
        (("/p/*/./*",), "p p/q p/q/1"),
        (("/ld/c*",), "d d/c ld"),
        (("/ld/nope*",), "ld"),
        # What a pattern matches with links is sent whole.
        (("/*/e",), "a d d/c d/e d/e/e d/la em ld p p/3 p/q p/q/1"),
        (("/d/*/e",), "d d/c d/e d/e/e d/la"),
    ],
)
def test_only_what_is_named(tree: ContextTree, paths: tuple[str, ...], expected: str) -> None:
    assert names(tree, *paths) == expected


@pytest.mark.parametrize("paths", [(), ("/d", "/a"), ("/", "/d/nope*"), ("/./", "/x*")])
def test_the_whole_tree_if_nobody_can_tell(tree: ContextTree, paths: tuple[str, ...]) -> None:
    assert followed(tree, paths) is tree


def test_malformed_pattern(tree: ContextTree) -> None:
    with pytest.raises(DockerfileError, match="malformed pattern"):
        names(tree, "/p/[", "/a*")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    tree = ContextTree(str(make(tmp_path, {"x": "-> y", "y": "-> x", "f": "f"})))
    assert names(tree, "/x/*", "/f") == "f x y"


def test_a_pattern_that_hides_its_directory_says_so(tree: ContextTree) -> None:
    with pytest.raises(PathError, match='"/d": not found') as caught:
        select(followed(tree, ["/d/nope*"]), "/d/nope*")
    assert caught.value.hint == (
        "/d is there, but nothing in it matches, and no instruction names it"
    )
