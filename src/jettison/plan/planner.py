"""From a typed Dockerfile to the graph of steps that builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.parse import parse_trigger
from jettison.errors import DockerfileError, InternalError, JettisonError, PlanError
from jettison.model.event import Observer, Silent
from jettison.model.oci import ImageConfig
from jettison.model.platform import Platform, make_platform
from jettison.model.source import ImageSource
from jettison.plan import metadata
from jettison.plan.args import global_args, platform_args, proxy_variables
from jettison.plan.bases import Base, Bases
from jettison.plan.build import Shared, StageBuild
from jettison.plan.checks import CheckConfig, Checks, parse_check_options
from jettison.plan.copies import copy
from jettison.plan.epoch import NAME as EPOCH
from jettison.plan.epoch import resolve_epoch
from jettison.plan.goformat import go_bool
from jettison.plan.names import StepNames, counted
from jettison.plan.options import PlanOptions
from jettison.plan.runs import run
from jettison.plan.stages import Reference, StageGraph, StageNode, check_order
from jettison.plan.state import DEFAULT_PATH, StageState, Tree, in_unicode
from jettison.plan.steps import BuildPlan, ImagePlan, Local, Step, StepInfo
from jettison.plan.structure import check_froms, check_structure

CONTEXT = "context"
"""The name of the build context's Local step."""

_PLANNERS: dict[type[ins.Instruction], Callable[[StageBuild, Any], None]] = {
    ins.Arg: metadata.arg,
    ins.Cmd: metadata.cmd,
    ins.Copy: copy,
    ins.Entrypoint: metadata.entrypoint,
    ins.Env: metadata.env,
    ins.Expose: metadata.expose,
    ins.Healthcheck: metadata.healthcheck,
    ins.Label: metadata.label,
    ins.Maintainer: metadata.maintainer,
    ins.Onbuild: metadata.onbuild,
    ins.Run: run,
    ins.Shell: metadata.shell,
    ins.StopSignal: metadata.stop_signal,
    ins.User: metadata.user,
    ins.Volume: metadata.volume,
    ins.Workdir: metadata.workdir,
}


