"""Reading challenges."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.registry.auth import Challenge, basic, parse_challenges


def test_a_bearer_challenge() -> None:
    text = 'Bearer realm="https://auth.example/token",service="r.example",scope="a:b:pull,push"'
    parameters = {
        "realm": "https://auth.example/token", "service": "r.example", "scope": "a:b:pull,push",
    }  # fmt: skip
    assert parse_challenges([text]) == [Challenge("bearer", parameters)]


def test_several_in_one_header_and_in_several() -> None:
    found = parse_challenges(['Basic realm="a, b", Bearer realm=x , service="q\\"q"', "Negotiate"])
    assert found == [
        Challenge("basic", {"realm": "a, b"}),
        Challenge("bearer", {"realm": "x", "service": 'q"q'}),
        Challenge("negotiate", {}),
    ]


def test_nothing_and_nonsense() -> None:
    assert parse_challenges([]) == []
    assert parse_challenges(["", ",,,", '="x"', "\x00"]) == []


def test_basic_is_utf8() -> None:
    assert basic("ada", "pä:ss") == "Basic YWRhOnDDpDpzcw=="  # RFC 7617 section 2.1


@settings(max_examples=200)
@given(st.lists(st.text('Bb =,"\\x', max_size=40), max_size=3))
def test_any_header_is_read(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower() != ""
