"""SudoInRun."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.lint.rule import Problem, Rule
from jettison.lint.shell import base_name
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    for _, run, scripts in view.all_runs():
        for script in scripts:
            for command in script.commands:
                if not command.words or base_name(command.words[0].value) != "sudo":
                    continue
                if command.words[1:] and command.words[1].value in ("-u", "-l", "-v"):
                    continue
                yield Problem(
                    instruction=run,
                    message="sudo is not needed in a build",
                    help="put USER root before the RUN, and the user of the program behind it",
                    span=script.span(command.words[0]),
                    evidence=script.written(command),
                )
                break


RULE = Rule(
    code="SudoInRun",
    severity="warning",
    summary="sudo is used in a RUN",
    why="""\
A RUN is root unless USER says otherwise, so sudo only adds a privileged program to the image,
which whoever breaks in can use too.""",
    catches=("`sudo` in front of a command, once for each RUN.",),
    misses=("`sudo -u`, which changes to another user.", "`sudo` in scripts that a RUN calls."),
    before="""\
FROM example.org/base:1
USER app
RUN sudo mkdir /data
""",
    after="""\
FROM example.org/base:1
USER root
RUN mkdir /data
USER app
""",
    check=_check,
)
