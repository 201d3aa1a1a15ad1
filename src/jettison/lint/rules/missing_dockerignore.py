"""MissingDockerignore."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import Context, View


def _check(view: View) -> Iterator[Problem]:
    if view.context.ignored is not False:
        return
    for stage in view.stages:
        for instruction in stage.instructions:
            if not isinstance(instruction, Copy) or instruction.from_:
                continue
            if not instruction.exclude and any(s in (".", "./") for s in instruction.sources):
                yield Problem(
                    instruction=instruction,
                    message="the whole build context is copied, and there is no .dockerignore",
                    help="write a .dockerignore with .git, the Dockerfile, and local builds",
                    evidence=instruction.text,
                )
                return


RULE = Rule(
    code="MissingDockerignore",
    severity="warning",
    summary="the whole context is copied without a .dockerignore",
    why="""\
Without it `COPY .` takes everything: the history in `.git`, local builds, editors' files,
perhaps secrets. The image grows, and the step is repeated whenever one of them changes - even
the Dockerfile.""",
    catches=(
        "The first COPY or ADD of the whole context, if neither `.dockerignore` nor"
        " `<Dockerfile>.dockerignore` exists.",
    ),
    misses=(
        "A context that is not a local directory, or a Dockerfile on standard input.",
        "A .dockerignore that names too little; COPY with `--exclude`.",
    ),
    before="""\
FROM debian:12-slim
COPY . /srv
""",
    after="""\
# with a .dockerignore: .git, Dockerfile, ...
FROM debian:12-slim
COPY . /srv
""",
    check=_check,
    before_context=Context(ignored=False),
    after_context=Context(ignored=True),
)
