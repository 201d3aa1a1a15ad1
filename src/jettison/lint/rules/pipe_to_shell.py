"""PipeToShell."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.shell import Command
from jettison.lint.view import View

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_INTERPRETERS = frozenset({"python", "python3", "perl", "ruby", "node", "php"})
_FETCHERS = frozenset({"curl", "wget"})
_FILTERS = frozenset({"tee", "sed", "tr", "cat", "gunzip", "zcat", "gzip"})


def _check(view: View) -> Iterator[Problem]:
    for _, run, scripts in view.all_runs():
        for script in scripts:
            for fetch in _piped(script):
                yield Problem(
                    instruction=run,
                    message=f"what {fetch.name} fetches is run unseen",
                    help="fetch a version with ADD --checksum=sha256:…, and run that file",
                    span=script.span(fetch.wrapped[0]),
                    evidence=script.written(fetch),
                )


def _piped(script: Script) -> Iterator[Command]:
    """The fetching commands whose output a shell reads."""
    fetch: Command | None = None
    outer: Command | None = None
    for command in script.commands:
        if command.name in _FETCHERS:
            if command.operator in ("|", "|&"):
                fetch = command
            elif outer is not None and command.depth > outer.depth and _reads(outer):
                yield command
        elif fetch is not None:
            if command.depth == fetch.depth and _runs_input(command):
                yield fetch
            if command.name not in _FILTERS or command.operator not in ("|", "|&"):
                fetch = None
        if outer is None or command.depth <= outer.depth:
            outer = command


def _reads(command: Command) -> bool:
    """Whether a shell runs what is substituted: ``sh -c "$(…)"``, ``bash <(…)``, ``eval``."""
    if command.name in ("eval", "source", "."):
        return True
    return command.name in _SHELLS and (not command.arguments or "-c" in command.values)


def _runs_input(command: Command) -> bool:
    """Whether a shell or interpreter reads its program from its input."""
    values = command.values
    if command.name in _INTERPRETERS:
        return not values or values[0] == "-"
    if command.name not in _SHELLS or "-c" in values:
        return False
    options = [value for value in values if value.startswith("-")]
    return len(options) == len(values) or any(o[1:2] != "-" and "s" in o for o in options)


RULE = Rule(
    code="PipeToShell",
    severity="warning",
    summary="a script from the network is run unseen",
    why="""\
Whatever the server (or whoever has taken it over) answers today becomes part of the image, and
another answer tomorrow. If the transfer breaks off, half a script runs; and because a pipe has
the status of its last command, the build goes on if nothing was fetched at all.""",
    catches=(
        "`curl … | sh`, `wget -O- … | bash -s`, also with filters in between.",
        '`sh -c "$(curl …)"` and `bash <(curl …)`.',
    ),
    misses=(
        "A script that is first saved and then run, with or without a check of its digest.",
        "`curl … | tar`, `curl … | gpg`: what is unpacked is not run there.",
    ),
    before="""\
FROM debian:12-slim AS build
RUN curl -fsSL https://example.org/install.sh | sh

FROM debian:12-slim
COPY --from=build /opt/tool /opt/tool
""",
    after="""\
FROM debian:12-slim AS build
ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 \\
    https://example.org/1.2.3/install.sh /tmp/install.sh
RUN sh /tmp/install.sh

FROM debian:12-slim
COPY --from=build /opt/tool /opt/tool
""",
    check=_check,
)
