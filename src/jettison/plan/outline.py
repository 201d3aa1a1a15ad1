"""What can be asked of a Dockerfile without building it: its targets, and what one target takes.

The answers are those of BuildKit's subrequests ``frontend.targets`` and ``frontend.outline``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct, field

from jettison.dockerfile.instructions import Arg, Dockerfile, Instruction
from jettison.model.span import Span
from jettison.plan.words import Words


class Target(Struct, frozen=True, kw_only=True):
    """A stage; ``base`` and ``platform`` as written, ``description`` from the comment above."""

    name: str
    description: str
    base: str
    platform: str
    default: bool
    span: Span


class Declared(Struct, frozen=True, kw_only=True):
    """A build argument with its value in this build; ``needs`` are those its default uses."""

    name: str
    value: str
    description: str
    span: Span
    needs: frozenset[str] = frozenset()


class Needed(Struct, frozen=True):
    """A secret or an ssh agent that a RUN mounts."""

    name: str
    required: bool
    span: Span


class Outline(Struct, frozen=True, kw_only=True):
    """What a target takes, each in the order of the Dockerfile."""

    name: str
    description: str
    args: tuple[Declared, ...]
    secrets: tuple[Needed, ...]
    agents: tuple[Needed, ...]


class Capture(Struct):
    """What planning one stage has met. ``declared`` begins with the global arguments."""

    declared: dict[str, Declared] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    secrets: dict[str, Needed] = field(default_factory=dict)
    agents: dict[str, Needed] = field(default_factory=dict)
    chosen: frozenset[str] = frozenset()
    """The arguments that the FROMs of the stage, and of those it is based on, use."""

    def args(self) -> Iterator[Declared]:
        """The arguments in use, with those that their defaults use."""
        pending, seen = list(self.used), set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.declared:
                yield self.declared[name]
                pending += self.declared[name].needs


def description_of(instruction: Instruction, name: str) -> str:
    """What a comment right above says after ``name`` and a blank."""
    comments = instruction.node.comments if instruction.node and name else ()
    found = (c.text.removeprefix(name + " ") for c in comments if c.text.startswith(name + " "))
    return next(found, "")


def targets(dockerfile: Dockerfile) -> tuple[Target, ...]:
    """All stages, the last of which is built by default."""
    return tuple(
        Target(
            name=stage.name or "",
            description=description_of(stage.base, stage.name or ""),
            base=stage.base.image,
            platform=stage.base.platform or "",
            default=stage is dockerfile.stages[-1],
            span=stage.base.span,
        )
        for stage in dockerfile.stages
    )


def declared_globally(
    dockerfile: Dockerfile, predefined: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, Declared]:
    """The ARGs before the first FROM; one redefined by itself needs what it needed before."""
    values, found = dict(predefined), dict[str, Declared]()
    for instruction in dockerfile.global_args:
        for item in instruction.values:
            value, needs = given.get(item.key), frozenset[str]()
            if value is None and item.value is not None:
                words = Words(dockerfile.escape, values, instruction.span)
                value = words.word(item.value)
                needs = frozenset(words.matched) - {item.key}
                if item.key in words.matched and item.key in found:
                    needs |= found[item.key].needs
            if value is not None:
                values[item.key] = value
            found[item.key] = declared(instruction, item.key, value, needs)
    return found


def declared(
    instruction: Arg, name: str, value: str | None, needs: frozenset[str] = frozenset()
) -> Declared:
    return Declared(
        name=name,
        value=value or "",
        description=description_of(instruction, name),
        span=instruction.span,
        needs=needs,
    )


_Item = TypeVar("_Item", Declared, Needed)


def gathered(
    captures: Iterable[Capture], of: Callable[[Capture], Iterable[_Item]]
) -> tuple[_Item, ...]:
    """What all stages have, each name once as the first stage has it, in the order of lines."""
    found: dict[str, _Item] = {}
    for capture in captures:
        for item in of(capture):
            found.setdefault(item.name, item)
    return tuple(sorted(found.values(), key=lambda item: item.span.line))
