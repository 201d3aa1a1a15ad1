"""Build checks: what BuildKit warns of while it plans (its ``linter`` package).

Rules have BuildKit's names, texts and addresses, so that its documentation serves here too.
"""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from jettison.dockerfile.directives import split_directive
from jettison.dockerfile.instructions import Instruction
from jettison.errors import DockerfileError, PlanError
from jettison.model.event import Observer, Warned
from jettison.model.span import Span
from jettison.plan.goformat import go_bool
from jettison.plan.rules import EXPERIMENTAL, RULES, url_of


class CheckConfig(Struct, frozen=True):
    """Which rules count. ``error``: a build with warnings fails."""

    skip_all: bool = False
    skip: frozenset[str] = frozenset()
    experimental_all: bool = False
    experimental: frozenset[str] = frozenset()
    error: bool = False

    def merged(self, other: CheckConfig) -> CheckConfig:
        """With the rules that ``other`` skips or tries out as well."""
        return replace(
            self,
            skip_all=self.skip_all or other.skip_all,
            skip=self.skip | other.skip,
            experimental_all=self.experimental_all or other.experimental_all,
            experimental=self.experimental | other.experimental,
        )

    def wants(self, rule: str) -> bool:
        if rule in EXPERIMENTAL:
            return self.experimental_all or rule in self.experimental
        return not self.skip_all and rule not in self.skip


def parse_check_options(text: str) -> CheckConfig:
    """Parse ``skip=A,B;error=true;experimental=all``.

    Raises DockerfileError for an unknown option or a malformed boolean.
    """
    config = CheckConfig()
    for part in text.strip().split(";", 2) if text.strip() else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        names = frozenset(name.strip() for name in value.split(","))
        if not equals:
            raise _invalid(f"invalid check option {part!r}")
        match key:
            case "skip" if value == "all":
                config = replace(config, skip_all=True)
            case "skip":
                config = replace(config, skip=names)
            case "experimental" if value == "all":
                config = replace(config, experimental_all=True)
            case "experimental":
                config = replace(config, experimental=names)
            case "error":
                config = replace(config, error=_boolean(value, part))
            case _:
                raise _invalid(f"invalid check option {key!r}")
    return config


def _boolean(value: str, part: str) -> bool:
    parsed = go_bool(value)
    if parsed is None:
        raise _invalid(f"failed to parse check option {part!r}")
    return parsed


def _invalid(message: str) -> DockerfileError:
    return DockerfileError(
        f"failed to parse check options: {message}",
        hint="as in check=skip=RuleA,RuleB;error=true;experimental=all",
    )


class Checks(Struct, frozen=True):
    """Reports what rules find, each finding once."""

    config: CheckConfig
    observer: Observer
    _found: dict[tuple[str, str, int], None] = field(default_factory=dict)

    def of(self, instruction: Instruction) -> Checks:
        """With what a comment ``# check=…`` directly above ``instruction`` says."""
        for comment in instruction.node.comments if instruction.node else ():
            name, value = split_directive(comment.text) or ("", "")
            if name == "check":
                try:
                    options = parse_check_options(value.split(" ")[0])
                except DockerfileError:
                    return self
                return replace(self, config=self.config.merged(options))
        return self

    def report(self, rule: str, message: str, span: Span | None) -> None:
        """``rule`` has found something at ``span``; ``message`` tells it as BuildKit does."""
        key = (rule, message, span.line if span else 0)
        if not self.config.wants(rule) or key in self._found:
            return
        self._found[key] = None
        self.observer.emit(Warned(rule, message, span=span, url=url_of(rule), detail=RULES[rule]))

    def fail_if_asked(self) -> None:
        """Raise PlanError if there were warnings and ``error=true`` makes them errors."""
        if self.config.error and self._found:
            rules = ", ".join(sorted({rule for rule, _, _ in self._found}))
            raise PlanError(
                f"lint violation found for rules: {rules}",
                hint="mend what the warnings say, or skip rules with # check=skip=…",
            )
