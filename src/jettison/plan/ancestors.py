"""The steps a step needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jettison.plan.steps import Step


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
