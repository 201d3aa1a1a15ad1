"""MissingHealthcheck."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Cmd, Entrypoint, Healthcheck
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    commands = [i for i in view.final.history if isinstance(i, Cmd | Entrypoint)]
    if commands and not any(isinstance(i, Healthcheck) for i in view.final.history):
        yield Problem(
            instruction=commands[-1],
            message="nothing tells whether the program works",
            help="add HEALTHCHECK CMD with a quick test, or HEALTHCHECK NONE",
            evidence=commands[-1].text,
        )


RULE = Rule(
    code="MissingHealthcheck",
    severity="note",
    summary="the image has no HEALTHCHECK",
    why="""\
Docker and Swarm see a program that hangs only if a HEALTHCHECK tests it. Kubernetes ignores it
in favour of its own probes, and images in OCI format do not hold it; so the rule is off unless
asked for.""",
    catches=("A final image with CMD or ENTRYPOINT and without HEALTHCHECK.",),
    misses=("A HEALTHCHECK that the base image brings is not known.",),
    before="""\
FROM nginx:1.27
CMD ["nginx", "-g", "daemon off;"]
""",
    after="""\
FROM nginx:1.27
HEALTHCHECK CMD ["curl", "-f", "http://localhost/"]
CMD ["nginx", "-g", "daemon off;"]
""",
    check=_check,
    on=False,
)
