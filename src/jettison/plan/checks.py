"""Build checks: what BuildKit warns of while it plans (its ``linter`` package).

Rules have BuildKit's names and addresses, so that its documentation serves here too.
"""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from jettison.dockerfile.ast import Node
from jettison.dockerfile.checks import CheckOptions, checks_of
from jettison.errors import PlanError
from jettison.model.event import Observer, Warned
from jettison.model.span import Span
from jettison.plan.rules import EXPERIMENTAL, RULES, url_of


class Checks(Struct, frozen=True):
    """Reports what rules find, each finding once."""

    options: CheckOptions
    observer: Observer
    _found: dict[tuple[str, str, int], Span | None] = field(default_factory=dict)

    def of(self, node: Node | None) -> Checks:
        """With what a comment ``# check=…`` directly above an instruction says."""
        if node is None or not node.comments:
            return self
        return replace(self, options=self.options.merged(checks_of(node)))

    def report(self, rule: str, message: str, span: Span | None) -> None:
        """``rule`` has found something at ``span``; ``message`` tells what."""
        key = (rule, message, span.line if span else 0)
        if not self._wants(rule) or key in self._found:
            return
        self._found[key] = span
        self.observer.emit(Warned(rule, message, span=span, url=url_of(rule), detail=RULES[rule]))

    def _wants(self, rule: str) -> bool:
        options = self.options
        if rule in EXPERIMENTAL:
            return options.experimental_all or rule in options.experimental
        return not options.skip_all and rule not in options.skip

    def fail_if_asked(self) -> None:
        """Raise PlanError, at the first of them, if ``error=true`` makes warnings errors."""
        if self.options.error and self._found:
            rules = ", ".join(sorted({rule for rule, _, _ in self._found}))
            raise PlanError(
                f"lint violation found for rules: {rules}",
                hint="mend what the warnings say, or skip rules with # check=skip=…",
                span=next(iter(self._found.values())),
            )
