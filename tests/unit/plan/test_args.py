"""Build arguments (checklist section A)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError
from jettison.model.platform import parse_platform
from jettison.plan.args import proxy_variables
from jettison.plan.steps import BuildPlan, CacheMount, Run

Images = Any
Planned = Callable[..., BuildPlan]


def run_of(plan: BuildPlan) -> Run:
    root = plan.images[0].root
    assert isinstance(root, Run)
    return root


def variables(plan: BuildPlan) -> dict[str, str]:
    """The environment of the last RUN, without what the base image sets."""
    hidden = {"PATH", "FROM_BASE"}
    return {key: value for key, value in run_of(plan).env if key not in hidden}


@pytest.mark.parametrize(
    ("body", "given", "seen"),
    [
        ("ARG x", {}, {}),
        ("ARG x", {"x": "cli"}, {"x": "cli"}),
        ("ARG x=d", {}, {"x": "d"}),
        ("ARG x=d", {"x": "cli"}, {"x": "cli"}),
        ("ARG x=", {}, {"x": ""}),
        ("ARG x", {"x": ""}, {"x": ""}),
        ("ARG g", {}, {"g": "global"}),
        ("ARG g=own", {}, {"g": "own"}),
        ("ARG g", {"g": "cli"}, {"g": "cli"}),
        ("", {"x": "cli"}, {}),
        ("ARG a=1 b=$a c=${b}2", {}, {"a": "1", "b": "1", "c": "12"}),
        ("ARG x='$a'", {}, {"x": "$a"}),
        ("ARG x", {"x": "'$a'"}, {"x": "'$a'"}),
        ("ARG x=1\nARG x", {}, {"x": "1"}),
        ("ARG x=1\nARG x=2", {}, {"x": "2"}),
        ("ENV x=env\nARG x=arg", {}, {"x": "arg"}),
        ("ARG x=arg\nENV x=env", {}, {"x": "env"}),
        ("ENV x=env\nARG x", {}, {"x": "env"}),
        ("ARG FROM_BASE=arg\nENV y=$FROM_BASE", {}, {"y": "arg"}),
        ("ARG x=${y:?no}", {"x": "cli"}, {"x": "cli"}),  # the default is not looked at
        ("ARG TARGETSTAGE", {}, {"TARGETSTAGE": "default"}),
        ("ARG BUILDKIT_SBOM_SCAN_STAGE=true", {}, {}),
    ],
)
def test_what_run_sees(
    planned: Planned, body: str, given: dict[str, str], seen: dict[str, str]
) -> None:
    made = planned(f"ARG g=global\nFROM base\n{body}\nRUN x\n", build_args=given)
    assert variables(made) == seen


def test_arguments_are_not_in_the_image(planned: Planned) -> None:
    made = planned("FROM base\nENV x=env\nARG x=arg y=1\n")
    assert made.images[0].config.config.Env == ("PATH=/bin", "FROM_BASE=yes", "x=env")


def test_stages_inherit_arguments_of_stages(planned: Planned) -> None:
    text = "FROM base AS a\nARG x=1\nENV y=env\nARG y=arg\n"
    made = planned(text + "FROM base AS other\nARG z=1\nFROM a\nRUN x\n")
    assert variables(made) == {"x": "1", "y": "env"}  # ENV counts again, as the base image's would
    assert made.images[0].history[-1].created_by == "RUN |2 x=1 y=env /bin/sh -c x # buildkit"


def test_history_shows_each_argument_once(planned: Planned) -> None:
    made = planned("FROM base\nARG a=1 b\nARG a=3\nRUN x\n", build_args={"b": "two words"})
    assert [entry.created_by for entry in made.images[0].history] == [
        "ARG a=1 b=two words",
        "ARG a=3",
        "RUN |2 a=3 b=two words /bin/sh -c x # buildkit",
    ]


def test_global_arguments_serve_from(planned: Planned, images: Images) -> None:
    images.add("base:1-linux")
    planned("ARG V=1\nARG T=$V-$TARGETOS\nFROM base:$T\n")
    assert images.asked == [("base:1-linux", "linux/amd64")]


def test_a_failing_default_counts_if_used(planned: Planned) -> None:
    text = "ARG base=${x:?needed}\nFROM $base\n"
    assert planned(text, build_args={"base": "base"}).images
    with pytest.raises(JettisonError, match="needed") as caught:
        planned(text)
    assert caught.value.span is not None
    assert caught.value.span.line == 1


def test_platform_arguments(planned: Planned) -> None:
    names = "TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH TARGETSTAGE"
    made = planned(
        f"FROM base AS last\nARG {names}\nRUN x\n",
        platforms=(parse_platform("arm"),),
        build_args={"BUILDARCH": "mine"},
    )
    assert variables(made) == {
        "TARGETPLATFORM": "linux/arm/v7",
        "TARGETOS": "linux",
        "TARGETARCH": "arm",
        "TARGETVARIANT": "v7",
        "BUILDPLATFORM": "linux/amd64",
        "BUILDARCH": "mine",
        "TARGETSTAGE": "last",
    }


def test_proxies_stay_out_of_steps(planned: Planned) -> None:
    given = {"http_proxy": "http://p", "NO_PROXY": "host", "FTP_PROXY": ""}
    made = planned("FROM base\nRUN x\n", build_args=given)
    assert variables(made) == {}
    assert made.infos[run_of(made)].proxy == (
        ("HTTP_PROXY", "http://p"),
        ("http_proxy", "http://p"),
        ("NO_PROXY", "host"),
        ("no_proxy", "host"),
    )
    assert made.images[0].history[-1].created_by == "RUN /bin/sh -c x # buildkit"


def test_no_proxies() -> None:
    assert proxy_variables({"other": "x"}) == ()


def test_arguments_that_act_on_the_build(planned: Planned) -> None:
    given = {"BUILDKIT_SANDBOX_HOSTNAME": "me", "BUILDKIT_CACHE_MOUNT_NS": "ns"}
    run = run_of(planned("FROM base\nRUN --mount=type=cache,target=/c x\n", build_args=given))
    assert run.hostname == "me"
    mount = run.mounts[0]
    assert isinstance(mount, CacheMount)
    assert mount.id == "ns//c"
