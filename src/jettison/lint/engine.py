"""From a Dockerfile's text to what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from jettison.dockerfile.checks import CheckOptions, checks_of, parse_check_options
from jettison.dockerfile.instructions import Dockerfile, Instruction
from jettison.dockerfile.parse import parse
from jettison.errors import InternalError, JettisonError
from jettison.lint.buildkit import certain, check
from jettison.lint.catalog import OWN_RULES
from jettison.lint.edit import Edits, apply_edits
from jettison.lint.mends import mend
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import Context, View
from jettison.model.event import Warned
from jettison.model.finding import Finding
from jettison.model.span import SourceText, Span
from jettison.plan.options import PlanOptions

INVALID = "InvalidDockerfile"
"""The code of what is no finding of a rule: the Dockerfile cannot be built."""

_MAX_PASSES = 10


class Selection(Struct, frozen=True):
    """Which rules apply: those that are on and ``enable``, or ``only`` these; never ``skip``."""

    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    enable: frozenset[str] = frozenset()


class Hit(Struct, frozen=True):
    """A finding and the edits that mend it."""

    finding: Finding
    edits: Edits = ()


class Result(Struct, frozen=True):
    """``strict``: the Dockerfile says ``# check=error=true``, so that warnings fail."""

    hits: tuple[Hit, ...] = ()
    strict: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(hit.finding for hit in self.hits)


class Linter(Struct, frozen=True, kw_only=True):
    """``options`` are those of the build the Dockerfile is meant for."""

    options: PlanOptions
    selection: Selection = field(default_factory=Selection)
    context: Context = field(default_factory=Context)

    def lint(self, text: str, name: str) -> Result:
        """What is wrong with a Dockerfile that is called ``name``; nothing is raised for it."""
        try:
            syntax = self.options.build_args.get("BUILDKIT_SYNTAX")
            dockerfile = parse(text, name, syntax=syntax)
            checks = _check_options(dockerfile, self.options)
        except JettisonError as error:
            return Result((_invalid(error, text, name),))
        hits: list[Hit] = []
        warnings, failure = check(dockerfile, self._options(checks), self._checks(checks))
        try:
            view = View(dockerfile, self.options, self.context)
        except JettisonError as error:
            failure = failure or error
        else:
            hits += self._of_buildkit(list(certain(warnings, view)), view)
            hits += self._of_rules(view, checks)
        if failure is not None:
            hits.append(_invalid(failure, text, name))
        return Result(tuple(sorted(hits, key=_place)), strict=checks.error)

    def fix(self, text: str, name: str) -> str:
        """``text`` mended as far as there are edits; the rest stays byte for byte."""
        bom = "\ufeff" if text.startswith("\ufeff") else ""
        for _ in range(_MAX_PASSES):
            result = self.lint(text, name)
            mended = bom + apply_edits(
                text.removeprefix("\ufeff"), [hit.edits for hit in result.hits if hit.edits]
            )
            if mended == text:
                break
            if _is_invalid(self.lint(mended, name)) and not _is_invalid(result):
                raise InternalError(f"the edits have broken {name}")
            text = mended
        return text

    def _options(self, checks: CheckOptions) -> PlanOptions:
        # The argument has been heeded; what it says of errors is not for planning.
        args = {
            k: v for k, v in self.options.build_args.items() if k != "BUILDKIT_DOCKERFILE_CHECK"
        }
        return replace(self.options, build_args=args, all_stages=not self.options.target)

    def _checks(self, checks: CheckOptions) -> CheckOptions:
        asked = self.selection.only | self.selection.enable
        return replace(checks, experimental=checks.experimental | asked)

    def _of_buildkit(self, warnings: list[Warned], view: View) -> Iterator[Hit]:
        for warning in warnings:
            if not self._wants(warning.code, on=True):
                continue
            finding = Finding(
                code=warning.code,
                severity="warning",
                message=warning.message,
                where=warning.span,
                evidence=_evidence(warning.span),
                fix=warning.detail or "",
                url=warning.url or "",
            )
            yield Hit(finding, _edits_for(warning, view))

    def _of_rules(self, view: View, checks: CheckOptions) -> Iterator[Hit]:
        for rule in OWN_RULES:
            tried = checks.experimental_all or rule.code in checks.experimental
            if not self._wants(rule.code, on=rule.on or tried):
                continue
            for problem in rule.check(view):
                if not _skipped(rule.code, problem.instruction, checks):
                    yield Hit(_finding(rule, problem), problem.edits)

    def _wants(self, code: str, *, on: bool) -> bool:
        chosen = self.selection
        if code in chosen.skip:
            return False
        return code in chosen.only if chosen.only else on or code in chosen.enable


def _check_options(dockerfile: Dockerfile, options: PlanOptions) -> CheckOptions:
    given = options.build_args.get("BUILDKIT_DOCKERFILE_CHECK")
    if given is not None:
        return parse_check_options(given)
    directives = dockerfile.ast.directives if dockerfile.ast else ()
    span = next((each.span for each in directives if each.name == "check"), None)
    return parse_check_options(dockerfile.directives.get("check", ""), span)


def _skipped(code: str, instruction: Instruction, checks: CheckOptions) -> bool:
    if instruction.node is not None and instruction.node.comments:
        checks = checks.merged(checks_of(instruction.node))
    return checks.skip_all or code in checks.skip


def _finding(rule: Rule, problem: Problem) -> Finding:
    return Finding(
        code=rule.code,
        severity=problem.severity or rule.severity,
        message=problem.message,
        where=problem.span or problem.instruction.span,
        evidence=problem.evidence,
        fix=problem.help,
        url=rule.page,
    )


def _holds(instruction: Span, found: Span | None) -> bool:
    """Whether ``found`` lies in an instruction (an empty continuation: in its last line)."""
    return found is not None and (
        instruction.line <= found.line <= max(instruction.line, instruction.end_line)
    )


def _evidence(span: Span | None) -> str:
    return span.source.line(span.line).strip() if span else ""


def _edits_for(warning: Warned, view: View) -> Edits:
    for stage in view.dockerfile.stages:
        for instruction in (stage.base, *stage.instructions):
            if _holds(instruction.span, warning.span):
                return mend(warning.code, instruction, view)
    return ()


def _invalid(error: JettisonError, text: str, name: str) -> Hit:
    span = error.span or Span(SourceText(name, text.removeprefix("\ufeff")), 1)
    finding = Finding(
        code=INVALID,
        severity="error",
        message=error.message,
        where=span,
        evidence=_evidence(span),
        fix=error.hint or "",
    )
    return Hit(finding)


def _is_invalid(result: Result) -> bool:
    return any(hit.finding.code == INVALID for hit in result.hits)


def _place(hit: Hit) -> tuple[int, int, str, str]:
    span = hit.finding.where
    line, column = (span.line, span.column) if span else (0, 0)
    return line, column, hit.finding.code, hit.finding.message
