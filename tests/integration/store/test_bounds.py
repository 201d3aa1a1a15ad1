"""Builds keep the cache within bounds by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.store.project import Project
from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root


def edit(project: Project, text: str) -> None:
    (project.directory / "files" / "00").write_text(text)


def layers(own: Jettison) -> set[str]:
    return {path.name for path in (own.store / "layers").iterdir()}


def test_a_build_takes_what_is_beyond_the_bounds_but_nothing_it_used(
    project: Project, tmp_path: Path
) -> None:
    own = Jettison(tmp_path / "store")
    project.digest(own)
    first = layers(own)
    edit(project, "changed")
    bounded = {"JETTISON_MAX_USED_SPACE": "1b", "JETTISON_RESERVED_SPACE": "0"}
    digest = project.digest(own.having(bounded))
    left = layers(own)
    assert left - first  # what it made
    assert left & first  # what it used
    assert first - left  # what it did not need
    assert own("check", "--read-data").stdout == "The store is sound.\n"
    before = sorted(left)
    assert project.digest(own.having(bounded)) == digest
    assert sorted(layers(own)) == before


def test_reserved_space_stays(project: Project, tmp_path: Path) -> None:
    own = Jettison(tmp_path / "store")
    project.digest(own)
    first = layers(own)
    edit(project, "changed")
    project.digest(own.having({"JETTISON_MAX_USED_SPACE": "1b", "JETTISON_RESERVED_SPACE": "10gb"}))
    assert layers(own) > first


@pytest.mark.parametrize("value", ["lots", "-1", "101%", "5 q"])
def test_a_bad_bound_is_said_before_anything_is_built(
    project: Project, tmp_path: Path, value: str
) -> None:
    own = Jettison(tmp_path / "store", {"JETTISON_MAX_USED_SPACE": value})
    done = own("build", str(project.directory), check=False)
    assert done.returncode == 2
    assert "JETTISON_MAX_USED_SPACE" in done.stderr
    assert list((own.store / "layers").iterdir()) == []
