"""What a rule is, and what it reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from jettison.dockerfile.instructions import Instruction
from jettison.lint.edit import Edits
from jettison.lint.view import Context, View
from jettison.model.span import Span


class Problem(Struct, frozen=True, kw_only=True):
    """Something a rule has found at an instruction.

    A ``# check=skip=`` above that instruction silences it. ``span`` is more exact than the
    instruction's, ``help`` says what to do, ``severity`` differs from the rule's if set, ``edits``
    mend it.
    """

    instruction: Instruction
    message: str
    help: str
    span: Span | None = None
    evidence: str = ""
    severity: str = ""
    edits: Edits = ()


class Rule(Struct, frozen=True, kw_only=True):
    """A rule with its documentation, which its page and ``--explain`` show.

    ``catches`` and ``misses`` are sentences. ``before`` is a Dockerfile that the rule finds fault
    with, ``after`` the same one mended; the contexts are those the examples are built with.
    """

    code: str
    severity: str
    summary: str
    why: str
    catches: tuple[str, ...]
    misses: tuple[str, ...]
    before: str
    after: str
    check: Callable[[View], Iterator[Problem]]
    on: bool = True
    fixable: bool = False
    before_context: Context = Context()
    after_context: Context = Context()

    @property
    def page(self) -> str:
        return f"docs/rules/{kebab(self.code)}.md"


def kebab(code: str) -> str:
    """``AptListsKept`` -> ``apt-lists-kept``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", code).lower()
