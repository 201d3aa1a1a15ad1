"""BaseWithoutDigest."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.lint.rule import Problem, Rule
from jettison.lint.rules.unpinned_base import images_of
from jettison.lint.view import View


def _check(view: View) -> Iterator[Problem]:
    for instruction, reference in images_of(view):
        if reference.digest is None:
            yield Problem(
                instruction=instruction,
                message=f"{reference.familiar} can be replaced by another image",
                help="pin it by digest: name:tag@sha256:… (jettison inspect shows it)",
                evidence=reference.familiar,
            )


RULE = Rule(
    code="BaseWithoutDigest",
    severity="note",
    summary="an image is not pinned by digest",
    why="""\
A tag can be moved, by a new release or by whoever takes over the repository. A digest names one
image for ever; a bot can keep it up to date.""",
    catches=("FROM, `COPY --from=` and `RUN --mount=from=` of an image without a digest.",),
    misses=("Stages, scratch.",),
    before="""\
FROM debian:12-slim
""",
    after="""\
FROM debian:12-slim@sha256:0000000000000000000000000000000000000000000000000000000000000000
""",
    check=_check,
    on=False,
)
