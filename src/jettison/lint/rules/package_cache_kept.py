"""PackageCacheKept."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Arg, Env, Run
from jettison.lint.packages import DNF, Install, manager_of
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.shell import Command
from jettison.lint.view import StageView, View

_OPTIONS = {"apk": "--no-cache", "pip": "--no-cache-dir"}


def _check(view: View) -> Iterator[Problem]:
    for stage in view.shipped:
        for run, scripts in view.runs(stage):
            if any(
                "cache" in mount.type or "cache" in (mount.target or "") for mount in run.mounts
            ):
                continue
            for script in scripts:
                yield from _in_script(run, script, stage)


def _in_script(run: Run, script: Script, stage: StageView) -> Iterator[Problem]:
    installs = list(script.installs)
    if not installs or any(_cleans(command) for command in script.commands):
        return
    pip_off = _pip_keeps_none(script, stage)
    for install in installs:
        if install.literal and _keeps(install, pip_off):
            yield _problem(run, script, install)


def _keeps(install: Install, pip_off: bool) -> bool:
    if install.manager == "apk":
        return not install.has("--no-cache", "--root", "-p")
    if install.manager == "pip":
        return not (install.has("--no-cache-dir") or pip_off)
    return install.manager in DNF and not any("cache" in o for o in install.options)


def _pip_keeps_none(script: Script, stage: StageView) -> bool:
    return "PIP_NO_CACHE_DIR" in _variables(stage) or any(
        each.startswith("PIP_NO_CACHE_DIR=")
        for command in script.commands
        for each in (*command.assignments, *(word.value for word in command.words))
    )


def _cleans(command: Command) -> bool:
    manager, arguments = manager_of(command)
    words = [word.value for word in arguments]
    if command.name in ("rm", "find"):
        return any("cache" in word for word in words)
    if manager in DNF:
        return "clean" in words
    if manager == "apk":
        return words[:2] == ["cache", "clean"]
    return manager == "pip" and words[:2] == ["cache", "purge"]


def _variables(stage: StageView) -> set[str]:
    return {pair.key for i in stage.history if isinstance(i, Env | Arg) for pair in i.values}


def _problem(run: Run, script: Script, install: Install) -> Problem:
    option = _OPTIONS.get(install.manager)
    remedy = f"add {option}" if option else f"end the RUN with {install.manager} clean all"
    return Problem(
        instruction=run,
        message=f"{install.manager} {install.verb.value} leaves its cache in the image",
        help=f"{remedy}, or mount a cache (RUN --mount=type=cache)",
        span=script.span(install.verb),
        evidence=script.written(install.command),
        edits=script.insert_after(install.verb, f" {option}") if option else (),
    )


RULE = Rule(
    code="PackageCacheKept",
    severity="warning",
    summary="a package manager's cache stays in the image",
    why="""\
apk keeps its index, pip the archives and the wheels it built, dnf its metadata. None of it is
used again in an image, and a later RUN cannot take it out of the layer.""",
    catches=(
        "`apk add` without `--no-cache`, `pip install` without `--no-cache-dir`.",
        "`dnf`, `yum` or `microdnf install` without `clean all` in the same RUN.",
    ),
    misses=(
        "Stages that do not become part of the final image.",
        "RUNs that remove something called cache, or have a cache mount.",
        "`PIP_NO_CACHE_DIR` set in the base image is not known.",
    ),
    before="""\
FROM python:3.12-slim
RUN pip install flask==3.0.3
""",
    after="""\
FROM python:3.12-slim
RUN pip install --no-cache-dir flask==3.0.3
""",
    check=_check,
    fixable=True,
)
