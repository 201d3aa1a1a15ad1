"""CdInRun."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Run
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    for _, run, scripts in view.all_runs():
        for script in scripts:
            yield from _in_script(run, script)


def _in_script(run: Run, script: Script) -> Iterator[Problem]:
    commands = [command for command in script.commands if command.depth == 0]
    changes = [command for command in commands if command.name == "cd"]
    if not changes or run.command.heredocs:
        return
    last = commands[-1]
    if last.name == "cd" and last.operator != ")" and last.values != ["-"]:
        yield Problem(
            instruction=run,
            message="cd at the end of a RUN has no effect on what follows",
            help="use WORKDIR, which holds for later instructions",
            span=script.span(last.words[0]),
            evidence=script.written(last),
        )
    elif len(changes) == 1 and changes[0] is commands[0] and _is_plain(commands[0].values):
        yield Problem(
            instruction=run,
            message=f"the whole RUN works in {commands[0].values[0]}",
            help="use WORKDIR, which shows where commands run, and makes the directory",
            span=script.span(commands[0].words[0]),
            evidence=script.written(commands[0]),
            severity="note",
        )


def _is_plain(values: list[str]) -> bool:
    """One absolute path to which the command goes, and no temporary one."""
    temporary = ("/tmp", "/var/tmp", "/usr/src", "/build")
    return len(values) == 1 and values[0].startswith("/") and not values[0].startswith(temporary)


RULE = Rule(
    code="CdInRun",
    severity="warning",
    summary="cd is used where WORKDIR is meant",
    why="""\
Every RUN begins in the working directory of the stage. A `cd` at the end of one is forgotten
with it; WORKDIR remains, is made if it does not exist, and also holds for CMD.""",
    catches=(
        "A RUN that ends with `cd`: nothing happens in that directory.",
        "A RUN that as a whole works in one absolute directory (a note).",
    ),
    misses=(
        "`cd` in the middle of a RUN, in a subshell or a here-document.",
        "Temporary directories and `/usr/src`, which are left again.",
    ),
    before="""\
FROM debian:12-slim
RUN mkdir -p /srv/app && cd /srv/app
COPY app ./
""",
    after="""\
FROM debian:12-slim
WORKDIR /srv/app
COPY app ./
""",
    check=_check,
)
