"""The plan of a build for one platform: its stages in turn, from FROM to the last instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.parse import parse_trigger
from jettison.errors import InternalError, JettisonError, PlanError
from jettison.model.platform import Platform
from jettison.model.source import ImageSource
from jettison.plan import metadata
from jettison.plan.args import (
    SCAN_CONTEXT,
    SCAN_STAGE,
    global_args,
    predefined_args,
    proxy_variables,
    with_epoch,
)
from jettison.plan.bases import Base, Bases
from jettison.plan.build import Shared, StageBuild
from jettison.plan.checks import Checks
from jettison.plan.configs import DEFAULT_PATH, for_platform, in_unicode
from jettison.plan.copies import copy
from jettison.plan.epoch import resolve_epoch
from jettison.plan.goformat import go_bool
from jettison.plan.names import StepNames, counted
from jettison.plan.options import PlanOptions
from jettison.plan.outline import Capture, Outline, declared_globally, description_of, gathered
from jettison.plan.runs import run
from jettison.plan.stages import SCRATCH, Reference, StageGraph, StageNode, check_order
from jettison.plan.state import StageState, Tree
from jettison.plan.steps import ImagePlan, Local, Step, StepInfo
from jettison.plan.structure import check_froms, check_structure
from jettison.plan.words import Words

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


class TargetPlanner:
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
        self._options = options
        self._platform = platform
        self._several = several
        self._checks = checks
        check_structure(dockerfile, checks)
        predefined = predefined_args(dockerfile, options, platform)
        args = global_args(dockerfile, predefined, options.build_args)
        epoch = resolve_epoch(dockerfile, options, args)
        args = with_epoch(args, epoch)
        check_froms(dockerfile, predefined, args, checks)
        self._graph = StageGraph(dockerfile, options, args, platform)
        self.bases = Bases(options, images, infos, self._graph.names)
        self._states: dict[StageNode, StageState] = {}
        self._declared = declared_globally(dockerfile, predefined, options.build_args)
        self._shared = Shared(
            options=options,
            escape=dockerfile.escape,
            platform=platform,
            build_args=with_epoch(options.build_args, epoch),
            global_args=args,
            epoch=epoch,
            proxy=proxy_variables(options.build_args),
            graph=self._graph,
            context=Tree(context, foreign=not context.owners),
            infos=infos,
        )

    def plan(self) -> ImagePlan:
        target = self._graph.target(self._options.target)
        if self._options.all_stages:
            for node in self._graph.nodes:
                self._state_of(node)
        state = self._state_of(target)
        if self._options.labels:
            labels = {**(state.config.Labels or {}), **self._options.labels}
            state.configure(Labels=labels)
        implicit = self._options.implicit_platform
        config = for_platform(state.image, state.image.platform if implicit else self._platform)
        return ImagePlan(
            platform=config.platform,
            root=state.root,
            config=in_unicode(config),
            history=tuple(state.history),
            base=state.base,
            epoch=self._shared.epoch,
            scans=self._scans(target),
        )

    def _scans(self, target: StageNode) -> tuple[tuple[str, Step], ...]:
        """The other stages, and the context, whose BUILDKIT_SBOM_SCAN_ arguments ask for it.

        Only the target's own argument speaks for the context (BuildKit, dockerfile2llb).
        """
        scans: list[tuple[str, Step]] = []
        if self._scanned(target, SCAN_CONTEXT) and self._shared.context.step is not None:
            scans.append(("context", self._shared.context.step))
        for node in self._graph.closure(target):
            root = self._states[node].root
            if node is not target and root is not None and self._scanned(node, SCAN_STAGE):
                scans.append((_stage_name(node), root))
        return tuple(scans)

    def _scanned(self, node: StageNode, argument: str) -> bool:
        """The last value the stage, or one it is based on, gave the argument; else the global."""
        value = self._shared.global_args.get(argument, "")
        for arg in self._states[node].args:
            if arg.key == argument and arg.value is not None:
                value = arg.value
        wanted = go_bool(value)
        return _stage_name(node) in value.split(",") if wanted is None else wanted

    def outline(self) -> Outline:
        """What the target takes from outside, in all stages it needs (once `plan` is done)."""
        target = self._graph.target(self._options.target)
        captures = [self._states[node].capture for node in self._nearest_first(target)]
        name = target.stage.name or ""
        return Outline(
            name=name,
            description=description_of(target.stage.base, name),
            args=gathered(captures, Capture.args),
            secrets=gathered(captures, lambda capture: capture.secrets.values()),
            agents=gathered(captures, lambda capture: capture.agents.values()),
        )

    def _nearest_first(self, target: StageNode) -> list[StageNode]:
        """The target, what it is based on, then what these copy from or mount."""
        found: dict[StageNode, None] = {}
        pending = [target]
        while pending:
            node = pending.pop()
            if node not in found and node in self._states:
                found[node] = None
                needs = [need for need, _ in self._graph.needs(node)]
                pending += [need for need in reversed(needs) if isinstance(need, StageNode)]
        return list(found)

    def _captured(self, node: StageNode) -> Capture:
        """What a stage has met before its instructions: the global arguments, those in its FROM and
        in those of the stages below it, which have been planned.
        """
        start = node.stage.base
        words = Words(self._shared.escape, self._shared.global_args, start.span)
        for text in (start.image, start.platform or ""):
            words.word_or_none(text)
        chosen = frozenset(words.matched)
        if isinstance(node.base, StageNode) and node.base in self._states:
            chosen |= self._states[node.base].capture.chosen
        return Capture(dict(self._declared), set(chosen), chosen=chosen)

    def _state_of(self, target: StageNode) -> StageState:
        for node in self._graph.closure(target):
            if node not in self._states:
                self._states[node] = self._build(node)
        return self._states[target]

    def _build(self, node: StageNode) -> StageState:
        """Plan one stage, whose base has been planned."""
        state, base = self._begin(node)
        state.capture = self._captured(node)
        triggers = () if node.replacement else self._triggers(node, state)
        state.configure(OnBuild=None)
        instructions = node.instructions
        names = StepNames(
            node.label,
            counted(triggers) + counted(instructions) + (base is not None),
            state.platform if self._several else None,
        )
        if state.root is not None and base is not None:
            info = StepInfo(name=names.next(base.text), span=node.span)
            self._shared.infos.setdefault(state.root, info)
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
        """The state after FROM, and the base if that is not a stage and has files."""
        platform = node.platform or self._platform
        if node.base == SCRATCH and node.replacement is None:
            platform = self._platform  # no base to choose: --platform says nothing
        if node.replacement is not None:
            base = self.bases.context(*node.replacement, platform, node.span)
        elif isinstance(node.base, StageNode):
            return self._states[node.base].derive(), None
        else:
            base = self.bases.named(node.base, platform, node.span)
            self._check_platform(node, base, platform)
        if "windows" in (platform.os, base.config.os):
            raise PlanError(
                "Windows images cannot be built: paths, shells and layers differ there",
                hint="choose another --platform" if platform.os == "windows" else None,
                span=node.span,
            )
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
            self._checks.of(node.stage.base.node).report(
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
        build.checks = self._checks.of(instruction.node)
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


def _stage_name(node: StageNode) -> str:
    return (node.stage.name or f"stage-{node.index}").lower()
