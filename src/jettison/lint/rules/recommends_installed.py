"""RecommendsInstalled."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.lint.packages import APT, Install
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    for stage in view.shipped:
        if any(
            "install-recommends" in i.text.lower() and _configures(i.text) for i in stage.history
        ):
            continue
        for run, scripts in view.runs(stage):
            for script in scripts:
                for install in script.installs:
                    if _recommends(install):
                        yield Problem(
                            instruction=run,
                            message="apt-get install also installs what the packages recommend",
                            help="add --no-install-recommends, and name what is really needed",
                            span=script.span(install.verb),
                            evidence=script.written(install.command),
                            edits=script.insert_after(install.verb, " --no-install-recommends"),
                        )


def _configures(text: str) -> bool:
    return "apt.conf" in text or "APT::Install-Recommends" in text


def _recommends(install: Install) -> bool:
    if install.manager not in APT or not install.literal or not install.packages:
        return False
    given = [option.lower() for option in install.options]
    return not (
        install.has("--no-install-recommends", "--install-recommends", "-R")
        or install.has_letter("R")
        or any("install-recommends" in option for option in given)
    )


RULE = Rule(
    code="RecommendsInstalled",
    severity="note",
    summary="apt-get also installs recommended packages",
    why="""\
Recommended packages are often larger than what was asked for (documentation, desktop
integration, a mail server), and each is one more thing to keep patched.""",
    catches=("`apt-get install` without `--no-install-recommends` in the final image.",),
    misses=(
        "Stages that do not become part of the final image.",
        "Commands with variables among their words; stages that configure apt.",
    ),
    before="""\
FROM debian:12-slim
RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
""",
    after="""\
FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
""",
    check=_check,
    fixable=True,
)
