"""AptInScript."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.lint.packages import verb_of
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View

_SAME = frozenset(
    """update upgrade install remove purge autoremove clean autoclean download source
    build-dep""".split()
)
"""The subcommands that apt-get has as well."""


def _check(view: View) -> Iterator[Problem]:
    for _, run, scripts in view.all_runs():
        for script in scripts:
            for command in script.commands:
                if command.name == "apt" and verb_of(command) in _SAME:
                    word = command.wrapped[0]
                    edits = script.replace(word, "apt-get") if word.value == "apt" else ()
                    yield Problem(
                        instruction=run,
                        message="apt is made for terminals: what it does and prints may change",
                        help="use apt-get, which stays as it is",
                        span=script.span(word),
                        evidence=script.written(command),
                        edits=edits,
                    )


RULE = Rule(
    code="AptInScript",
    severity="note",
    summary="apt is used instead of apt-get",
    why="""\
apt itself warns that it has no stable command line. apt-get has, and does the same.""",
    catches=("`apt` with a subcommand that apt-get has too.",),
    misses=("`apt` with other subcommands, such as `list`.",),
    before="""\
FROM debian:12-slim AS build
RUN apt update && apt install -y --no-install-recommends gcc

FROM debian:12-slim
COPY --from=build /usr/bin/ld /usr/bin/ld
""",
    after="""\
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc

FROM debian:12-slim
COPY --from=build /usr/bin/ld /usr/bin/ld
""",
    check=_check,
    fixable=True,
)
