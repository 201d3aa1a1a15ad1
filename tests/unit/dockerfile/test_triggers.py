"""ONBUILD triggers as images store them (O-08 to O-10)."""

from __future__ import annotations

import pytest

from jettison.dockerfile.instructions import Copy, Onbuild, Run
from jettison.dockerfile.parse import parse_trigger
from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span
from tests.unit.dockerfile.common import only

FROM = Span(SourceText("Dockerfile", "FROM base"), 1, 1, 1)


def refused(text: str) -> DockerfileError:
    with pytest.raises(DockerfileError) as caught:
        parse_trigger(text, FROM)
    return caught.value


def test_typed_at_the_from() -> None:
    copy = parse_trigger("copy --from=Build a /b", FROM)
    assert isinstance(copy, Copy)
    assert (copy.from_, copy.dest, copy.text) == ("Build", "/b", "copy --from=Build a /b")
    assert copy.span is FROM


def test_without_a_place_it_says_where_it_comes_from() -> None:
    assert str(parse_trigger("RUN a").span) == "ONBUILD trigger of the base image:1"


@pytest.mark.parametrize(
    "line", ["RUN cat <<-'A' <<B > x\n\t$a\n\tA\nb\nB", "RUN <<A\n#!/bin/x\nA"]
)
def test_heredocs_survive(line: str) -> None:
    stored = only(Onbuild, f"ONBUILD {line}").expression
    fired = parse_trigger(stored, FROM)
    written = only(Run, line)
    assert isinstance(fired, Run)
    assert [(h.name, h.content, h.expand) for h in fired.command.heredocs] == [
        (h.name, h.content, h.expand) for h in written.command.heredocs
    ]
    assert fired.command.words == written.command.words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NOSUCH a", 'ONBUILD trigger "NOSUCH a" of the base image: unknown instruction: NOSUCH'),
        ("COPY a", 'ONBUILD trigger "COPY a" of the base image: COPY requires at least two'),
        ("RUN --x a", 'ONBUILD trigger "RUN --x a" of the base image: unknown flag: --x'),
        ("FROM a", "FROM isn't allowed as an ONBUILD trigger"),
        ("RUN a\nRUN b", "onbuild trigger should be a single expression"),
        ("RUN <<A\nx", 'ONBUILD trigger "RUN <<A" of the base image: unterminated heredoc'),
        ("", "file with no instructions"),
        ("# c", "file with no instructions"),
    ],
)
def test_refused(text: str, message: str) -> None:
    error = refused(text)
    assert message in error.message
    assert error.span is FROM
    assert error.hint
