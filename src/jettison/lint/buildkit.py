"""BuildKit's checks: what planning warns of, without asking anybody for images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from msgspec.structs import replace

from jettison.dockerfile.checks import CheckOptions
from jettison.dockerfile.instructions import Arg, Dockerfile, Env
from jettison.errors import JettisonError, NotFoundError
from jettison.lint.view import StageView, View
from jettison.model.digest import sha256_digest
from jettison.model.event import Event, Warned
from jettison.model.oci import Descriptor, ImageConfig
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.model.span import Span
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan

_UNDEFINED = re.compile(r"undefined variable '\$(.+?)'(?: \(did you mean \$(.+?)\?\))?")


class Offline:
    """An ImageSource that knows every image, and of each nothing: its configuration is empty."""

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        config = ImageConfig(
            architecture=platform.architecture, os=platform.os, variant=platform.variant
        )
        digest = sha256_digest(name.encode("utf-8", "surrogateescape"))
        return ResolvedImage(name, digest, config, (), _NoBlobs())


class _NoBlobs:
    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        raise NotFoundError("checks read no layers")


class _Warnings:
    def __init__(self) -> None:
        self.found: list[Warned] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.found.append(event)


def check(
    dockerfile: Dockerfile, options: PlanOptions, checks: CheckOptions
) -> tuple[list[Warned], JettisonError | None]:
    """BuildKit's warnings, and the error at which planning stopped, if it did.

    What ``checks`` says of ``error`` is left to the caller.
    """
    observer = _Warnings()
    try:
        plan(_with_checks(dockerfile, checks), options, Offline(), observer)
    except JettisonError as error:
        return observer.found, error
    return observer.found, None


def _with_checks(dockerfile: Dockerfile, checks: CheckOptions) -> Dockerfile:
    """The Dockerfile with these check options, whose warnings fail nothing."""
    skip = "all" if checks.skip_all else ",".join(sorted(checks.skip))
    tried = "all" if checks.experimental_all else ",".join(sorted(checks.experimental))
    value = f"skip={skip};experimental={tried}"
    return replace(dockerfile, directives={**dockerfile.directives, "check": value})


def certain(warnings: list[Warned], view: View) -> Iterator[Warned]:
    """The warnings that hold although nothing is known of the base images.

    A variable that this Dockerfile does not define may come from the base; it is a mistake only if
    the Dockerfile defines it elsewhere, or one that is nearly called so.
    """
    defined = _defined(view.dockerfile)
    for warning in warnings:
        match = _UNDEFINED.search(warning.message) if warning.code == "UndefinedVar" else None
        known = match is None or match[1] in defined or match[2] in defined
        if known or _stage_at(view, warning.span).root_image == "scratch":
            yield warning


def _defined(dockerfile: Dockerfile) -> set[str]:
    instructions = [*dockerfile.global_args]
    names = {pair.key for arg in instructions for pair in arg.values}
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Arg | Env):
                names |= {pair.key for pair in instruction.values}
    return names


def _stage_at(view: View, span: Span | None) -> StageView:
    line = span.line if span else 1
    before = [stage for stage in view.stages if stage.node.span.line <= line]
    return before[-1] if before else view.stages[0]
