"""UnusedStage."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.dockerfile.instructions import Run
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import StageView, View
from jettison.plan.stages import StageNode


def _check(view: View) -> Iterator[Problem]:
    if view.final is not view.stages[-1]:
        return  # with --target, others may be meant by other targets
    used = set(_used(view))
    chosen = list(_chosen(view))
    for stage in view.stages[:-1]:
        if stage in used or any(name.fullmatch(stage.name or "") for name in chosen):
            continue
        if stage.name is None:
            yield _problem(
                stage, "nothing uses this stage, and without a name nothing can", "", "remove it"
            )
        else:
            yield _problem(
                stage,
                f"only --target builds the stage {stage.name}: no other stage uses it",
                "note",
                "remove it, or keep it as a target of its own",
            )


def _used(view: View) -> Iterator[StageView]:
    for stage in view.stages:
        for need, _ in view.graph.needs(stage.node):
            if isinstance(need, StageNode):
                yield view.stages[need.index]


def _chosen(view: View) -> Iterator[re.Pattern[str]]:
    """The names that a FROM or mount with a variable in it may have, with other arguments."""
    for stage in view.stages:
        texts = [stage.node.stage.base.image]
        for instruction in stage.instructions:
            if isinstance(instruction, Run):
                texts += [mount.from_ or "" for mount in instruction.mounts]
        for text in texts:
            if "$" in text:
                parts = re.split(r"\$(?:\{[^}]*\}|\w+)", text)
                yield re.compile(".+".join(re.escape(part) for part in parts))


def _problem(stage: StageView, message: str, severity: str, remedy: str) -> Problem:
    start = stage.node.stage.base
    return Problem(
        instruction=start, message=message, help=remedy, evidence=start.text, severity=severity
    )


RULE = Rule(
    code="UnusedStage",
    severity="warning",
    summary="no other stage uses a stage",
    why="""\
A stage that the last one does not need is never built. That may be meant (tests, tools, a
target of its own), or a COPY --from= names another stage than it should.""",
    catches=(
        "A stage without a name that no stage uses.",
        "One with a name that no stage uses (a note: `--target` may build it).",
    ),
    misses=(
        "Stages that only an unused stage uses.",
        "Stages that a FROM with a variable may choose.",
        "Everything, if `--target` is given.",
    ),
    before="""\
FROM golang:1.23
RUN go install example.org/tool@v1.0.0

FROM debian:12-slim
RUN echo done
""",
    after="""\
FROM golang:1.23 AS build
RUN go install example.org/tool@v1.0.0

FROM debian:12-slim
COPY --from=build /go/bin/tool /usr/bin/tool
RUN echo done
""",
    check=_check,
)
