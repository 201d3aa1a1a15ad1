"""SdkAsFinalBase."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.dockerfile.instructions import Cmd, Entrypoint
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View, reference_of
from jettison.model.reference import Reference

_SDKS = frozenset(
    f"docker.io/library/{name}"
    for name in (
        "golang rust gcc maven gradle haskell buildpack-deps composer dart elixir erlang crystal"
    ).split()
) | {"mcr.microsoft.com/dotnet/sdk", "docker.io/library/swift"}
_JAVA = re.compile(r"(?:^|/)(?:openjdk|eclipse-temurin|amazoncorretto|ibm-semeru-runtimes)$")
_RUNTIME_TAG = re.compile(r"(?:^|[-.])(?:jre|runtime|slim)(?:[-.]|$)")


def _check(view: View) -> Iterator[Problem]:
    base = view.shipped[0].node.stage.base
    reference = reference_of(view.final.root_image)
    if reference is None or not any(isinstance(i, Cmd | Entrypoint) for i in view.final.history):
        return
    what = _sdk(reference)
    if what:
        yield Problem(
            instruction=base,
            message=f"the final image is built on {what}",
            help="build in this stage, and COPY --from= the result into one with a smaller base",
            evidence=reference.familiar,
        )


def _sdk(reference: Reference) -> str:
    """What kind of development image a reference names, empty if none that is known."""
    tag = reference.tag or ""
    if reference.repository in _SDKS and not _RUNTIME_TAG.search(tag):
        return f"{reference.path.removeprefix('library/')}, which holds a compiler or build tool"
    if _JAVA.search(reference.path) and re.search(r"(?:^|-)jdk(?:-|$)", tag):
        return f"{reference.familiar}, which is a JDK: a JRE runs the program"
    return ""


RULE = Rule(
    code="SdkAsFinalBase",
    severity="warning",
    summary="the final image is built on a development image",
    why="""\
Images such as `golang`, `rust`, `maven` or a JDK hold everything that building needs: often a
gigabyte of which the program uses none. They are meant for build stages.""",
    catches=(
        "A final image with CMD or ENTRYPOINT whose lowest base is a known development image:"
        " golang, rust, gcc, maven, gradle, dotnet/sdk, a JDK and others.",
    ),
    misses=(
        "Images without a command of their own: they may be meant as bases for building.",
        "Development images with other names, and interpreters (python, node) in their large"
        " variant.",
    ),
    before="""\
FROM golang:1.23
WORKDIR /src
COPY main.go .
RUN go build -o /app main.go
CMD ["/app"]
""",
    after="""\
FROM golang:1.23 AS build
WORKDIR /src
COPY main.go .
RUN CGO_ENABLED=0 go build -o /app main.go

FROM scratch
COPY --from=build /app /app
USER 65532
CMD ["/app"]
""",
    check=_check,
)
