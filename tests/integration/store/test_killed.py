"""Killed at random moments, in every stage; ``make kill-test`` does it 200 times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.store.killing import kill_often
from tests.integration.support.server import Registry

pytestmark = pytest.mark.root


def test_kills_leave_a_sound_store_and_right_builds(
    tmp_path: Path, base_registry: Registry
) -> None:
    outcomes = kill_often(tmp_path, base_registry.name("base:store"), count=18, seed=20240506)
    assert [problem for outcome in outcomes for problem in outcome.problems] == []
    assert sum(outcome.kills for outcome in outcomes) == 18
