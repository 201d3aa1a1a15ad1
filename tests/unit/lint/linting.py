"""What tests of the linter share."""

from __future__ import annotations

from jettison.lint.engine import Linter, Result, Selection
from jettison.lint.view import Context
from jettison.model.platform import Platform
from jettison.plan.options import PlanOptions

AMD64 = Platform(architecture="amd64", os="linux")


def linter(
    *,
    only: str = "",
    skip: str = "",
    enable: str = "",
    context: Context | None = None,
    target: str = "",
    **build_args: str,
) -> Linter:
    """A linter; rules are separated by blanks."""
    return Linter(
        options=PlanOptions(build_platform=AMD64, target=target, build_args=build_args),
        selection=Selection(
            frozenset(only.split()), frozenset(skip.split()), frozenset(enable.split())
        ),
        context=context or Context(),
    )


def found(result: Result) -> list[tuple[str, int]]:
    """``(rule, line)`` of each finding."""
    return [(f.code, f.where.line if f.where else 0) for f in result.findings]
