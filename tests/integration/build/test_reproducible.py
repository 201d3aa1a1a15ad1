"""The examples, built twice: by root and by an ordinary user, in other stores and directories.

The bases are small stand-ins (as for the documentation), or what $JETTISON_EXAMPLE_BASE holds: an
archive with the real ones (`make reproducible`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.docs.conftest import debian
from tests.integration.support.runner import Jettison
from tests.integration.support.users import ordinary_user

pytestmark = [pytest.mark.root, pytest.mark.userns]

__all__ = ["debian"]  # the fixture

EXAMPLES = Path(__file__).parents[3] / "examples"
DOCKERFILES = sorted(EXAMPLES.glob("*/Dockerfile"))
"""Those whose result is made of files: what apt leaves behind of itself is never the same."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, debian: Path) -> Path:
    """An archive of the images the examples begin with."""
    if given := os.environ.get("JETTISON_EXAMPLE_BASE"):
        return Path(given)
    work = tmp_path_factory.mktemp("bases")
    shutil.copy(debian, work / "root.tar")
    (work / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
    runner = Jettison(work / "store")
    runner.build(work, "-t", "debian:bookworm")
    runner("save", "-o", work / "bases.tar", "debian:bookworm")
    return work / "bases.tar"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_example_is_the_same_image_wherever_it_is_built(
    dockerfile: Path, bases: Path, tmp_path: Path
) -> None:
    def build(runner: Jettison, place: Path) -> str:
        runner("load", stdin=bases.read_bytes())
        flags = ("--build-arg", "SOURCE_DATE_EPOCH=1700000000", "--no-cache", "-t", "example")
        runner.build(place, *flags, "-o", "type=image,rewrite-timestamp=true")
        digest: str = runner.inspect("example")["Digest"]
        return digest

    with ordinary_user() as user:
        theirs = user.own(shutil.copytree(dockerfile.parent, user.home / "some/where/else"))
        subprocess.run(["chmod", "-R", "a+rX", theirs], check=True)
        mine = shutil.copytree(dockerfile.parent, tmp_path / "here")
        digests = {build(Jettison(tmp_path / "store"), mine), build(user.jettison(), theirs)}
        user.jettison()("rm", "-f", "example", "debian:bookworm", check=False)
        user.jettison()("prune", "--all", "-f", check=False)
    assert len(digests) == 1
