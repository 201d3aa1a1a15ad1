"""Which stages there are, what they need, and which of them the target needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from msgspec import Struct

from jettison.dockerfile.instructions import Copy, Dockerfile, Instruction, Run, Stage
from jettison.dockerfile.text import quoted
from jettison.errors import JettisonError, PlanError
from jettison.model.platform import Platform, parse_platform
from jettison.model.reference import parse_reference
from jettison.model.span import Span
from jettison.plan.options import NamedContext, PlanOptions
from jettison.plan.suggest import did_you_mean
from jettison.plan.words import Words

SCRATCH = "scratch"


class StageNode(Struct, frozen=True, eq=False, kw_only=True):
    """A stage with its FROM resolved.

    ``base`` is an earlier stage, or the name of an image (``scratch`` for none). ``platform`` is
    what --platform says. ``replacement`` is the named context that stands for the whole stage,
    with its key.
    """

    index: int
    stage: Stage
    label: str
    base: StageNode | str
    platform: Platform | None
    replacement: tuple[str, NamedContext] | None = None

    @property
    def span(self) -> Span:
        return self.stage.base.span

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return () if self.replacement else self.stage.instructions


Reference = StageNode | str
"""What --from means: a stage, or the name of an image or named context."""


class StageGraph:
    """The stages of a Dockerfile for one target platform.

    ``args`` are the global arguments. Raises, also for stages that nobody needs, what is wrong
    with a FROM or a --from: DockerfileError for its words, PlanError for an unknown stage number,
    an invalid platform or image name, or stages that need each other.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        options: PlanOptions,
        args: Mapping[str, str],
        target_platform: Platform,
    ) -> None:
        self._escape = dockerfile.escape
        self._by_name: dict[str, StageNode] = {}
        self.nodes: list[StageNode] = []
        for stage in dockerfile.stages:
            self._add(stage, len(dockerfile.stages), options, args, target_platform)
        self._reject_cycles()

    def _add(
        self,
        stage: Stage,
        count: int,
        options: PlanOptions,
        args: Mapping[str, str],
        target_platform: Platform,
    ) -> None:
        start = stage.base
        words = Words(self._escape, args, start.span)
        image = words.word(start.image)
        if not image:
            raise PlanError(f"base name ({start.image}) should not be blank", span=start.span)
        platform = None
        if start.platform:  # nothing after the = is nothing said
            platform = _platform(start.platform, words, args, start.span)
        replacement = None
        if stage.name:
            replacement = options.named_context(stage.name, platform or target_platform)
        base = self._by_name.get(image, image)
        if isinstance(base, str) and replacement is None:
            self._check_image(base, start.span)
        label = stage.name or f"stage-{stage.index}"
        node = StageNode(
            index=stage.index,
            stage=stage,
            label="" if count == 1 else label,
            base=base,
            platform=platform,
            replacement=replacement,
        )
        self.nodes.append(node)
        if stage.name:
            self._by_name[stage.name.lower()] = node

    def _check_image(self, image: str, span: Span) -> None:
        if image == SCRATCH:
            return
        try:
            parse_reference(image)
        except JettisonError as error:
            hint = error.hint
            if image.lower() in self._by_name:
                hint = f"did you mean the stage {image.lower()}? FROM takes its name in lower case"
            raise PlanError(
                f"failed to parse stage name {image!r}: {error.message}", hint=hint, span=span
            ) from None

    @property
    def names(self) -> list[str]:
        return list(self._by_name)

    def target(self, name: str) -> StageNode:
        """The stage called ``name`` (in any case), the last one if it is empty.

        Raises PlanError if there is none.
        """
        if not name:
            return self.nodes[-1]
        found = self._by_name.get(name.lower())
        if found is None:
            raise PlanError(
                f"target stage {quoted(name)} could not be found",
                hint=did_you_mean(name, self.names) or _all_names(self.names),
            )
        return found

    def references(self, instruction: Instruction) -> tuple[Reference | None, ...]:
        """What a COPY takes its files from, or the mounts of a RUN theirs (None: nothing named)."""
        if isinstance(instruction, Copy):
            if not instruction.from_:
                return ()
            return (self._copy_source(instruction.from_, instruction.span),)
        if isinstance(instruction, Run):
            return tuple(
                self._by_name.get(mount.from_.lower(), mount.from_) if mount.from_ else None
                for mount in instruction.mounts
            )
        return ()

    def _copy_source(self, name: str, span: Span) -> Reference:
        if Words(self._escape, {}, span).word(name) != name:
            raise PlanError(
                "variable expansion is not supported for --from",
                hint="define a stage whose FROM uses a global ARG, and copy from that",
                span=span,
            )
        try:
            index = int(name) if name.lstrip("+-").isdecimal() else None
        except ValueError:
            index = None
        if index is None:
            return self._by_name.get(name.lower(), name)
        if not 0 <= index < len(self.nodes):
            raise PlanError(
                f"invalid stage index {index}",
                hint=f"stages are numbered from 0 to {len(self.nodes) - 1}",
                span=span,
            )
        return self.nodes[index]

    def needs(self, node: StageNode) -> Iterator[tuple[Reference, Span]]:
        """What a stage needs directly, and where: its base and what its instructions name."""
        if node.replacement is not None:
            return
        yield node.base, node.span
        for instruction in node.instructions:
            for reference in self.references(instruction):
                if reference is not None:
                    yield reference, instruction.span

    def closure(self, target: StageNode) -> list[StageNode]:
        """The target and all stages it needs, in the order of the Dockerfile."""
        seen = {target}
        pending = [target]
        while pending:
            for need, _ in self.needs(pending.pop()):
                if isinstance(need, StageNode) and need not in seen:
                    seen.add(need)
                    pending.append(need)
        return sorted(seen, key=lambda node: node.index)

    def _reject_cycles(self) -> None:
        uses = {
            node: [
                (need, span)
                for need, span in self.needs(node)
                if isinstance(need, StageNode) and span is not node.span  # a base stands before
            ]
            for node in self.nodes
        }
        try:
            TopologicalSorter({node: [n for n, _ in used] for node, used in uses.items()}).prepare()
        except CycleError as error:
            cycle: list[StageNode] = error.args[1][:0:-1]
            while cycle[0] is not min(cycle, key=lambda node: node.index):
                cycle.append(cycle.pop(0))
            names = [node.stage.name or f"stage-{node.index}" for node in (*cycle, cycle[0])]
            raise PlanError(
                f"circular dependency detected on stage: {names[0]}",
                hint=" needs ".join(names),
                span=next(span for node, span in uses[cycle[-1]] if node is cycle[0]),
            ) from None


def check_order(source: StageNode, user: StageNode, verb: str, span: Span) -> None:
    """Raise PlanError if ``source`` does not stand before ``user``."""
    if source.index >= user.index:
        raise PlanError(
            f"cannot {verb} from stage {source.label!r}, it needs to be defined before current"
            f" stage {user.label!r}",
            span=span,
        )


def _platform(text: str, words: Words, args: Mapping[str, str], span: Span) -> Platform:
    value = words.word(text)
    hint = next(
        (h for h in (did_you_mean(name, args) for name in words.undefined) if h is not None), None
    )
    if not value:
        raise PlanError(f"empty platform value from expression {text}", hint=hint, span=span)
    try:
        return parse_platform(value)
    except JettisonError as error:
        raise PlanError(
            f"failed to parse platform {text}: {error.message}", hint=hint or error.hint, span=span
        ) from None


def _all_names(names: Iterable[str]) -> str | None:
    listed = ", ".join(names)
    return f"the stages are {listed}" if listed else "no stage has a name"
