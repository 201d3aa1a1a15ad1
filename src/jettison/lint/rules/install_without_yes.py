"""InstallWithoutYes."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Run
from jettison.lint.packages import APT, DNF, Install
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    for stage in view.stages:
        configured = any("assume-yes" in i.text.lower() for i in stage.history)
        for run, scripts in view.runs(stage):
            for script in scripts:
                if configured or any(command.name == "yes" for command in script.commands):
                    continue
                for install in script.installs:
                    if install.literal and _asks(install):
                        yield _problem(run, script, install)


def _asks(install: Install) -> bool:
    """Whether the command waits for an answer; all its words are known."""
    if install.manager in APT:
        quiet = sum(o.count("q") for o in install.options if o[:1] == "-" and o[1:2] != "-")
        answered = install.has("--yes", "--assume-yes", "--force-yes", "--simulate", "--quiet")
        return not (answered or quiet > 1 or install.has_letter("y") or install.has_letter("s"))
    if install.manager in DNF:
        return not (install.has("--assumeyes", "--assumeno") or install.has_letter("y"))
    return False


def _problem(run: Run, script: Script, install: Install) -> Problem:
    return Problem(
        instruction=run,
        message=f"{install.manager} {install.verb.value} asks before it installs",
        help="give it -y: nobody can answer during a build",
        span=script.span(install.verb),
        evidence=script.written(install.command),
        edits=script.insert_after(install.verb, " -y"),
    )


RULE = Rule(
    code="InstallWithoutYes",
    severity="warning",
    summary="a package manager would ask for confirmation",
    why="""\
As soon as a package brings others along, apt-get and dnf ask whether to go on. During a build
nobody answers, and the step fails - today or when the package's dependencies change.""",
    catches=("`apt-get install`, `dnf install`, `yum install` and their kin without `-y`.",),
    misses=(
        "Commands with variables among their words, which may hold the option.",
        "Stages that configure apt (`APT::Get::Assume-Yes`) or pipe `yes` into it.",
    ),
    before="""\
FROM debian:12-slim AS build
RUN apt-get update && apt-get install --no-install-recommends gcc

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
