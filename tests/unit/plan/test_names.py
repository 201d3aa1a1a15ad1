"""Step names in the progress view."""

from __future__ import annotations

from jettison.model.platform import parse_platform
from jettison.plan.names import StepNames


def test_numbers_are_aligned_in_long_stages() -> None:
    names = StepNames("build", 10)
    assert names.next("FROM a") == "[build  1/10] FROM a"
    for _ in range(8):
        names.next("RUN b")
    assert names.next("RUN c", trigger=True) == "[build 10/10] ONBUILD RUN c"


def test_the_only_stage_is_not_named() -> None:
    assert StepNames("", 2).next("RUN a") == "[1/2] RUN a"


def test_platforms_and_cross_compilation() -> None:
    amd64 = parse_platform("linux/amd64")
    names = StepNames("b", 3, amd64)
    assert names.next("x", {"TARGETPLATFORM": "linux/amd64"}) == "[linux/amd64 b 1/3] x"
    assert names.next("x", {"TARGETARCH": "arm"}) == "[linux/amd64->arm/v7 b 2/3] x"
    assert names.next("x", {"TARGETPLATFORM": "nonsense/"}) == "[linux/amd64 b 3/3] x"
