"""Which images are asked for before planning."""

from __future__ import annotations

from typing import Any

import pytest

from jettison.dockerfile.parse import parse
from jettison.errors import JettisonError
from jettison.model.platform import parse_platform
from jettison.plan.needed import needed_images
from jettison.plan.options import NamedImage, NamedLocal, PlanOptions

AMD64, ARM64 = parse_platform("linux/amd64"), parse_platform("linux/arm64")


def needed(text: str, **options: Any) -> list[str]:
    asked = PlanOptions(build_platform=AMD64, **options)
    return [
        f"{name.reference} {name.platform}"
        for name in needed_images(parse(text, "Dockerfile"), asked)
    ]


def test_only_what_the_target_needs_each_once() -> None:
    text = (
        "ARG V=1\n"
        "FROM gone\n"
        "FROM a:$V AS one\n"
        "FROM scratch AS two\nCOPY --from=b@sha256:" + "0" * 64 + " x y\nCOPY --from=one x y\n"
        "FROM one\nRUN --mount=from=c,target=/c --mount=type=cache,target=/d x\n"
        "COPY --from=two x y\nCOPY --from=c x y\n"
    )
    assert needed(text) == [
        "docker.io/library/a:1 linux/amd64",
        "docker.io/library/b@sha256:" + "0" * 64 + " linux/amd64",
        "docker.io/library/c:latest linux/amd64",
    ]


def test_platforms() -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS x\nFROM b\nCOPY --from=x y z\n"
    assert needed(text, platforms=(AMD64, ARM64)) == [
        "docker.io/library/a:latest linux/amd64",
        "docker.io/library/b:latest linux/amd64",
        "docker.io/library/b:latest linux/arm64",
    ]


def test_named_contexts() -> None:
    contexts: dict[str, Any] = {
        "a": NamedImage("mine"),
        "b": NamedLocal("b"),
        "s": NamedImage("stage"),
    }
    text = "FROM gone AS s\nFROM a\nCOPY --from=b x y\nCOPY --from=s x y\n"
    assert needed(text, contexts=contexts) == ["stage linux/amd64", "mine linux/amd64"]


def test_a_malformed_name_is_located() -> None:
    with pytest.raises(JettisonError) as caught:
        needed("FROM scratch\nCOPY --from=Upper:: x y\n")
    assert caught.value.span is not None
