"""Any text at all: a plan, or an error with its place; and no lint that stumbles.

``make test`` tries some hundreds, the same every time; ``make fuzz`` sets $FUZZ, the number of
examples of each kind together, and prints what became of them.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.strategies import generated, mutated
from tests.fuzz.trial import check_lint, outcome

FUZZ = int(os.environ.get("FUZZ", "0"))
SLOW = 5.0
"""Seconds of the processor's time that one example may take, on a busy machine."""

KINDS: dict[str, tuple[st.SearchStrategy[str], float]] = {
    "generated": (generated(), 0.5),
    "mutated": (mutated(), 0.45),
    "random": (st.text(max_size=120), 0.05),
}


def profile(share: float) -> settings:
    """Under ``make fuzz`` other examples at each run; else the same ones, and few."""
    return settings(
        max_examples=max(int((FUZZ or 2000) * share), 1),
        derandomize=not FUZZ,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def fuzz(kind: str, check: Callable[[str], str]) -> tuple[Counter[str], float]:
    """Run ``check`` on examples of a kind; what came out, and the slowest example's seconds."""
    texts, share = KINDS[kind]
    counts: Counter[str] = Counter()
    slowest = 0.0

    @profile(share)
    @given(texts)
    def each(text: str) -> None:
        nonlocal slowest
        start = time.process_time()
        counts[check(text)] += 1
        took = time.process_time() - start
        slowest = max(slowest, took)
        assert took < SLOW, f"{took:.1f} s"

    each()
    return counts, slowest


def everything(text: str) -> str:
    result = outcome(text)
    check_lint(text)
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_any_text_is_planned_or_refused_with_a_place(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    counts, slowest = fuzz(kind, everything)
    if FUZZ:
        shown = ", ".join(f"{counts[name]:,} {name}" for name in ("planned", "parsed", "refused"))
        with capsys.disabled():
            print(f"\n{kind}: {counts.total():,} texts: {shown}; slowest {slowest:.2f} s")
    assert counts["refused"]
    assert counts["planned"] or kind == "random"
