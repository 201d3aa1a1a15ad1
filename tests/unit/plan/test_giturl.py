"""Which texts name git repositories, and what they say (checklist AD-12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.errors import PlanError
from jettison.plan.giturl import GitUrl, find_git_url, parse_git_url


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://h/a.git", GitUrl("https://h/a.git")),
        ("https://u:p@h:8443/a/b.git#v1.2", GitUrl("https://u:p@h:8443/a/b.git", ref="v1.2")),
        ("http://h/a.git#feature/x:dir/sub", GitUrl("http://h/a.git", "feature/x", "dir/sub")),
        ("https://h/a.git#:dir/../../up/", GitUrl("https://h/a.git", subdir="up")),
        ("git://h/a", GitUrl("git://h/a")),
        ("ssh://git@h:22/a#main", GitUrl("ssh://git@h:22/a", ref="main")),
        ("git@h:a/b", GitUrl("git@h:a/b")),
        ("git@h:a/b.git#r:d", GitUrl("git@h:a/b.git", ref="r", subdir="d")),
        ("git@h:a?tag=v1", GitUrl("git@h:a", ref="refs/tags/v1")),
        ("https://h/a.git?branch=main", GitUrl("https://h/a.git", ref="refs/heads/main")),
        (
            f"https://h/a.git?fetch-by-commit&mtime=commit&checksum={'a' * 40}#v1",
            GitUrl("https://h/a.git", "a" * 40, checksum="a" * 40),
        ),
        (
            f"https://h/a.git?ref={'b' * 40}&fetch-by-commit=true&mtime=checkout",
            GitUrl("https://h/a.git", "b" * 40),
        ),
        (
            "https://h/a.git?ref=r&subdir=s&checksum=abc&keep-git-dir&submodules=false",
            GitUrl("https://h/a.git", "r", "s", "abc", keep_git_dir=True, submodules=False),
        ),
        ("https://h/a.git/", None),
        ("https://h/a.tar.gz", None),
        ("https://h/a.git.txt", None),
        ("github.com/owner/name", None),
        ("./git@h:a", None),
        ("some/path", None),
        ("file:///a.git", None),
        ("C:/windows", None),
    ],
)
def test_find(text: str, found: GitUrl | None) -> None:
    assert find_git_url(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "https://h/a.git?nonsense=1",
        "https://h/a.git?ref=",
        "https://h/a.git?ref=a&ref=b",
        "https://h/a.git?ref=a#b",
        "https://h/a.git?tag=a&branch=b",
        "https://h/a.git?keep-git-dir=perhaps",
    ],
)
def test_malformed_query(text: str) -> None:
    with pytest.raises(PlanError):
        find_git_url(text)


def test_a_context_may_be_short() -> None:
    assert parse_git_url("github.com/o/n#r") == GitUrl("https://github.com/o/n", ref="r")
    with pytest.raises(PlanError, match="not the URL of a git repository"):
        parse_git_url("https://h/a.tar")


@given(
    st.text(max_size=40) | st.from_regex(r"https?://[^/]*/[^\n]*\.git[?#][^\n]*", fullmatch=True)
)
def test_no_text_is_too_odd(text: str) -> None:
    try:
        found = find_git_url(text)
    except PlanError:
        return
    assert found is None or ".." not in found.subdir.split("/")
