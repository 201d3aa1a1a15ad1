"""Walking the step graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jettison.plan.steps import BindMount, CacheMount, Merge, PathSource, Source, Step
from jettison.solve.keys import Reader


def ancestors(roots: Iterable[Step]) -> list[Step]:
    """All steps the roots need and the roots themselves, every input before its users.

    Iterative: a chain of thousands of instructions must not meet the recursion limit.
    """
    order: list[Step] = []
    seen: set[Step] = set()
    stack: list[tuple[Step, Iterator[Step]]] = []
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack.append((root, root.inputs()))
        while stack:
            step, rest = stack[-1]
            following = next((s for s in rest if s not in seen), None)
            if following is None:
                order.append(step)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, following.inputs()))
    return order


def readers(step: Step) -> Iterator[tuple[Reader, Step]]:
    """The inputs of a step, each with what it is read through (None: it is built upon)."""
    for name in step.__struct_fields__:
        value = getattr(step, name)
        if isinstance(value, Step):
            yield None, value
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, PathSource | BindMount | CacheMount) and item.step is not None:
                    yield item, item.step


def base_sources(step: Step) -> Iterator[Source]:
    """The images whose layers lie at the bottom of what ``step`` makes."""
    pending = [step]
    while pending:
        current = pending.pop()
        if isinstance(current, Source):
            yield current
            continue
        root = getattr(current, "root", None)
        if isinstance(root, Step):
            pending.append(root)
        if isinstance(current, Merge):
            pending.append(current.upper)
