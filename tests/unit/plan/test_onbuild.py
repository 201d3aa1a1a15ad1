"""Triggers of base images and base stages (checklist section O)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError
from jettison.plan.steps import BuildPlan, Copy, PathSource

Images = Any
Planned = Callable[..., BuildPlan]


def history_of(plan: BuildPlan) -> list[str]:
    return [entry.created_by for entry in plan.images[0].history]


def test_triggers_of_an_image_come_first_and_are_not_inherited(
    planned: Planned, images: Images
) -> None:
    images.add("trigger", OnBuild=("ARG x=1", "ENV y=$x", "USER $y"))
    made = planned("FROM trigger AS a\nLABEL own=1\nFROM a\n", build_args={"x": "2"})
    assert history_of(made) == ["ARG x=2", "ENV y=2", "USER 2", "LABEL own=1"]
    assert made.images[0].config.config.OnBuild is None


def test_triggers_of_a_stage_fire_in_stages_based_on_it(planned: Planned) -> None:
    text = "FROM base AS a\nONBUILD USER me\nFROM a AS b\nONBUILD LABEL x=y\nFROM b\n"
    made = planned(text)
    assert history_of(made) == ["USER me", "LABEL x=y"]
    assert made.images[0].config.config.OnBuild is None
    assert planned(text, target="a").images[0].config.config.OnBuild == ("USER me",)


def test_triggers_name_stages_and_images_of_the_child(planned: Planned, images: Images) -> None:
    images.add("trigger", OnBuild=("COPY --from=tools a b", "COPY --from=other c d"))
    images.add("other")
    made = planned("FROM scratch AS tools\nCOPY x /a\nFROM trigger\n")
    first, second = (entry.step for entry in made.images[0].history)
    assert isinstance(first, Copy)
    assert isinstance(second, Copy)
    source = first.sources[0]
    assert isinstance(source, PathSource)
    assert isinstance(source.step, Copy)  # the stage, planned although nothing named it before
    assert ("other", "linux/amd64") in images.asked


def test_a_trigger_cannot_name_a_later_stage(planned: Planned, images: Images) -> None:
    images.add("trigger", OnBuild=("COPY --from=later a b",))
    with pytest.raises(JettisonError, match="needs to be defined") as caught:
        planned("FROM trigger AS a\nFROM base AS later\nFROM a\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 1


def test_a_malformed_trigger_is_an_error_of_the_from(planned: Planned, images: Images) -> None:
    images.add("trigger", OnBuild=("COPY only-one",))
    with pytest.raises(JettisonError) as caught:
        planned("FROM base AS a\n\nFROM trigger\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 3


def test_names_of_trigger_steps(planned: Planned, images: Images) -> None:
    images.add("trigger", OnBuild=("RUN t",))
    made = planned("FROM trigger\nRUN own\n")
    names = [made.infos[e.step].name for e in made.images[0].history if e.step]
    assert names == ["[2/3] ONBUILD RUN t", "[3/3] RUN own"]
