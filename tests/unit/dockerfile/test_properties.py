"""Whatever the text is: an AST, or a located DockerfileError; and what must hold of every AST."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jettison.dockerfile.ast import Node
from jettison.dockerfile.expand import Expander
from jettison.dockerfile.mounts import parse_mount
from jettison.dockerfile.parse import parse, parse_trigger
from jettison.dockerfile.parser import parse_ast
from jettison.dockerfile.split import KEYWORDS
from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span

SPAN = Span(SourceText("Dockerfile", "FROM x"), 1, 1, 1)
SEED = """\
# syntax=docker/dockerfile:1
# escape=`
ARG A=1 B="x y"
FROM --platform=$P a:${A:-b} AS c
RUN --mount=type=cache,target=/x,sharing=locked --network=none a `
  # comment

  b "$c" <<EOF 3<<-'X'
body ${A}
EOF
\tx
X
COPY --from=c --chown=1:2 --link ["a b", "c"]
ADD --unpack <<E /d
E
ENV a="b c" d=e` f
LABEL a b c
HEALTHCHECK --interval=1m5s --retries=3 CMD ["x"]
ONBUILD RUN <<E
x
E
EXPOSE 80/tcp 1-2
SHELL ["a"]
"""
PIECES = [
    *KEYWORDS,
    *["AS", "# escape=`\n", "# check=skip=A\n", "\\\n", "`\n", "\n", "\r\n", " ", "  ", "\t", "#"],
    *["--", "--from=", "--mount=type=", "=", ",", "<<", "<<-", "EOF", "'", '"', "\\", "`"],
    *["$", "${", "}", ":-", "[", "]", '["a"]', "a", "/x", "1", "\ufeff", "\u00a0", "ä", "\x00"],
    "\udc80",
]
assembled = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
random_texts = st.text(max_size=200)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The seed with some pieces cut out or put in."""
    text = SEED
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 12, len(text))))
        text = text[:start] + draw(st.sampled_from(["", *PIECES])) + text[end:]
    return text


def check_located(error: DockerfileError, text: str) -> None:
    assert error.message
    span = error.span
    assert span is not None
    lines = text.split("\n")
    assert 1 <= span.line <= len(lines)
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1
    assert span.end_line == 0 or span.end_line >= span.line


def test_the_seed_is_a_dockerfile() -> None:
    assert len(parse(SEED, "Dockerfile").stages[0].instructions) == 9


@settings(max_examples=150, deadline=None)
@given(st.one_of(assembled, mutated(), random_texts))
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    try:
        typed = parse(text, "Dockerfile")
    except DockerfileError as error:
        check_located(error, text.removeprefix("\ufeff"))
    else:
        assert typed.stages


@settings(max_examples=100, deadline=None)
@given(st.one_of(assembled, mutated()))
def test_nodes_lie_in_order_and_words_where_they_say(text: str) -> None:
    try:
        ast = parse_ast(text, "Dockerfile")
    except DockerfileError:
        assume(False)
        return
    assert ("\ufeff" if ast.bom else "") + "".join(ast.lines) == text
    end = 0
    for node in ast.nodes:
        assert end < node.joined.first <= node.joined.last <= node.end_line <= len(ast.lines)
        end = node.end_line
        check_words(node)


def check_words(node: Node) -> None:
    """Words follow each other; all but flags and JSON strings stand in the text as they are."""
    offset = node.keyword.offset
    for word in (*node.flags, *node.words):
        assert offset <= word.offset <= len(node.joined.text)
        offset = word.offset
    for word in () if node.json else node.words:
        assert node.joined.text.startswith(word.value, word.offset)


@settings(max_examples=100, deadline=None)
@given(assembled)
def test_triggers(text: str) -> None:
    try:
        assert parse_trigger(text, SPAN).span is SPAN
    except DockerfileError as error:
        assert error.span is SPAN


words = st.lists(
    st.sampled_from([*"ab$ {}:-+?#%/*'\"\\`<", "${a", "${a:-", "${a//", "${a%", "\n", "ä"]),
    max_size=15,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(words, st.sampled_from("\\`"), st.dictionaries(st.sampled_from("ab"), words, max_size=2))
def test_expansion(text: str, escape: str, env: dict[str, str]) -> None:
    expander = Expander(escape, SPAN)
    try:
        whole = expander.word(text, env)
        split = expander.words(text, env)
    except DockerfileError as error:
        assert error.span is SPAN
    else:
        assert all(split)
        assert len("".join(split)) <= len(whole)
    try:
        expander.heredoc(text, env)
    except DockerfileError as error:
        assert error.span is SPAN


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab c\n=:/.é", max_size=30))
def test_expansion_leaves_ordinary_text_alone(text: str) -> None:
    assert Expander().word(text, {"a": "x"}) == text
    assert Expander().heredoc(text, {"a": "x"}) == text
    assert Expander().word(f"'{text}'", {}) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["type", "=", ",", "cache", "ro", "size", "1k", "$", '"', "x"])))
def test_mounts(pieces: list[str]) -> None:
    for expand in (None, str):
        try:
            parse_mount("".join(pieces), expand=expand, span=SPAN)
        except DockerfileError as error:
            assert error.span is SPAN


@pytest.mark.parametrize(
    "text",
    [
        "ONBUILD " * 8000 + "RUN a",
        "RUN [" + "[" * 60000,
        "FROM " + "a " * 30000,
        'ENV a="' + "\\" * 60001,
        "RUN " + "<<A " * 5000,
        "RUN --mount=" + "a=b," * 15000,
        "RUN " + "${a:-" * 10000 + " <<A",
        "# syntax=" + "a/" * 30000,
        '{"syntax":' + "[" * 60000,
        "HEALTHCHECK --interval=0." + "0" * 60000 + "1s CMD x",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_lines_end_soon(text: str) -> None:
    start = time.process_time()
    with pytest.raises(DockerfileError):
        parse(f"{text}\n", "Dockerfile")
    assert time.process_time() - start < 2


def test_ten_thousand_lines_take_less_than_half_a_second() -> None:
    block = (
        "RUN apt-get update && \\\n    apt-get install -y --no-install-recommends curl $p\n"
        'ENV PATH="/opt/bin:$PATH" LANG=C.UTF-8\nCOPY --from=build --link a b /c/\n'
    )
    text = "FROM a AS build\n" + block * 2500
    times = []
    for _ in range(3):
        start = time.process_time()
        parse(text, "Dockerfile")
        times.append(time.process_time() - start)
    assert min(times) < 0.5
