"""AptUpdateAlone."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.lint.packages import APT, manager_of, verb_of
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.shell import Command
from jettison.lint.view import View

_HARMLESS = frozenset({"rm", "echo", "printf", "true", ":", "set", "export", "mkdir", "sleep"})


def _check(view: View) -> Iterator[Problem]:
    for _, run, scripts in view.all_runs():
        for script in scripts:
            update = _lonely_update(script)
            if update is not None:
                yield Problem(
                    instruction=run,
                    message="apt-get update in a RUN of its own is cached and goes stale",
                    help="run apt-get update && apt-get install in one RUN",
                    span=script.span(update.wrapped[0]),
                    evidence=script.written(update),
                )


def _lonely_update(script: Script) -> Command | None:
    """The first update, if the RUN uses the lists for nothing."""
    update = None
    for command in script.commands:
        is_apt = manager_of(command)[0] in APT
        verb = verb_of(command) if is_apt else ""
        if verb == "update":
            update = update or command
        elif is_apt and verb in ("clean", "autoclean", "autoremove", ""):
            continue
        elif command.words and command.name not in _HARMLESS:
            return None
    return update


RULE = Rule(
    code="AptUpdateAlone",
    severity="warning",
    summary="apt-get update stands in a RUN of its own",
    why="""\
The layer of a lone `apt-get update` is cached. When the list of packages in a later RUN
changes, only that RUN is repeated, with the lists of long ago: it installs old versions, or
fails because they are gone from the mirror.""",
    catches=("A RUN in which `apt-get update` is the only thing that does anything.",),
    misses=(
        "RUNs that also call something unknown, which may install packages.",
        "`apk update` and `dnf makecache`, which fetch their index again when it is stale.",
    ),
    before="""\
FROM debian:12-slim AS build
RUN apt-get update
RUN apt-get install -y --no-install-recommends gcc

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
)