def plan(
    dockerfile: ins.Dockerfile, options: PlanOptions, images: ImageSource, observer: Observer
) -> BuildPlan:
    """The steps that build the target stage for every platform asked for.

    Only the stages the target needs are planned, and only their base images asked for. Warnings
    go to ``observer`` as Warned events. Raises PlanError or DockerfileError with the place in the
    Dockerfile, and whatever ``images`` raises for a base image.
    """
    config = _check_config(dockerfile, options)
    several = _several(options)
    infos: dict[Step, StepInfo] = {}
    context = Local(name=CONTEXT)
    infos[context] = StepInfo(name="[internal] load build context")
    images_planned, sources = [], {}
    for number, platform in enumerate(options.target_platforms):
        # The checks of later platforms would only repeat those of the first.
        checks = Checks(config, observer if number == 0 else Silent())
        planner = _Planner(
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


def _check_config(dockerfile: ins.Dockerfile, options: PlanOptions) -> CheckConfig:
    given = options.build_args.get("BUILDKIT_DOCKERFILE_CHECK")
    if given is not None:
        return parse_check_options(given)
    directives = dockerfile.ast.directives if dockerfile.ast else ()
    span = next((each.span for each in directives if each.name == "check"), None)
    try:
        return parse_check_options(dockerfile.directives.get("check", ""))
    except DockerfileError as error:
        raise error.at(span) from None


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


class _Planner:
    """Plans the build for one platform."""

    def __init__(
        self,
        dockerfile: ins.Dockerfile,
        options: PlanOptions,
        platform: Platform,
        *,
        images: ImageSource,
        checks: Checks,
        infos: dict[Step, StepInfo],
        context: Local,
        several: bool,
    ) -> None:
        self._dockerfile = dockerfile
        self._options = options
        self._platform = platform
        self._several = several
        self._checks = checks
        check_structure(dockerfile, checks)
        predefined = predefined_args(dockerfile, options, platform)
        args = global_args(dockerfile, predefined, options.build_args)
        epoch = resolve_epoch(dockerfile, options, args)
        args = _with_epoch(args, epoch)
        check_froms(dockerfile, predefined, args, checks)
        self._graph = StageGraph(dockerfile, options, args, platform)
        self.bases = Bases(options, images, infos, self._graph.names)
        self._states: dict[StageNode, StageState] = {}
        self._shared = Shared(
            options=options,
            escape=dockerfile.escape,
            platform=platform,
            build_args=_with_epoch(options.build_args, epoch),
            global_args=args,
            epoch=epoch,
            proxy=proxy_variables(options.build_args),
            graph=self._graph,
            context=Tree(context, foreign=True),
            infos=infos,
        )

    def plan(self) -> ImagePlan:
        target = self._graph.target(self._options.target)
        state = self._state_of(target)
        if self._options.labels:
            labels = {**(state.config.Labels or {}), **self._options.labels}
            state.configure(Labels=labels)
        implicit = self._options.implicit_platform
        config = _for_platform(state.image, state.image.platform if implicit else self._platform)
        return ImagePlan(
            platform=config.platform,
            root=state.root,
            config=in_unicode(config),
            history=tuple(state.history),
            base=state.base,
            epoch=self._shared.epoch,
        )

    def _state_of(self, target: StageNode) -> StageState:
        for node in self._graph.closure(target):
            if node not in self._states:
                self._states[node] = self._build(node)
        return self._states[target]

    def _build(self, node: StageNode) -> StageState:
        """Plan one stage, whose base has been planned."""
        state, base = self._begin(node)
        triggers = () if node.replacement else self._triggers(node, state)
        state.configure(OnBuild=None)
        instructions = node.instructions
        names = StepNames(
            node.label,
            counted(triggers) + counted(instructions) + (base is not None),
            state.platform if self._several else None,
        )
        if base is not None and base.root is not None:
            info = StepInfo(name=names.next(base.text), span=node.span)
            self._shared.infos.setdefault(base.root, info)
        if node.replacement:
            return state
        self._set_environment(state)
        build = StageBuild(
            shared=self._shared,
            node=node,
            state=state,
            names=names,
            checks=self._checks,
            ignore_cache=self._options.ignores_cache(node.stage.name),
            tree_of=self._tree_of,
        )
        for trigger in triggers:
            self._plan(build, trigger, in_trigger=True)
        for instruction in instructions:
            self._plan(build, instruction)
        return state

    def _begin(self, node: StageNode) -> tuple[StageState, Base | None]:
        """The state after FROM, and the base if that is not a stage."""
        platform = node.platform or self._platform
        if node.replacement is not None:
            base = self.bases.context(*node.replacement, platform, node.span)
        elif isinstance(node.base, StageNode):
            return self._states[node.base].derive(), None
        else:
            base = self.bases.named(node.base, platform, node.span)
            self._check_platform(node, base, platform)
        state = StageState(
            platform=platform,
            image=base.config,
            root=base.root,
            base=base.resolved,
            history=list(base.history),
        )
        return state, base if base.root is not None else None

    def _check_platform(self, node: StageNode, base: Base, wanted: Platform) -> None:
        found = base.config
        if (found.os, found.architecture) != (wanted.os, wanted.architecture):
            self._checks.of(node.stage.base).report(
                "InvalidBaseImagePlatform",
                f"Base image {node.base} is for {str(found.platform)!r}, but {str(wanted)!r} is"
                " wanted",
                node.span,
            )

    def _triggers(self, node: StageNode, state: StageState) -> tuple[ins.Instruction, ...]:
        """What the base, image or stage, says ONBUILD."""
        expressions = state.config.OnBuild or ()
        if isinstance(node.base, StageNode):
            expressions = self._states[node.base].config.OnBuild or ()
        return tuple(parse_trigger(text, node.span) for text in expressions)

    def _set_environment(self, state: StageState) -> None:
        config = state.config
        variables = [pair.partition("=") for pair in config.Env or ()]
        if not any(key == "PATH" for key, _, _ in variables):
            state.configure(Env=(*(config.Env or ()), f"PATH={DEFAULT_PATH}"))
            variables.append(("PATH", "=", DEFAULT_PATH))
        for key, _, value in variables:
            state.set_env(key, value)
        if config.WorkingDir:
            state.configure(WorkingDir=metadata.resolve_workdir("/", config.WorkingDir))

    def _plan(
        self, build: StageBuild, instruction: ins.Instruction, *, in_trigger: bool = False
    ) -> None:
        planner = _PLANNERS.get(type(instruction))
        if planner is None:
            raise InternalError(f"no planner for {type(instruction).__name__}")
        build.in_trigger = in_trigger
        build.checks = self._checks.of(instruction)
        try:
            planner(build, instruction)
        except JettisonError as error:
            raise error.at(instruction.span) from None

    def _tree_of(
        self, source: Reference, user: StageNode, instruction: ins.Instruction, verb: str
    ) -> Tree:
        if isinstance(source, StageNode):
            check_order(source, user, verb, instruction.span)
            known = self._states.get(source)
            return Tree((known or self._state_of(source)).root)
        return self.bases.tree(source, self._platform, instruction.span)


def predefined_args(
    dockerfile: ins.Dockerfile, options: PlanOptions, platform: Platform
) -> dict[str, str]:
    """The arguments that every Dockerfile has, for one target platform."""
    stage = options.target or dockerfile.stages[-1].name or ""
    return platform_args(options.build_platform, platform, stage, options.build_args)


def _with_epoch(args: Mapping[str, str], epoch: int | None) -> dict[str, str]:
    """``args`` with SOURCE_DATE_EPOCH, if it is among them, as the number it stands for."""
    args = dict(args)
    if EPOCH in args:
        if epoch is None:
            del args[EPOCH]
        else:
            args[EPOCH] = str(epoch)
    return args


def _for_platform(config: ImageConfig, platform: Platform) -> ImageConfig:
    """``config`` made to say that it is for ``platform``, in normal form."""
    same = (config.os, config.architecture) == (platform.os, platform.architecture)
    variant = platform.variant or (config.variant if same else "")
    version = platform.os_version or (config.os_version if same else "")
    normal = make_platform(platform.os, platform.architecture, variant, version)
    return msgspec.structs.replace(
        config,
        os=normal.os,
        architecture=normal.architecture,
        variant=normal.variant,
        os_version=version,
        os_features=platform.os_features or config.os_features,
    )
