"""``build --explain``: which instruction, file and attribute made a step run again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root

TEXT = """\
FROM base AS build
ARG LEVEL=1
WORKDIR /src
COPY . .
RUN cat main.c > /out
FROM base
COPY --from=build /out /out
RUN true
"""


def reasons(stderr: str) -> dict[str, list[str]]:
    """Instruction (as ``COPY``, ``RUN true``) -> why it ran."""
    names = dict(re.findall(r"^#(\d+) \[[^\]]*\] (.*)$", stderr, re.MULTILINE))
    found: dict[str, list[str]] = {}
    for number, reason in re.findall(r"^#(\d+) why: (.*)$", stderr, re.MULTILINE):
        found.setdefault(names[number], []).append(reason)
    return found


def test_each_change_is_named(jettison: Jettison, context: Callable[..., Path]) -> None:
    directory = context(TEXT, **{"main.c": "one\n", "notes": "x", ".dockerignore": "Dockerfile"})

    def build(*flags: str) -> dict[str, list[str]]:
        return reasons(jettison.build(directory, "--explain", *flags).stderr)

    first = build()
    assert set(map(tuple, first.values())) == {("no step like it is remembered",)}
    assert len(first) == 5
    assert build() == {}

    (directory / "main.c").write_text("two\n")
    (directory / "notes").chmod(0o600)
    changed = build()
    assert changed["COPY . ."] == ["main.c: content", "notes: mode 0644 -> 0600"]
    assert changed["RUN cat main.c > /out"] == ["what it is built on changed: [build 3/4] COPY . ."]
    assert changed["COPY --from=build /out /out"] == ["out: content"]

    (directory / "notes").unlink()
    assert build() == {
        "COPY . .": ["notes: removed"],
        "RUN cat main.c > /out": ["what it is built on changed: [build 3/4] COPY . ."],
    }

    assert build("--build-arg", "LEVEL=2") == {
        "RUN cat main.c > /out": ["variable LEVEL: '1' -> '2'"]
    }

    text = TEXT.replace("RUN true", "RUN true && :")
    (directory / "Dockerfile").write_text(text)
    assert build() == {"RUN true && :": ["command: true -> 'true && :'"]}


def test_an_inserted_instruction(jettison: Jettison, context: Callable[..., Path]) -> None:
    directory = context("FROM base\nRUN echo a\nRUN echo b\n")
    jettison.build(directory)
    (directory / "Dockerfile").write_text("FROM base\nRUN echo a\nWORKDIR /new\nRUN echo b\n")
    found = reasons(jettison.build(directory, "--explain").stderr)
    assert found["WORKDIR /new"] == ["no step like it is remembered"]
    assert found["RUN echo b"] == [
        "what it is built on changed: [3/4] WORKDIR /new",
        "working directory: / -> /new",
    ]
