"""The check directive: ``skip=RuleA,RuleB;error=true;experimental=all``."""

from __future__ import annotations

from msgspec import Struct

from jettison.dockerfile.ast import Node
from jettison.dockerfile.directives import split_directive
from jettison.dockerfile.suggest import did_you_mean
from jettison.dockerfile.text import SPACE, quoted
from jettison.errors import DockerfileError
from jettison.model.span import Span

_OPTIONS = ("skip", "error", "experimental")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class CheckOptions(Struct, frozen=True):
    """Which build checks apply. ``error``: a build with warnings fails."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    error: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False

    def merged(self, other: CheckOptions) -> CheckOptions:
        """With what ``other`` skips and tries in addition (it does not change ``error``)."""
        return CheckOptions(
            self.skip | other.skip,
            self.skip_all or other.skip_all,
            self.error,
            self.experimental | other.experimental,
            self.experimental_all or other.experimental_all,
        )


def parse_check_options(text: str, span: Span | None = None) -> CheckOptions:
    """Parse the value of a check directive (or of BUILDKIT_DOCKERFILE_CHECK).

    Raises DockerfileError for an unknown option and a malformed boolean.
    """
    values: dict[str, str] = {}
    for part in text.strip(SPACE).split(";", 2) if text.strip(SPACE) else ():
        key, equals, value = part.partition("=")
        key = key.strip(SPACE)
        if not equals or key not in _OPTIONS:
            wrong = key if equals else part
            raise DockerfileError(
                "failed to parse check options: "
                f"invalid check option {quoted(wrong)}{did_you_mean(key, _OPTIONS)}",
                hint="the options are skip=, error= and experimental=, separated by semicolons",
                span=span,
            )
        values[key] = value.strip(SPACE)
    skip, skip_all = _rules(values.get("skip"))
    experimental, experimental_all = _rules(values.get("experimental"))
    error = _boolean(values.get("error", "false"), span)
    return CheckOptions(skip, skip_all, error, experimental, experimental_all)


def _rules(value: str | None) -> tuple[frozenset[str], bool]:
    if value is None or value == "all":
        return frozenset(), value == "all"
    return frozenset(rule.strip(SPACE) for rule in value.split(",")), False


def _boolean(value: str, span: Span | None) -> bool:
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise DockerfileError(
        f"failed to parse check options: failed to parse check option {quoted('error=' + value)}",
        hint="write error=true or error=false",
        span=span,
    )


def checks_of(node: Node) -> CheckOptions:
    """What a ``# check=`` comment right above an instruction says about it alone.

    The first such comment counts; a malformed one says nothing, as in BuildKit.
    """
    for comment in node.comments:
        split = split_directive(comment.text)
        if split is not None and split[0] == "check":
            try:
                return parse_check_options(split[1].partition(" ")[0])
            except DockerfileError:
                return CheckOptions()
    return CheckOptions()
