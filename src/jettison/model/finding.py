"""A finding: what a check noticed, shared by lint, audit and slim."""

from __future__ import annotations

from msgspec import Struct

from jettison.model.span import Span


class Finding(Struct, frozen=True):
    """``code`` is stable (``StageNameCasing``); ``severity`` is error, warning or note.

    ``fix`` says in words what to do; ``url`` is the page that documents the rule.
    """

    code: str
    severity: str
    message: str
    where: Span | None = None
    evidence: str = ""
    fix: str = ""
    url: str = ""
