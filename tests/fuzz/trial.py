"""One input, all the way: what becomes of a text that claims to be a Dockerfile."""

from __future__ import annotations

from jettison.dockerfile.parse import parse
from jettison.errors import JettisonError
from jettison.lint.buildkit import Offline
from jettison.lint.engine import Linter, Selection
from jettison.lint.page import codes
from jettison.model.event import Silent
from jettison.model.platform import Platform
from jettison.plan.needed import needed_images
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan

OPTIONS = PlanOptions(
    build_platform=Platform(architecture="amd64", os="linux"),
    build_args={"BASE": "base", "TOOLS": "tools"},  # what the cases of the corpus ask for
)
LINTER = Linter(options=OPTIONS, selection=Selection(enable=frozenset(codes())))


def outcome(text: str) -> str:
    """``planned``, ``parsed`` or ``refused``: how far a text comes.

    Fails for an error without a message or without a place in the text. Every other exception than
    JettisonError passes through: it is a crash.
    """
    try:
        dockerfile = parse(text, "Dockerfile")
    except JettisonError as error:
        check_located(error, text)
        return "refused"
    try:
        needed_images(dockerfile, OPTIONS)
        plan(dockerfile, OPTIONS, Offline(), Silent())
    except JettisonError as error:
        check_located(error, text)
        return "parsed"
    return "planned"


def check_located(error: JettisonError, text: str) -> None:
    """The error says something, and points into the text."""
    assert error.message
    span = error.span
    assert span is not None, f"no place: {error.message}"
    lines = text.removeprefix("\ufeff").split("\n")
    assert 1 <= span.line <= len(lines), error.message
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1, error.message
    assert span.end_line == 0 or span.line <= span.end_line <= len(lines), error.message


def check_lint(text: str) -> None:
    """Linting raises nothing, every finding has its place, and mending keeps a text valid."""
    count = text.count("\n") + 1
    for finding in LINTER.lint(text, "Dockerfile").findings:
        assert finding.where is not None, finding
        assert 1 <= finding.where.line <= count, finding
    LINTER.fix(text, "Dockerfile")  # raises InternalError if an edit breaks the Dockerfile
