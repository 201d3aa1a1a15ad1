"""UnpinnedBase, and BaseWithoutDigest, which asks for more."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy, Instruction, Run
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View, reference_of
from jettison.model.reference import Reference


def images_of(view: View) -> Iterator[tuple[Instruction, Reference]]:
    """Every image that the Dockerfile names, with the instruction that does."""
    for stage in view.stages:
        reference = reference_of(stage.image) if stage.node.replacement is None else None
        if reference is not None:
            yield stage.node.stage.base, reference
        for instruction in stage.instructions:
            if not isinstance(instruction, Copy | Run):
                continue
            for need in view.graph.references(instruction):
                named = reference_of(need) if isinstance(need, str) and "$" not in need else None
                if named is not None:
                    yield instruction, named


def _check(view: View) -> Iterator[Problem]:
    for instruction, reference in images_of(view):
        if reference.digest is None and reference.tag == "latest":
            yield Problem(
                instruction=instruction,
                message=f"{reference.familiar} is another image tomorrow",
                help="name a version: the tag latest follows every release",
                evidence=reference.familiar,
            )


RULE = Rule(
    code="UnpinnedBase",
    severity="warning",
    summary="an image is named without a version",
    why="""\
Without a tag, or with `latest`, the base is whatever was released last. The same Dockerfile
then gives another image, or fails, on a day on which nobody changed anything.""",
    catches=(
        "FROM, `COPY --from=` and `RUN --mount=from=` of an image without tag and digest, or"
        " with the"
        " tag latest; variables have their defaults, or what `--build-arg` says.",
    ),
    misses=(
        "Tags that move as well (`stable`, `lts`, `3`): see BaseWithoutDigest.",
        "Stages, scratch.",
    ),
    before="""\
FROM debian
COPY app /usr/bin/app
""",
    after="""\
FROM debian:12-slim
COPY app /usr/bin/app
""",
    check=_check,
)
