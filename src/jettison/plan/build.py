"""What the functions that plan instructions work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from jettison.dockerfile.instructions import Instruction
from jettison.dockerfile.suggest import nearest
from jettison.model.platform import Platform
from jettison.plan.args import UNEXPORTED
from jettison.plan.checks import Checks
from jettison.plan.names import StepNames
from jettison.plan.options import PlanOptions
from jettison.plan.stages import Reference, StageGraph, StageNode
from jettison.plan.state import StageState, Tree
from jettison.plan.steps import Step, StepInfo
from jettison.plan.words import Words


class Shared(Struct, frozen=True, kw_only=True):
    """What all stages of one target platform have in common.

    ``build_args`` and ``global_args`` hold SOURCE_DATE_EPOCH as a number, if at all; ``epoch`` is
    that number. ``context`` is the build context.
    """

    options: PlanOptions
    escape: str
    platform: Platform
    build_args: Mapping[str, str]
    global_args: Mapping[str, str]
    epoch: int | None
    proxy: tuple[tuple[str, str], ...]
    graph: StageGraph
    context: Tree
    infos: dict[Step, StepInfo]


class StageBuild(Struct, kw_only=True):
    """One stage being planned. ``tree_of`` finds the files of a stage or image that
    ``instruction`` refers to; ``verb`` is for its error.
    """

    shared: Shared
    node: StageNode
    state: StageState
    names: StepNames
    checks: Checks
    ignore_cache: bool
    tree_of: Callable[[Reference, StageNode, Instruction, str], Tree]
    in_trigger: bool = False

    def words(self, instruction: Instruction) -> Words:
        """Expansion of the instruction's words, against the variables as they are now."""
        return Words(self.shared.escape, self.state.env, instruction.span)

    def report_undefined(self, words: Words) -> None:
        """Warn of variables among ``words`` that nothing has set or declared."""
        declared = {arg.key for arg in self.state.args} | UNEXPORTED
        for name in words.undefined:
            if name not in declared:
                near = nearest(name, self.state.env)
                hint = f" (did you mean ${near}?)" if near else ""
                self.checks.report(
                    "UndefinedVar", f"Usage of undefined variable '${name}'{hint}", words.span
                )

    def references(self, instruction: Instruction, verb: str) -> list[Tree | None]:
        """The files behind each ``from`` of the instruction (None where it names nothing)."""
        return [
            None if found is None else self.tree_of(found, self.node, instruction, verb)
            for found in self.shared.graph.references(instruction)
        ]

    def name(self, instruction: Instruction, env: Mapping[str, str] | None = None) -> str:
        """The next step's name: the instruction with its variables filled in from ``env``."""
        keyword, blank, rest = instruction.text.partition(" ")
        shown = Words(self.shared.escape, env or self.state.env, instruction.span).shown(rest)
        return self.names.next(
            keyword.upper() + blank + shown, self.state.env, trigger=self.in_trigger
        )

    def describe(self, step: Step, instruction: Instruction, name: str) -> None:
        """Keep what is told about ``step``."""
        self.shared.infos[step] = StepInfo(
            name=name,
            span=instruction.span,
            ignore_cache=self.ignore_cache,
        )
