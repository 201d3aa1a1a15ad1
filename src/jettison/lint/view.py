"""What rules look at: the stages with their bases, and the commands of each RUN."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from jettison.dockerfile.instructions import Dockerfile, Instruction, Run, Shell
from jettison.errors import JettisonError
from jettison.lint.edit import Places
from jettison.lint.scripts import Script, scripts_of, understands
from jettison.model.reference import Reference, parse_reference
from jettison.plan.args import global_args, predefined_args
from jettison.plan.options import PlanOptions
from jettison.plan.stages import SCRATCH, StageGraph, StageNode


class Context(Struct, frozen=True):
    """What is known of the build context.

    ``ignored`` is whether there is a .dockerignore, ``visible`` the names at its top that a build
    sees; None if the context is not known.
    """

    ignored: bool | None = None
    visible: frozenset[str] | None = None


class StageView(Struct, frozen=True, eq=False):
    """A stage. ``base`` is the stage it is based on; ``image`` what its FROM names otherwise, with
    variables expanded (``scratch`` for nothing).
    """

    node: StageNode
    base: StageView | None
    image: str | None

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return self.node.stage.instructions

    @property
    def name(self) -> str | None:
        return self.node.stage.name

    @property
    def chain(self) -> tuple[StageView, ...]:
        """The stage and those it is based on, the first one first."""
        found = [self]
        while (base := found[-1].base) is not None:
            found.append(base)
        return tuple(reversed(found))

    @property
    def root_image(self) -> str:
        """The image at the bottom of the chain."""
        return self.chain[0].image or ""

    @property
    def history(self) -> Iterator[Instruction]:
        """The instructions that make its image, from the first stage of the chain on."""
        for stage in self.chain:
            yield from stage.instructions


class View:
    """A Dockerfile as rules see it."""

    def __init__(self, dockerfile: Dockerfile, options: PlanOptions, context: Context) -> None:
        """Raises what planning raises for a FROM or --from that is wrong."""
        assert dockerfile.ast is not None
        self.dockerfile = dockerfile
        self.context = context
        self.places = Places(dockerfile.ast.source)
        platform = options.target_platforms[0]
        args = global_args(
            dockerfile, predefined_args(dockerfile, options, platform), options.build_args
        )
        self.graph = StageGraph(dockerfile, options, args, platform)
        self.stages: list[StageView] = []
        for node in self.graph.nodes:
            of_stage = isinstance(node.base, StageNode)
            base = self._stage(node.base) if isinstance(node.base, StageNode) else None
            self.stages.append(StageView(node, base, None if of_stage else str(node.base)))
        target = self.graph.target(options.target)
        self.final = self._stage(target)
        self._scripts: dict[int, tuple[Script, ...]] = {}  # by id: the Dockerfile keeps the RUNs
        self._find_scripts()

    def _stage(self, node: StageNode) -> StageView:
        return self.stages[node.index]

    @property
    def shipped(self) -> tuple[StageView, ...]:
        """The stages whose layers are those of the final image."""
        return self.final.chain

    def scripts(self, run: Run) -> tuple[Script, ...]:
        """What a POSIX shell executes in a RUN of this Dockerfile."""
        return self._scripts.get(id(run), ())

    def runs(self, stage: StageView) -> Iterator[tuple[Run, tuple[Script, ...]]]:
        """Every RUN of a stage with its scripts."""
        for instruction in stage.instructions:
            if isinstance(instruction, Run):
                yield instruction, self.scripts(instruction)

    def all_runs(self) -> Iterator[tuple[StageView, Run, tuple[Script, ...]]]:
        for stage in self.stages:
            for run, scripts in self.runs(stage):
                yield stage, run, scripts

    def _find_scripts(self) -> None:
        """SHELL holds for what follows it, also in stages based on this one."""
        at_end: dict[StageView, bool] = {}
        for stage in self.stages:
            understood = at_end[stage.base] if stage.base else True
            for instruction in stage.instructions:
                if isinstance(instruction, Shell):
                    understood = understands(instruction.words)
                elif isinstance(instruction, Run):
                    found = scripts_of(instruction, self.places, understood)
                    self._scripts[id(instruction)] = found
            at_end[stage] = understood


def reference_of(image: str | None) -> Reference | None:
    """The reference that an image's name is; None for scratch and for what is none."""
    if not image or image == SCRATCH:
        return None
    try:
        return parse_reference(image)
    except JettisonError:
        return None
