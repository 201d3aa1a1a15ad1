"""Targets and outlines, as BuildKit's ``frontend.targets`` and ``frontend.outline`` give them."""

from __future__ import annotations

from typing import Any

from jettison.dockerfile.parse import parse
from jettison.model.platform import make_platform
from jettison.plan.options import PlanOptions
from jettison.plan.outline import Outline, targets
from jettison.plan.planner import outline
from tests.unit.plan.conftest import Images

# The situation of BuildKit's testOutlineArgs.
ARGS = """
ARG inherited=box
ARG inherited2=box2
ARG unused=abc${inherited2}
# sfx is a suffix
ARG sfx="usy${inherited}"

FROM b${sfx} AS first
# this is not assigned to anything
ARG FOO=123
# BAR is a number
ARG BAR=456

FROM alpine${unused} AS second
ARG BAZ

FROM scratch AS third
ARG ABC=a

# target defines build target
FROM third AS target
COPY --from=first /etc/passwd /

FROM second
"""


def outlined(images: Images, text: str, **options: Any) -> Outline:
    for name in ("busybox", "alpine"):
        images.add(name)
    options.setdefault("build_platform", make_platform("linux", "amd64"))
    return outline(parse(text, "Dockerfile"), PlanOptions(**options), images)


def test_arguments_of_the_target_and_what_it_needs(images: Images) -> None:
    found = outlined(images, ARGS, target="target", build_args={"BAR": "678"})
    assert (found.name, found.description) == ("target", "defines build target")
    assert [(a.name, a.value, a.description, a.span.line) for a in found.args] == [
        ("inherited", "box", "", 2),
        ("sfx", "usybox", "is a suffix", 6),
        ("FOO", "123", "", 10),
        ("BAR", "678", "is a number", 12),
        ("ABC", "a", "", 18),
    ]


def test_an_argument_that_redefines_itself(images: Images) -> None:
    """BuildKit's testOutlineRecursiveArgs."""
    lines = [
        *("ARG ABC=abc", "ARG DEF=def", "ARG FOO=123", "ARG FOO=${FOO}${ABC}"),
        *("ARG BAR=${FOO}456", "ARG FOO=${FOO}456${BAR}", "FROM scratch", "ARG FOO"),
        *("ARG INFOO=123", "ARG INBAR=${INFOO}456", "ARG INFOO=${INFOO}456${INBAR}"),
    ]
    found = outlined(images, "\n".join(lines))
    assert [(a.name, a.value) for a in found.args] == [
        ("ABC", "abc"),
        ("BAR", "123abc456"),
        ("FOO", "123abc456123abc456"),
        ("INBAR", "123456"),
        ("INFOO", "123456123456"),
    ]


def test_secrets_and_agents(images: Images) -> None:
    """BuildKit's testOutlineSecrets."""
    text = """
FROM busybox AS first
RUN --mount=type=secret,target=/etc/passwd,required=true --mount=type=ssh true
FROM alpine AS second
RUN --mount=type=secret,id=unused --mount=type=ssh,id=ssh2 true
FROM scratch AS third
ARG BAR
RUN --mount=type=secret,id=second${BAR} true
FROM third AS target
COPY --from=first /foo /
RUN --mount=type=ssh,id=ssh3,required true
FROM second
"""
    found = outlined(images, text, target="target", build_args={"BAR": "678"})
    shown = [(n.name, n.required, n.span.line) for n in (*found.secrets, *found.agents)]
    assert shown == [
        ("passwd", True, 3),
        ("second678", False, 8),
        ("default", False, 3),
        ("ssh3", True, 11),
    ]


def test_targets() -> None:
    """BuildKit's testTargetsList."""
    text = """
# build defines stage for compiling the binary
FROM alpine AS build

FROM --platform=$BUILDPLATFORM busybox as Second
FROM alpine
# binary returns the compiled binary
FROM second AS binary
"""
    found = targets(parse(text, "Dockerfile"))
    assert [(t.name, t.description, t.base, t.platform, t.default, t.span.line) for t in found] == [
        ("build", "defines stage for compiling the binary", "alpine", "", False, 3),
        ("second", "", "busybox", "$BUILDPLATFORM", False, 5),
        ("", "", "alpine", "", False, 6),
        ("binary", "returns the compiled binary", "second", "", True, 8),
    ]
