"""SshExposed."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Expose
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    for instruction in view.final.history:
        if isinstance(instruction, Expose) and any(
            port.lower() in ("22", "22/tcp") for port in instruction.ports
        ):
            yield Problem(
                instruction=instruction,
                message="port 22 is SSH's: a container needs no SSH server",
                help="use jettison run, docker exec or kubectl exec to look into a container",
                evidence=instruction.text,
            )


RULE = Rule(
    code="SshExposed",
    severity="warning",
    summary="the image exposes SSH",
    why="""\
An SSH server in an image has keys and passwords to look after, runs beside the program, and is
one more way in. Container runtimes start a shell in a container without it.""",
    catches=("`EXPOSE 22` or `22/tcp` in the final image.",),
    misses=("SSH on another port; ranges and variables.",),
    before="""\
FROM debian:12-slim
EXPOSE 22 80
""",
    after="""\
FROM debian:12-slim
EXPOSE 80
""",
    check=_check,
)
