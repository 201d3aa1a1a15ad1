"""Relations between packages, as Debian policy chapter 7 writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.errors import PackageError
from jettison.packages.relation import (
    Relation,
    group_text,
    parse_provides,
    parse_relation,
    parse_relations,
)


def test_groups_are_separated_by_commas_and_alternatives_by_bars() -> None:
    found = parse_relations("libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0,\n perl:any")
    assert found == (
        (Relation("libc6", ">=", "2.34"),),
        (Relation("debconf", ">=", "0.5"), Relation("debconf-2.0")),
        (Relation("perl", qualifier="any"),),
    )


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("a", Relation("a")),
        ("a(>=1)", Relation("a", ">=", "1")),
        ("a ( << 1:2-3 )", Relation("a", "<<", "1:2-3")),
        ("a (< 1)", Relation("a", "<=", "1")),
        ("a (> 1)", Relation("a", ">=", "1")),
        ("g++-12:native", Relation("g++-12", qualifier="native")),
        ("a [amd64 arm64]", Relation("a", architectures=("amd64", "arm64"))),
        ("a (= 1) [!i386]", Relation("a", "=", "1", architectures=("!i386",))),
        (
            "a <!nocheck> <cross stage1>",
            Relation("a", profiles=(("!nocheck",), ("cross", "stage1"))),
        ),
    ],
)
def test_forms_of_a_relation(text: str, relation: Relation) -> None:
    assert parse_relation(text) == relation


@pytest.mark.parametrize(
    "text",
    ["", "|", "a |", "a b", "a (1)", "a (>= )", "a (>= 1", "a (~ 1)", "a [amd64", "-a", "a:"],
)
def test_what_is_no_relation_is_refused(text: str) -> None:
    with pytest.raises(PackageError):
        parse_relation(text)


def test_empty_groups_are_passed_over() -> None:
    assert parse_relations(" , a,, b ,") == ((Relation("a"),), (Relation("b"),))
    assert parse_relations("") == ()


@pytest.mark.parametrize(
    ("operator", "admitted"),
    [("<<", "1~"), ("<=", "1~ 1"), ("=", "1"), (">=", "1 1+b1"), (">>", "1+b1")],
)
def test_versions_that_are_admitted(operator: str, admitted: str) -> None:
    relation = Relation("a", operator, "1")
    assert [v for v in ("1~", "1", "1+b1") if relation.admits(v)] == admitted.split()


@pytest.mark.parametrize(
    ("text", "applies"),
    [
        ("a", True),
        ("a [amd64]", True),
        ("a [arm64]", False),
        ("a [!amd64]", False),
        ("a [!arm64 !i386]", True),
        ("a [linux-any]", True),
        ("a [any-amd64]", True),
        ("a <!nocheck>", True),
        ("a <nocheck>", False),
        ("a <nocheck> <!cross>", True),
    ],
)
def test_whom_a_relation_is_for(text: str, applies: bool) -> None:
    assert parse_relation(text).applies("amd64") is applies


def test_build_profiles_that_are_active() -> None:
    assert parse_relation("a <nocheck>").applies("amd64", frozenset({"nocheck"}))
    assert not parse_relation("a <!nocheck>").applies("amd64", frozenset({"nocheck"}))


def test_a_provided_version_is_exact() -> None:
    assert parse_provides("a, b (= 1)") == (Relation("a"), Relation("b", "=", "1"))
    with pytest.raises(PackageError, match="cannot provide b"):
        parse_provides("b (>= 1)")


NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,6}", fullmatch=True)
RELATIONS = st.builds(
    Relation,
    name=NAMES,
    operator=st.just(">="),
    version=st.from_regex(r"[0-9][a-z0-9.+~]{0,5}", fullmatch=True),
    qualifier=st.sampled_from(["", "any"]),
    architectures=st.lists(st.sampled_from(["amd64", "arm64"]), max_size=2).map(tuple),
    profiles=st.lists(st.just(("!nocheck", "x")), max_size=2).map(tuple),
)


@given(st.lists(st.lists(RELATIONS, min_size=1, max_size=3).map(tuple), max_size=3))
def test_what_is_written_is_read_as_the_same(groups: list[tuple[Relation, ...]]) -> None:
    assert parse_relations(", ".join(map(group_text, groups))) == tuple(groups)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_relations(text)
    except PackageError as error:
        assert error.message
