"""Conformance of builds without root: an ordinary user passes what root passes, with its layers.

Cases are built as a user, in one run of the harness for each corpus, and of some of them the layers
are compared with root's: those that come out the same twice. If JETTISON_ALL_CASES is set, that is
all of them; else every second one, and every twelfth.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.test_cases import CASES, CORPUS, KNOWN, OWN, OWN_CASES, corpus
from tests.integration.support.users import User, ordinary_user

pytestmark = [pytest.mark.root, pytest.mark.userns]

__all__ = ["corpus"]  # the fixture

EXCEPTIONS = {
    line.split()[0]
    for line in Path(__file__).with_name("rootless_failures.txt").read_text().splitlines()
    if line and not line.startswith("#")
}
ALL = bool(os.environ.get("JETTISON_ALL_CASES"))
SAMPLE = 12
"""Of so many cases the layers of one are compared, unless all are."""
ONE_ID = "copy-* flag-* add-* workdir-* from-*".split()
"""Cases of files more than of commands, for users without subordinate ids."""
ONE_ID_EXCEPTIONS = {
    "copy-stage-owner": "RUN chown",
    "flag-link-directory-mode": "RUN chown",
    "workdir-owner": "RUN chown",
}


@pytest.fixture
def harness(corpus: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a run whose work directory is everybody's, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        yield {**corpus, "CONFORMANCE_WORK": work}


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with ordinary_user() as made:
        yield made


@pytest.fixture(scope="module")
def poor() -> Iterator[User]:
    """A user without subordinate ids."""
    with ordinary_user(sub_ids=False) as made:
        yield made


def builder(user: User) -> str:
    """The harness' template of a build by ``user``."""
    run = user.jettison()
    words = shlex.join(run.command())
    build = "build --progress plain --output type=oci,dest={out}{output_opts} -f {dockerfile}"
    given = shlex.join(f"{name}={value}" for name, value in environ_of(user).items())
    own = f"chown -hR {user.uid}:{user.gid} {{work}}"
    return f"{own} && env {given} {words} {build} {{args}} {{context}}"


def environ_of(user: User) -> dict[str, str]:
    return {**user.environ, "JETTISON_ROOT": str(user.jettison().store)}


def failed(env: dict[str, str], template: str, *arguments: str) -> tuple[set[str], str]:
    """The cases that fail, and the harness' words."""
    command = [sys.executable, str(CORPUS / "run.py"), "check", "--builder", template, "--quiet"]
    done = subprocess.run(
        [*command, "-j2", *arguments], env=env, capture_output=True, text=True, timeout=900
    )
    lines = done.stdout.splitlines()
    assert lines and lines[-1].endswith("failed"), done.stdout[-3000:] + done.stderr[-1000:]
    return {line.split()[1] for line in lines if line.startswith("FAIL")}, done.stdout


@pytest.mark.skipif(not CASES, reason="no corpus")
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_an_ordinary_user_passes_all_cases(own: bool, harness: dict[str, str], user: User) -> None:
    names = (OWN_CASES if own else CASES)[:: 1 if ALL else 2]
    env = {**harness, "CONFORMANCE_CASES": str(OWN)} if own else harness
    found, said = failed(env, builder(user), *names)
    assert found == set(names) & (EXCEPTIONS | KNOWN), said[-3000:]


@pytest.mark.skipif(not CASES, reason="no corpus")
def test_a_user_with_one_id_passes_cases_of_files(harness: dict[str, str], poor: User) -> None:
    found, said = failed(harness, builder(poor), *ONE_ID)
    assert found == set(ONE_ID_EXCEPTIONS), said[-3000:]


@pytest.mark.skipif(not CASES, reason="no corpus")
@pytest.mark.parametrize("ids", ["many", "one"])
def test_layers_are_root_s(
    ids: str, harness: dict[str, str], user: User, poor: User, tmp_path: Path
) -> None:
    who, names = (user, sorted(CASES)) if ids == "many" else (poor, ONE_ID)
    if not ALL:
        some = CASES[::SAMPLE] if ids == "many" else [n for n in CASES if n.startswith("copy-")]
        names = some if ids == "many" else some[::3]
    theirs, layers = tmp_path / "user.json", tmp_path / "layers"
    layers.mkdir()
    theirs.write_text(json.dumps([who.jettison().command(), environ_of(who)]))
    script = Path(__file__).with_name("two_builders.py")
    template = shlex.join([sys.executable, str(script), str(layers), str(theirs)])
    failed(harness, template + " {work} {out} -f {dockerfile} {args} {context}", *names)
    deterministic = 0
    for file in layers.iterdir():
        case, first, second, rootless = json.loads(file.read_text())
        if first == second:
            deterministic += 1
            assert rootless == first, case
    assert deterministic > 2
