"""Hints with the nearest name."""

from __future__ import annotations

from jettison.plan.suggest import did_you_mean


def test_hint() -> None:
    assert did_you_mean("tets", ["test"]) == "did you mean test?"
    assert did_you_mean("test", ["test", "tests"]) is None
    assert did_you_mean("far", ["away"]) is None
