"""What people (and harnesses) see of an error, and the exit status."""

from __future__ import annotations

import errno
import re

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.cli.errors import excerpt, exit_status, render
from jettison.cli.output import OutputClosed
from jettison.errors import (
    Cancelled,
    DockerfileError,
    InternalError,
    JettisonError,
    PlanError,
    RunError,
    UsageError,
)
from jettison.model.span import SourceText, Span

DOCKERFILE = SourceText(
    "Dockerfile",
    "FROM debian\nWORKDIR /src\nRUNN make\nCOPY a b\nUSER me\nRUN \\\n  a && \\\n  b\n",
)


def test_a_wrong_line_is_shown_marked_with_its_neighbours_and_a_caret() -> None:
    error = DockerfileError(
        "unknown instruction: RUNN", hint="did you mean RUN?", span=Span(DOCKERFILE, 3)
    )
    assert render(error) == (
        "Dockerfile:3\n"
        "--------------------\n"
        "   1 |     FROM debian\n"
        "   2 |     WORKDIR /src\n"
        "   3 | >>> RUNN make\n"
        "     |     ^\n"
        "   4 |     COPY a b\n"
        "   5 |     USER me\n"
        "--------------------\n"
        "hint: did you mean RUN?\n"
        "error: dockerfile parse error on line 3: unknown instruction: RUNN\n"
    )


def test_every_line_of_a_span_is_marked_and_the_caret_is_at_its_column() -> None:
    assert excerpt(Span(DOCKERFILE, 6, column=5, end_line=8)) == (
        "Dockerfile:6\n"
        "--------------------\n"
        "   4 |     COPY a b\n"
        "   5 |     USER me\n"
        "   6 | >>> RUN \\\n"
        "     |         ^\n"
        "   7 | >>>   a && \\\n"
        "   8 | >>>   b\n"
        "--------------------\n"
    )


def test_the_caret_stands_below_the_column_also_after_tabs() -> None:
    lines = excerpt(Span(SourceText("Dockerfile", "RUN\tmake"), 1, column=5)).splitlines()
    assert lines[2].index("make") == lines[3].index("^")


def test_a_very_long_line_is_clipped_around_the_column() -> None:
    text = "RUN " + "a" * 5000 + "HERE" + "b" * 5000
    lines = excerpt(Span(SourceText("Dockerfile", text), 1, column=5005)).splitlines()
    assert max(map(len, lines)) < 230
    assert lines[2][lines[3].index("^") :].startswith("HERE")


def test_the_line_buildkit_prints_is_found_by_harnesses() -> None:
    text = render(PlanError("no such stage", span=Span(DOCKERFILE, 4)))
    assert re.findall(r"^Dockerfile[^\s:]*:(\d+)$", text, re.M) == ["4"]
    assert text.endswith("\nerror: no such stage\n")


def test_a_parse_error_is_not_announced_twice_nor_for_a_dockerignore() -> None:
    said = DockerfileError("dockerfile parse error on line 3: x", span=Span(DOCKERFILE, 3))
    assert render(said).count("dockerfile parse error") == 1
    ignore = SourceText(".dockerignore", "!\n")
    error = DockerfileError("illegal exclusion pattern", span=Span(ignore, 1))
    assert render(error).splitlines()[-1] == "error: illegal exclusion pattern"


def test_a_failed_command_shows_its_last_lines_its_instruction_and_its_log() -> None:
    error = RunError(
        'process "/bin/sh -c make" did not complete successfully: exit code: 2',
        status=2,
        tail=("cc main.c\n", "10%\r100%\n", "\x1b[31mmain.c:1: error\x1b[0m\n"),
        log="/store/logs/1",
        span=Span(SourceText("Dockerfile", "FROM a\nRUN make\n"), 2),
    )
    assert render(error) == (
        "------\n"
        " > RUN make\n"
        "cc main.c\n"
        "100%\n"
        "main.c:1: error\n"
        "------\n"
        "Dockerfile:2\n"
        "--------------------\n"
        "   1 |     FROM a\n"
        "   2 | >>> RUN make\n"
        "     |     ^\n"
        "--------------------\n"
        "the whole log is in /store/logs/1\n"
        'error: process "/bin/sh -c make" did not complete successfully: exit code: 2\n'
    )


def test_an_error_of_no_file_is_its_message_and_hint() -> None:
    assert render(JettisonError("no such image", hint="see jettison images")) == (
        "hint: see jettison images\nerror: no such image\n"
    )


def test_messages_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in render(JettisonError("\x1b[2Jgone", hint="\x1b[31m"))


def test_colour_is_added_around_the_same_text() -> None:
    error = DockerfileError("bad", hint="good", span=Span(DOCKERFILE, 3))
    coloured = render(error, True)
    assert "\x1b[1;31merror:\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(error)


def test_a_bug_shows_traceback_and_where_to_report_it() -> None:
    try:
        raise InternalError("tree has no root")
    except InternalError as error:
        text = render(error)
    assert "Traceback" in text
    assert "please report it" in text
    assert text.endswith("error: internal error: InternalError: tree has no root\n")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JettisonError("x"), 1),
        (RunError("x", status=7), 1),
        (UsageError("x"), 2),
        (click.UsageError("x"), 2),
        (InternalError("x"), 70),
        (KeyError("x"), 70),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (OSError(errno.ENOENT, "No such file"), 70),
        (Cancelled(), 130),
        (KeyboardInterrupt(), 130),
        (click.exceptions.Exit(0), 0),
        (SystemExit(3), 3),
        (OutputClosed(), 1),
    ],
)
def test_exit_status(error: BaseException, status: int) -> None:
    assert exit_status(error) == status
    assert ("please report it" in render(error)) == (status == 70)


@pytest.mark.parametrize("error", [JettisonError("x"), UsageError("x"), click.UsageError("x")])
def test_run_says_125_as_docker_does(error: BaseException) -> None:
    assert exit_status(error, ["run", "image"]) == 125


def test_an_interruption_says_what_was_running() -> None:
    assert render(Cancelled("[build 2/5] RUN make")) == "error: interrupted: [build 2/5] RUN make\n"
    assert render(KeyboardInterrupt()) == "error: interrupted\n"


@settings(max_examples=60)
@given(
    st.text(max_size=60),
    st.integers(-1, 9),
    st.integers(-1, 70),
    st.integers(0, 9),
    st.text(max_size=20),
)
def test_any_span_of_any_text_can_be_shown(
    text: str, line: int, column: int, end: int, message: str
) -> None:
    span = Span(SourceText("Dockerfile", text), line, column, end)
    shown = render(DockerfileError(message, span=span))
    assert shown.startswith(f"Dockerfile:{line}\n")
    assert "\x1b" not in shown
