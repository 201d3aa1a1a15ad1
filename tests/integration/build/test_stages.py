"""Which stages run, and when."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root

EIGHT = """\
FROM base AS deps
RUN echo deps > /deps
FROM base AS left
RUN --mount=type=cache,target=/meet,id=meet-$NAME sh /wait
FROM deps AS unused1
RUN --mount=type=cache,target=/ran,id=ran-ID touch /ran/unused1
FROM unused1 AS unused2
RUN --mount=type=cache,target=/ran,id=ran-ID touch /ran/unused2
FROM base AS tool
RUN --mount=type=cache,target=/ran,id=ran-ID touch /ran/tool && echo tool > /tool
FROM base AS unused3
RUN --mount=type=cache,target=/ran,id=ran-ID touch /ran/unused3
FROM base AS right
COPY --from=deps /deps /deps
FROM base
COPY --from=tool /tool /tool
COPY --from=right /deps /deps
RUN --mount=type=cache,target=/ran,id=ran-ID ls /ran > /ran-list
"""


def test_of_eight_stages_those_not_needed_never_run(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    text = EIGHT.replace("RUN --mount=type=cache,target=/meet,id=meet-$NAME sh /wait", "RUN true")
    directory = context(text.replace("ran-ID", f"ran-{tmp_path.name}"))
    jettison.build(directory, "--output", f"type=local,dest={tmp_path}/out")
    assert (tmp_path / "out/ran-list").read_text() == "tool\n"
    assert (tmp_path / "out/deps").read_text() == "deps\n"


def test_two_independent_stages_overlap_in_time(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    """Each waits for the other's marker in a shared cache mount, so neither can go first."""
    meet = f"--mount=type=cache,target=/meet,id=meet-{tmp_path.name}"
    wait = "for i in $(seq 100); do [ -e /meet/{other} ] && exit 0; sleep 0.1; done; exit 1"
    directory = context(
        "FROM base AS a\n"
        f"RUN {meet} touch /meet/a /a; {wait.format(other='b')}\n"
        "FROM base AS b\n"
        f"RUN {meet} touch /meet/b /b; {wait.format(other='a')}\n"
        "FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
    )
    jettison.build(directory, "--output", f"type=local,dest={tmp_path}/out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "b"]


def test_an_unchanged_build_runs_nothing(jettison: Jettison, context: Callable[..., Path]) -> None:
    directory = context("FROM base\nCOPY file /file\nRUN cat /file > /copy\n", file="x\n")
    jettison.build(directory, "-t", "again")
    first = jettison.inspect("again")
    second = jettison.build(directory, "-t", "again")
    assert jettison.inspect("again") == first
    assert len(re.findall(r"^#\d+ CACHED", second.stderr, re.MULTILINE)) >= 2
    assert "DONE" not in re.sub(r"(?s).*?CACHED", "", second.stderr, count=1).split("export")[0]


def test_a_copied_file_that_comes_out_the_same_keeps_what_follows(
    jettison: Jettison, context: Callable[..., Path]
) -> None:
    """The second tier of keys: the stage runs again, its output is the same."""
    template = (
        "FROM base AS build\nCOPY source /source\nRUN grep -v '^#' /source > /out\n"
        "FROM base\nCOPY --from=build /out /out\nRUN cat /out > /final && sha256sum /final\n"
    )
    jettison.build(context(template, source="a\n"), "-t", "same")
    before = jettison.inspect("same")["RootFS"]["Layers"]
    done = jettison.build(context(template, source="# a comment\na\n"), "-t", "same")
    assert jettison.inspect("same")["RootFS"]["Layers"] == before
    assert "RUN cat /out" in done.stderr
    assert not re.search(r"^#\d+ [\d.]+ [0-9a-f]{64}", done.stderr, re.MULTILINE)
