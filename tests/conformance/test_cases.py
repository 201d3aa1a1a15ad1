"""Conformance: every case is built and compared with what BuildKit made of it.

The shared corpus lies outside the repository: in $CONFORMANCE, else ../shared/conformance. The
project's own cases (beside this file, in cases/, same form, recorded with the same BuildKit) need
its harness and base images. Without it there is nothing to collect, except under CI, where its
absence is an error. Cases listed in known_failures.txt are expected to fail, and must: one that
passes has to leave the list.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("CONFORMANCE", ROOT.parent / "shared" / "conformance"))
KNOWN = {
    line.split()[0]
    for line in Path(__file__).with_name("known_failures.txt").read_text().splitlines()
    if line and not line.startswith("#")
}
JETTISON = f"{sys.executable} -m jettison"
BUILDER = (
    f"{JETTISON} build --progress plain --output type=oci,dest={{out}}{{output_opts}} "
    "-f {dockerfile} {args} {context}"
)
OWN = Path(__file__).with_name("cases")


def _cases(corpus: Path, folder: Path) -> list[str]:
    """The ids in ``folder`` that can be run: the harness of ``corpus`` is there."""
    if not (corpus / "run.py").exists():
        return []
    return sorted(path.parent.name for path in folder.glob("*/expected.json"))


CASES = _cases(CORPUS, CORPUS / "cases")
OWN_CASES = _cases(CORPUS, OWN)


def test_the_corpus_is_there_under_ci() -> None:
    if os.environ.get("CI"):
        assert CASES, f"no conformance cases in {CORPUS}"
    assert {*CASES, *OWN_CASES} >= KNOWN or not CASES, (
        "known_failures.txt names cases that do not exist"
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a run: the registry with the base images is up, the store is fresh."""
    subprocess.run([str(CORPUS / "registry.sh")], check=True, capture_output=True, timeout=600)
    work = tmp_path_factory.mktemp("conformance")
    return dict(os.environ, JETTISON_ROOT=str(work / "store"), CONFORMANCE_WORK=str(work / "work"))


@pytest.mark.root
@pytest.mark.parametrize("case", CASES)
def test_case(case: str, corpus: dict[str, str], request: pytest.FixtureRequest) -> None:
    _check(case, corpus, request)


@pytest.mark.root
@pytest.mark.parametrize("case", OWN_CASES)
def test_own_case(case: str, corpus: dict[str, str], request: pytest.FixtureRequest) -> None:
    _check(case, {**corpus, "CONFORMANCE_CASES": str(OWN)}, request, *_EVERYTHING)


_EVERYTHING = ("--compare", "config,rootfs,history,errorlines,createdby")


def _check(case: str, env: dict[str, str], request: pytest.FixtureRequest, *more: str) -> None:
    if case in KNOWN:
        request.applymarker(pytest.mark.xfail(reason="see known_failures.txt", strict=True))
    done = subprocess.run(
        [sys.executable, str(CORPUS / "run.py"), "check", "--builder", BUILDER, *more, "-j1", case],
        env=env, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
