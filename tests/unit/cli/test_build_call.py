"""``jettison build --call targets`` and ``outline``: tables and documents as buildx prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jettison.cli.main import run

DOCKERFILE = """\
# V is a version
ARG V=1
FROM scratch AS base
ARG V
# prod ships it
FROM base AS prod
RUN --mount=type=secret,id=key,required --mount=type=ssh true
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JETTISON_ROOT", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


@pytest.mark.root
@pytest.mark.usefixtures("context")
def test_tables(capfd: pytest.CaptureFixture[str]) -> None:
    """As ``buildctl build --opt requestid=frontend.targets`` (and outline) prints them."""
    assert run(["build", "--call", "targets", "."]) == 0
    assert capfd.readouterr().out == (
        "TARGET         DESCRIPTION\nbase           \nprod (default) ships it\n"
    )
    assert run(["build", "--call", "outline", "--build-arg", "V=2", "."]) == 0
    assert capfd.readouterr().out == (
        "TARGET:      prod\nDESCRIPTION: ships it\n\n"
        "BUILD ARG   VALUE   DESCRIPTION\nV           2       \n\n"
        "SECRET   REQUIRED\nkey      true\n\n"
        "SSH       REQUIRED\ndefault   \n\n"
    )


@pytest.mark.root
@pytest.mark.usefixtures("context")
def test_documents(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["build", "--call", "targets,format=json", "."]) == 0
    document = json.loads(capfd.readouterr().out)
    line = {"ranges": [{"start": {"line": 3}, "end": {"line": 3}}]}
    assert document["targets"][0] == {"name": "base", "base": "scratch", "location": line}
    assert document["targets"][1]["default"] is True
    assert run(["build", "--call", "outline,format=json", "."]) == 0
    document = json.loads(capfd.readouterr().out)
    assert [(a["name"], a["value"], a["description"]) for a in document["args"]] == [
        ("V", "1", "is a version")
    ]
    assert document["secrets"][0]["required"] is True
    assert "required" not in document["ssh"][0]
