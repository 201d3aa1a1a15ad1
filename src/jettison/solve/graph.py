"""Walking the step graph."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.plan.steps import BindMount, CacheMount, Merge, PathSource, Source, Step
from jettison.solve.keys import Reader


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
