"""From a typed Dockerfile to the graph of steps that builds it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from jettison.dockerfile.checks import CheckOptions, parse_check_options
from jettison.dockerfile.directives import find_check
from jettison.dockerfile.instructions import Dockerfile
from jettison.dockerfile.parse import parse_prefix
from jettison.errors import DockerfileError, PlanError
from jettison.model.event import Observer, Silent
from jettison.model.source import ImageSource
from jettison.model.span import SourceText, Span
from jettison.plan.checks import Checks
from jettison.plan.goformat import go_bool
from jettison.plan.options import PlanOptions
from jettison.plan.outline import Outline
from jettison.plan.steps import BuildPlan, Local, Step, StepInfo
from jettison.plan.structure import check_prefix
from jettison.plan.target import TargetPlanner

CONTEXT = "context"
"""The name of the build context's Local step."""


def plan(
    dockerfile: Dockerfile, options: PlanOptions, images: ImageSource, observer: Observer
) -> BuildPlan:
    """The steps that build the target stage for every platform asked for.

    Only the stages the target needs are planned, and only their base images asked for. Warnings
    go to ``observer`` as Warned events. Raises PlanError or DockerfileError with the place in the
    Dockerfile, and whatever ``images`` raises for a base image.
    """
    check_options = _options_of(dockerfile, options.build_args)
    several = _several(options)
    infos: dict[Step, StepInfo] = {}
    context = Local(name=CONTEXT, owners=options.context_owners)
    infos[context] = StepInfo(name="[internal] load build context")
    images_planned, sources = [], {}
    for number, platform in enumerate(options.target_platforms):
        # The checks of later platforms would only repeat those of the first.
        checks = Checks(check_options, observer if number == 0 else Silent())
        planner = TargetPlanner(
            dockerfile,
            options,
            platform,
            images=images,
            checks=checks,
            infos=infos,
            context=context,
            several=several,
        )
        images_planned.append(planner.plan())
        sources.update(planner.bases.sources)
        checks.fail_if_asked()
    return BuildPlan(
        images=tuple(images_planned), infos=infos, sources=sources, multi_platform=several
    )


def outline(dockerfile: Dockerfile, options: PlanOptions, images: ImageSource) -> Outline:
    """What the target takes from outside. Raises what `plan` raises."""
    planner = TargetPlanner(
        dockerfile,
        options,
        options.target_platforms[0],
        images=images,
        checks=Checks(CheckOptions(), Silent()),
        infos={},
        context=Local(name=CONTEXT),
        several=False,
    )
    planner.plan()
    return planner.outline()


def check_refused(
    source: SourceText, syntax: str | None, build_args: Mapping[str, str], observer: Observer
) -> None:
    """Of a Dockerfile that `dockerfile.parse.parse` refuses: warn of what BuildKit has found by
    then. Raises DockerfileError for malformed check options, which come before all else.
    """
    found = find_check(SourceText(source.name, source.text.removeprefix("\ufeff")))
    value, span = (found.value, found.span) if found else ("", None)
    options = _check_options(value, span, build_args)
    with contextlib.suppress(DockerfileError):
        ast, instructions = parse_prefix(source.text, source.name, syntax=syntax)
        check_prefix(ast, instructions, Checks(options, observer))


def _options_of(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> CheckOptions:
    directives = dockerfile.ast.directives if dockerfile.ast else ()
    span = next((each.span for each in directives if each.name == "check"), None)
    return _check_options(dockerfile.directives.get("check", ""), span, build_args)


def _check_options(text: str, span: Span | None, build_args: Mapping[str, str]) -> CheckOptions:
    given = build_args.get("BUILDKIT_DOCKERFILE_CHECK")
    return parse_check_options(text, span) if given is None else parse_check_options(given)


def _several(options: PlanOptions) -> bool:
    """Whether the result is an index: there are several platforms, or the user wants it so."""
    several = len(options.platforms) > 1
    given = options.build_args.get("BUILDKIT_MULTI_PLATFORM")
    if not given:
        return several
    wanted = go_bool(given)
    if wanted is None:
        raise PlanError(f"invalid boolean value for BUILDKIT_MULTI_PLATFORM: {given}")
    if several and not wanted:
        raise PlanError("BUILDKIT_MULTI_PLATFORM=false contradicts several platforms")
    return wanted
