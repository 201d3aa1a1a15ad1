"""The order of Debian versions: rules of deb-version(7), and dpkg itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jettison.errors import PackageError
from jettison.packages.debversion import compare_versions, split_version, version_key

ASCENDING = (
    "0~~",
    "0~",
    "0",
    "0a",
    "0+",
    "1~rc1-1",
    "1-0~bpo1",
    "1",
    "1-0+b1",
    "1-1~deb12u1",
    "1-1",
    "1-1+b1",
    "1-1+deb12u1",
    "1-1.1",
    "1-2",
    "1-10",
    "1.0~beta1~svn1245",
    "1.0~beta1",
    "1.0",
    "1.0a",
    "1.0+git1",
    "1.0-1-1",
    "1.0.1",
    "1.2",
    "1.10",
    "2:0.1",
    "10:0",
)


def test_each_is_older_than_all_after_it() -> None:
    for number, older in enumerate(ASCENDING):
        for newer in ASCENDING[number + 1 :]:
            assert compare_versions(older, newer) < 0, f"{older} < {newer}"
            assert compare_versions(newer, older) > 0, f"{newer} > {older}"


@pytest.mark.parametrize(
    ("left", "right"),
    [("1", "1-0"), ("0:1", "1"), ("1.0", "1.00"), ("1.", "1.0"), ("001", "1"), ("00:1", "1")],
)
def test_equal_without_being_the_same_text(left: str, right: str) -> None:
    assert compare_versions(left, right) == 0


@pytest.mark.parametrize("text", ["", ":1", "a:1", "1:", "1 2", "1_2", "1-", "-1", "1:-1", "é"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(PackageError):
        version_key(text)


def test_a_version_is_split_at_the_first_colon_and_the_last_hyphen() -> None:
    assert split_version("2:1.0-rc-3~deb12u1") == (2, "1.0-rc", "3~deb12u1")
    assert split_version("1:2:3-4") == (1, "2:3", "4")
    assert split_version("17") == (0, "17", "")


def test_endless_versions_are_refused() -> None:
    with pytest.raises(PackageError):
        version_key("1" * 100_000)


VERSIONS = st.builds(
    lambda epoch, upstream, revision: (
        (f"{epoch}:" if epoch else "") + upstream + (f"-{revision}" if revision else "")
    ),
    st.integers(0, 2),
    st.from_regex(r"[0-9][a-bz0-19.+~]{0,6}", fullmatch=True),
    st.from_regex(r"([a-bz0-19.+~]{1,5})?", fullmatch=True),
)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg to compare with")
@settings(max_examples=12, deadline=None, phases=(Phase.generate,))
@given(st.lists(st.tuples(VERSIONS, VERSIONS), min_size=10, max_size=10))
def test_dpkg_orders_them_in_the_same_way(pairs: list[tuple[str, str]]) -> None:
    """Ten pairs to a shell: each question to dpkg is a process."""
    script = "".join(
        f"dpkg --compare-versions '{a}' {op} '{b}' 2>/dev/null && echo {number} {op}\n"
        for number, (a, b) in enumerate(pairs)
        for op in ("lt", "eq", "gt")
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    ours = []
    for number, (a, b) in enumerate(pairs):
        order = compare_versions(a, b)
        ours.append(f"{number} {'lt' if order < 0 else 'gt' if order else 'eq'}")
    assert done.stdout.split("\n")[:-1] == ours


@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_the_order_is_total(versions: list[str]) -> None:
    a, b, c = sorted(versions, key=version_key)
    assert compare_versions(a, b) <= 0
    assert compare_versions(b, c) <= 0
    assert compare_versions(a, c) <= 0
