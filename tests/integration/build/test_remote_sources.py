"""ADD of what lies elsewhere and changes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison
from tests.integration.support.web import Git, Web, run_web

pytestmark = pytest.mark.root


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    root = tmp_path / "web"
    root.mkdir()
    with run_web(root) as running:
        yield running


def test_a_url_that_changed_is_fetched_and_placed_anew(
    jettison: Jettison, context: Callable[..., Path], web: Web, tmp_path: Path
) -> None:
    directory = context(f"FROM scratch\nADD {web.url}/file /file\n")
    for number, text in enumerate(["first", "second, longer", "second, longer", "first"]):
        (web.root / "file").write_text(text)
        out = tmp_path / f"out{number}"
        jettison.build(directory, "-o", out)
        assert (out / "file").read_text() == text


def test_a_branch_that_moved_is_checked_out_anew(
    jettison: Jettison, context: Callable[..., Path], web: Web, tmp_path: Path
) -> None:
    git = Git(tmp_path / "work", web.root / "repository.git")
    directory = context(f"FROM scratch\nADD {web.url}/repository.git#main /\n")
    for number, text in enumerate(["first", "second"]):
        git.commit(file=text)
        git.publish()
        out = tmp_path / f"out{number}"
        jettison.build(directory, "-o", out)
        assert (out / "file").read_text() == text
