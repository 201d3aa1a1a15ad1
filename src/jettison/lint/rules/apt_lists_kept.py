"""AptListsKept."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Run
from jettison.lint.packages import APT, manager_of, verb_of
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.view import View

_CLEANING = ("/var/lib/apt/lists", "/var/lib/apt")


def _check(view: View) -> Iterator[Problem]:
    for stage in view.shipped:
        for run, scripts in view.runs(stage):
            if any(_is_mounted(target) for target in (mount.target for mount in run.mounts)):
                continue
            for script in scripts:
                yield from _in_script(run, script)


def _is_mounted(target: str | None) -> bool:
    path = (target or "").rstrip("/")
    return path in ("/var/lib/apt/lists", "/var/lib/apt", "/var/lib", "/var")


def _in_script(run: Run, script: Script) -> Iterator[Problem]:
    update = None
    for command in script.commands:
        if manager_of(command)[0] in APT and verb_of(command) == "update":
            update = update or command
        elif _cleans(command.name, command.values):
            return
    if update is not None:
        yield Problem(
            instruction=run,
            message="the package lists that apt-get update fetches stay in the image",
            help="end the RUN with && rm -rf /var/lib/apt/lists/*, or mount a cache there",
            span=script.span(update.wrapped[0]),
            evidence=script.written(update),
        )


def _cleans(name: str, words: list[str]) -> bool:
    if name in APT:
        return "distclean" in words
    return name in ("rm", "find") and any(word.startswith(_CLEANING) for word in words)


RULE = Rule(
    code="AptListsKept",
    severity="warning",
    summary="apt's package lists stay in the image",
    why="""\
The lists that `apt-get update` fetches are tens of megabytes which nothing needs once the
packages are installed. A later RUN cannot take them out of the layer again: the same RUN has
to.""",
    catches=(
        "`apt-get update` (or `apt`, `aptitude`) in a RUN that does not remove"
        " `/var/lib/apt/lists`.",
    ),
    misses=(
        "Stages that do not become part of the final image.",
        "RUNs with a mount on `/var/lib/apt/lists` or `/var/lib/apt`: the lists land there.",
        "Lists removed by a script that the RUN calls are taken for kept.",
    ),
    before="""\
FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends curl
""",
    after="""\
FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends curl \\
 && rm -rf /var/lib/apt/lists/*
""",
    check=_check,
)
