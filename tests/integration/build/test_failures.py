"""What the user sees when a build fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root


def test_a_failing_run_shows_lines_place_status_and_log(
    jettison: Jettison, context: Callable[..., Path]
) -> None:
    directory = context(
        "FROM base\nRUN echo before\nRUN seq 1 50 && \\\n    echo oh no >&2 && exit 7\n"
    )
    done = jettison.build(directory, "-t", "broken", check=False)
    assert done.returncode == 1
    assert re.search(r"^Dockerfile:3$", done.stderr, re.MULTILINE)
    assert re.search(r"^ *3 \| >>> RUN seq 1 50", done.stderr, re.MULTILINE)
    assert "exit code: 7" in done.stderr
    tail = done.stderr.rsplit("#", 1)[-1]
    assert "oh no" in tail
    assert "Traceback" not in done.stderr
    log = re.search(r"(/\S+\.log)", done.stderr)
    assert log is not None
    whole = Path(log[1]).read_text()
    lines = whole.splitlines()  # two pipes: which is read first is open
    lines.remove("oh no")
    assert lines == [str(n) for n in range(1, 51)]
    assert jettison("inspect", "broken", check=False).returncode == 1


def test_a_syntax_error_shows_line_caret_and_hint(
    jettison: Jettison, context: Callable[..., Path]
) -> None:
    done = jettison.build(context("FROM base\nRUM echo hi\n"), check=False)
    assert done.returncode == 1
    assert "Dockerfile:2" in done.stderr
    assert re.search(r"^ *2 \| (>>> )?RUM echo hi\n[ |]*\^", done.stderr, re.MULTILINE)
    assert "RUN" in done.stderr.split("RUM echo hi", 1)[1]
    assert "Traceback" not in done.stderr


def test_a_missing_file_names_it_and_suggests_a_neighbour(
    jettison: Jettison, context: Callable[..., Path]
) -> None:
    done = jettison.build(
        context("FROM base\nCOPY config.yml /\n", **{"config.yaml": ""}), check=False
    )
    assert done.returncode == 1
    assert '"/config.yml": not found' in done.stderr
    assert "config.yaml" in done.stderr.replace("config.yml", "")
    assert "Dockerfile:2" in done.stderr


def test_an_unknown_flag_is_a_usage_error(jettison: Jettison) -> None:
    done = jettison("build", "--taget", "x", ".", check=False)
    assert done.returncode == 2
    assert "--target" in done.stderr


def test_a_failed_build_writes_no_output(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.tar"
    directory = context("FROM base\nRUN false\n")
    done = jettison.build(directory, "--output", f"type=oci,dest={out}", check=False)
    assert done.returncode == 1
    assert not out.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["context"]
