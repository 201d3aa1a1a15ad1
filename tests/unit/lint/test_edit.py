"""Edits: what they do not name stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.dockerfile.parser import parse_ast
from jettison.errors import DockerfileError
from jettison.lint.edit import Edit, Places, apply_edits

LINES = st.sampled_from(
    [
        "FROM debian:12 AS build",
        "# a comment",
        "",
        "  ",
        "RUN a && \\",
        "    b --flag='x y' \\",
        "    # inside",
        '\tENV a=b c="d e"',
        "copy --from=build /a  /b",
        "LABEL x=é☃",
        "EXPOSE 80/TCP",
        "RUN <<EOF",
        "text $x",
        "EOF",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    """Texts that may or may not be Dockerfiles, with an instruction first."""
    lines = ["FROM scratch", *draw(st.lists(LINES, max_size=12))]
    return "".join(line + draw(ENDS) for line in lines) + draw(st.sampled_from(["", "RUN x"]))


@settings(max_examples=150, deadline=None)
@given(dockerfiles())
def test_putting_every_word_in_its_own_place_changes_nothing(text: str) -> None:
    try:
        ast = parse_ast(text, "f")
    except DockerfileError:
        return
    places = Places(ast.source)
    groups = [
        places.replace(node, word, word.value)
        for node in ast.nodes
        for word in (node.keyword, *node.flags, *node.words)
        if word.value
    ]
    assert any(groups)
    assert apply_edits(text, groups) == text


@settings(max_examples=150, deadline=None)
@given(dockerfiles(), st.data())
def test_what_lies_between_edits_stays(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
    a, b, c, d = cuts
    if a == c:
        return
    edited = apply_edits(text, [(Edit(a, b, "<1>"),), (Edit(c, d, "<2>"),)])
    if b > c or (b == c and a == b):
        return
    assert edited == text[:a] + "<1>" + text[b:c] + "<2>" + text[d:]


@settings(max_examples=100, deadline=None)
@given(dockerfiles())
def test_places_are_those_of_the_lines(text: str) -> None:
    from jettison.model.span import SourceText

    places = Places(SourceText("f", text))
    for offset in range(len(text)):
        span = places.span(offset)
        assert places.offset(span.line, span.column) == offset
        assert text[:offset].count("\n") + 1 == span.line


def test_a_group_is_made_as_a_whole_or_not_at_all() -> None:
    groups = [(Edit(0, 1, "A"),), (Edit(3, 4, "D"), Edit(0, 1, "x")), (Edit(2, 3, "C"),)]
    assert apply_edits("abcd", groups) == "AbCd"


def test_two_insertions_at_one_place_are_not_both_made() -> None:
    assert apply_edits("ab", [(Edit(1, 1, "1"),), (Edit(1, 1, "2"),)]) == "a1b"


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("RUN a \\\n  b\n", False),  # the word is the whole rest, over two lines
        ("RUN a b\n", True),
        ('FROM --platform="x" y\n', False),  # the flag is written with quotes
    ],
)
def test_only_what_stands_there_in_one_piece_is_replaced(text: str, replaced: bool) -> None:
    ast = parse_ast(text, "f")
    node = ast.nodes[0]
    word = node.flags[0] if node.flags else node.words[0]
    assert bool(Places(ast.source).replace(node, word, "new")) is replaced
