"""Platforms of stages and results (checklist section S, F-07, K-21)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError
from jettison.model.platform import Platform, parse_platform
from jettison.plan.steps import BuildPlan, Run

Images = Any
Planned = Callable[..., BuildPlan]
AMD64, ARM64 = parse_platform("linux/amd64"), parse_platform("linux/arm64")


def test_the_result_keeps_the_platform_of_its_base(planned: Planned) -> None:
    image = planned("FROM --platform=linux/arm64 base\nRUN x\n").images[0]
    assert str(image.platform) == "linux/arm64"
    assert isinstance(image.root, Run)
    assert image.root.platform == ARM64


def test_unless_one_was_asked_for(planned: Planned) -> None:
    made = planned("FROM --platform=linux/arm64 base\nRUN x\n", platforms=(AMD64,))
    assert str(made.images[0].platform) == "linux/amd64"


def test_stages_keep_the_platform_of_their_base_stage(planned: Planned, images: Images) -> None:
    text = "FROM --platform=$BUILDPLATFORM base AS a\nFROM --platform=s390x a\nRUN x\n"
    made = planned(text, platforms=(ARM64,))
    assert images.asked == [("base", "linux/amd64")]
    root = made.images[0].root
    assert isinstance(root, Run)
    assert root.platform == AMD64
    assert str(made.images[0].platform) == "linux/arm64"


def test_scratch_is_of_the_target_platform(planned: Planned) -> None:
    config = planned("FROM scratch\n", platforms=(parse_platform("linux/arm/v6"),)).images[0].config
    assert (config.os, config.architecture, config.variant) == ("linux", "arm", "v6")


@pytest.mark.parametrize("flag", ["--platform=linux/arm64", "--platform=windows/amd64"])
def test_scratch_has_no_platform_to_choose(planned: Planned, flag: str) -> None:
    assert str(planned(f"FROM {flag} scratch\n").images[0].platform) == "linux/amd64"


def test_an_empty_platform_flag_says_nothing(planned: Planned, images: Images) -> None:
    planned("FROM --platform= base\nRUN x\n")
    assert images.asked == [("base", "linux/amd64")]


def test_several_platforms(planned: Planned, images: Images) -> None:
    made = planned("FROM base AS a\nARG TARGETARCH\nRUN x\n", platforms=(AMD64, ARM64))
    assert [str(image.platform) for image in made.images] == ["linux/amd64", "linux/arm64"]
    assert images.asked == [("base", "linux/amd64"), ("base", "linux/arm64")]
    histories = [image.history[-1].created_by for image in made.images]
    assert histories == [
        "RUN |1 TARGETARCH=amd64 /bin/sh -c x # buildkit",
        "RUN |1 TARGETARCH=arm64 /bin/sh -c x # buildkit",
    ]
    names = [made.infos[image.root].name for image in made.images if image.root]
    assert names == ["[linux/amd64 2/2] RUN x", "[linux/arm64 2/2] RUN x"]


def test_other_systems_have_files_but_run_nothing(planned: Planned) -> None:
    wasi = (Platform(os="wasip1", architecture="wasm"),)
    config = planned("FROM scratch\nCOPY app.wasm /\n", platforms=wasi).images[0].config
    assert (config.os, config.architecture) == ("wasip1", "wasm")
    with pytest.raises(JettisonError, match="wasip1/wasm"):
        planned("FROM scratch\nRUN x\n", platforms=wasi)


def test_windows_is_refused(planned: Planned) -> None:
    with pytest.raises(JettisonError, match="Windows"):
        planned("FROM scratch\n", platforms=(parse_platform("windows/amd64"),))


def test_images_for_copy_are_of_the_target_platform(planned: Planned, images: Images) -> None:
    images.add("tools")
    text = "FROM --platform=linux/amd64 base\nCOPY --from=tools a b\n"
    planned(text, platforms=(ARM64,))
    assert images.asked == [("base", "linux/amd64"), ("tools", "linux/arm64")]
