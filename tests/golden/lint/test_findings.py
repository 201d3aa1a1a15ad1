"""Whole Dockerfiles: what is found, and what they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from jettison.lint.view import Context
from tests.unit.lint.linting import linter

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.Dockerfile"))
CONTEXTS = {"fat": Context(ignored=False, visible=frozenset({"Dockerfile"}))}


def text(name: str) -> str:
    return (HERE / name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    result = linter(context=CONTEXTS.get(name)).lint(text(f"{name}.Dockerfile"), name)
    lines = [
        f"{f.where.line}:{f.where.column} {f.severity} {f.code}\n"
        for f in result.findings
        if f.where is not None
    ]
    assert "".join(lines) == text(f"{name}.findings")


@pytest.mark.parametrize("name", NAMES)
def test_fixed(name: str) -> None:
    assert linter().fix(text(f"{name}.Dockerfile"), name) == text(f"{name}.fixed")
