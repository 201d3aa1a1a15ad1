"""Which stages are planned, what --from means, where bases come from (checklist section F, N)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError, NotFoundError
from jettison.plan.options import NamedImage, NamedLocal, NamedScratch
from jettison.plan.steps import BindMount, BuildPlan, Copy, Local, PathSource, Run, Source

Images = Any
Planned = Callable[..., BuildPlan]


def first_source(plan: BuildPlan) -> PathSource:
    """The first source of the COPY that made the image's root."""
    root = plan.images[0].root
    assert isinstance(root, Copy)
    source = root.sources[0]
    assert isinstance(source, PathSource)
    return source


def test_only_needed_stages_are_resolved(planned: Planned, images: Images) -> None:
    planned("FROM gone AS a\nFROM base AS b\nFROM b\nRUN x\n")
    assert images.asked == [("base", "linux/amd64")]


def test_the_target_decides(planned: Planned) -> None:
    made = planned("FROM base AS One\nUSER 1\nFROM gone\n", target="ONE")
    assert made.images[0].config.config.User == "1"


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("biuld", "did you mean build?"),
        ("0", "the stages are build"),
        ("zzz", "the stages are build"),
    ],
)
def test_an_unknown_target(planned: Planned, target: str, hint: str) -> None:
    with pytest.raises(JettisonError, match="could not be found") as caught:
        planned("FROM base AS build\n", target=target)
    assert caught.value.hint == hint


def test_a_stage_goes_before_an_image_of_its_name(planned: Planned, images: Images) -> None:
    planned("FROM scratch AS base\nFROM base\nCOPY --from=BASE /a /b\n")
    assert images.asked == []


def test_from_is_case_sensitive_and_says_so(planned: Planned) -> None:
    with pytest.raises(JettisonError, match="Build") as caught:
        planned("FROM base AS Build\nFROM Build\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 2
    assert "lower case" in (caught.value.hint or "")


def test_with_duplicate_names_the_later_is_meant(planned: Planned) -> None:
    text = "FROM base AS a\nUSER 1\nFROM base AS a\nUSER 2\nFROM a\nCOPY --from=0 x y\n"
    made = planned(text)
    assert made.images[0].config.config.User == "2"
    source = first_source(made).step
    assert isinstance(source, Source)  # stage 0 changed no file


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("FROM base\nCOPY --from=3 a b\n", "invalid stage index 3", 2),
        ("FROM base\nCOPY --from=$x a b\n", "variable expansion is not supported", 2),
        ("FROM base AS a\nCOPY --from=b x y\nFROM base AS b\nFROM a\n", "needs to be defined", 2),
        ("FROM base AS a\nRUN --mount=from=b x\nFROM base AS b\nFROM a\n", "needs to be", 2),
        ("FROM base AS a\nCOPY --from=a x y\n", "circular dependency", 2),
        (
            "FROM base AS a\nCOPY --from=b x y\nFROM base AS b\nCOPY --from=a x y\n",
            "circular dependency detected on stage: a",
            4,
        ),
        ("FROM base AS a\nCOPY --from=b x y\nFROM a AS b\n", "needs to be defined", 2),
        ("FROM base AS a\nCOPY --from=A//b x y\n", "invalid image reference", 2),
        ("ARG b\nFROM $b\n", "should not be blank", 2),
        ("FROM --platform=$x base\n", "empty platform value", 1),
        ("FROM --platform=a/b/c/d base\n", "invalid platform", 1),
        ("FROM gone\n", "gone", 1),
        ("FROM base\nCOPY --from=gone a b\n", "gone", 2),
    ],
)
def test_errors(planned: Planned, text: str, message: str, line: int) -> None:
    with pytest.raises(JettisonError, match=message) as caught:
        planned(text)
    assert caught.value.span is not None
    assert caught.value.span.line == line


def test_a_missing_base_suggests_a_stage(planned: Planned) -> None:
    with pytest.raises(NotFoundError) as caught:
        planned("FROM base AS build\nFROM biuld\n")
    assert caught.value.hint == "did you mean build?"


def test_wrong_platform_suggests_an_argument(planned: Planned) -> None:
    with pytest.raises(JettisonError) as caught:
        planned("FROM --platform=$BUILDPLATFROM base\n")
    assert caught.value.hint == "did you mean BUILDPLATFORM?"


def test_copy_from_an_image_keeps_owners(planned: Planned) -> None:
    source = first_source(planned("FROM scratch\nCOPY --from=base a b\n"))
    assert isinstance(source.step, Source)
    assert not source.reset_owner


def test_an_empty_from_says_nothing(planned: Planned) -> None:
    assert isinstance(first_source(planned("FROM base\nCOPY --from= a b\n")).step, Local)


def test_scratch_has_no_files(planned: Planned) -> None:
    assert first_source(planned("FROM base\nCOPY --from=scratch a b\n")).step is None


def test_an_image_without_layers_is_like_scratch(planned: Planned, images: Images) -> None:
    images.add("empty", layers=0, User="me")
    image = planned("FROM empty\n").images[0]
    assert (image.root, image.config.config.User) == (None, "me")


class TestNamedContexts:
    def test_local(self, planned: Planned) -> None:
        text = "FROM scratch\nRUN --mount=from=extra,target=/m x\nCOPY --from=extra a b\n"
        made = planned(text, contexts={"extra": NamedLocal("extra")})
        source = first_source(made)
        assert isinstance(source.step, Local)
        assert (source.step.name, source.reset_owner) == ("extra", True)
        run = made.images[0].history[0].step
        assert isinstance(run, Run)
        mount = run.mounts[0]
        assert isinstance(mount, BindMount)
        assert mount.step is source.step

    def test_local_as_root(self, planned: Planned) -> None:
        made = planned("FROM extra\nUSER 1\n", contexts={"extra": NamedLocal("dir")})
        image = made.images[0]
        assert isinstance(image.root, Copy)
        assert image.root.root is None
        assert [entry.step for entry in image.history] == [image.root, None]
        assert image.config.config.WorkingDir == "/"

    def test_an_image_replaces_an_image(self, planned: Planned, images: Images) -> None:
        images.add("other", User="other")
        made = planned("FROM base\n", contexts={"base:latest": NamedImage("other")})
        assert made.images[0].config.config.User == "other"
        assert images.asked == [("other", "linux/amd64")]

    def test_a_stage_is_replaced_with_its_instructions(
        self, planned: Planned, images: Images
    ) -> None:
        images.add("other", OnBuild=("RUN never",), Env=("PATH=/o",))
        text = "FROM gone AS mid\nCOPY --from=also-gone a b\nFROM mid\nUSER 1\n"
        made = planned(text, contexts={"mid": NamedImage("other")})
        image = made.images[0]
        assert [entry.created_by for entry in image.history] == ["USER 1"]
        assert image.config.config.Env == ("PATH=/o",)
        assert images.asked == [("other", "linux/amd64")]

    def test_scratch(self, planned: Planned, images: Images) -> None:
        made = planned("FROM base\n", contexts={"base": NamedScratch()})
        assert made.images[0].root is None
        assert images.asked == []

    def test_unused_ones_are_not_touched(self, planned: Planned, images: Images) -> None:
        planned("FROM base\n", contexts={"x": NamedImage("gone")})
        assert images.asked == [("base", "linux/amd64")]
