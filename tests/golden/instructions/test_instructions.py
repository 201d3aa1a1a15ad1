"""Each instruction, all the way: Dockerfile -> AST and typed instruction -> steps, config, history.

``NAME.txt`` holds a Dockerfile and, below headings, what it is read as and what it becomes. After a
change that is meant, ``make golden`` writes these parts anew: read every line of the difference,
and reason from the Dockerfile reference and BuildKit's source whether it is right.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jettison.dockerfile.parse import parse
from jettison.dockerfile.split import KEYWORDS
from jettison.model.event import Silent
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan
from tests.golden.dockerfile.test_dockerfile_texts import shown
from tests.golden.plan.test_plans import AMD64, Registry, render

HERE = Path(__file__).parent
READ, BECOMES = "\n==== is read as ====\n", "\n==== becomes ====\n"


def whole(text: str) -> str:
    """A Dockerfile and what follows from it."""
    dockerfile = parse(text, "Dockerfile")
    made = plan(dockerfile, PlanOptions(build_platform=AMD64), Registry(), Silent())
    read = "".join(f"{line}\n" for line in shown(dockerfile))
    return f"{text}{READ}{read}{BECOMES}{render(made)}"


def test_every_instruction_has_its_file() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == {name.lower() for name in KEYWORDS}


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_instruction(path: Path) -> None:
    expected = path.read_text()
    found = whole(expected.partition(READ)[0])
    if os.environ.get("GOLDEN") == "write":
        path.write_text(found)
    else:
        assert found == expected
