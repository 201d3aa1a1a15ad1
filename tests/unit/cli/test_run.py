"""jettison run: the command line -> the request, and the status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jettison.cli import mounts
from jettison.cli.commands.run_flags import REFUSED, REFUSED_SWITCHES
from jettison.cli.main import run
from jettison.errors import JettisonError, NotFoundError, RunError, UsageError


@dataclass(frozen=True, kw_only=True)
class Bind:
    source: str
    target: str
    read_only: bool


class Runner:
    """Stands where jettison.app.run does."""

    def __init__(self) -> None:
        self.request = SimpleNamespace()
        self.outcome: int | Exception = 0

    def run(self, request: Any, observer: Any, *, environ: Mapping[str, str], cancel: Any) -> int:
        self.request = request
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    found = Runner()
    module = SimpleNamespace(run=found.run, RunRequest=SimpleNamespace, Volume=Bind)
    monkeypatch.setitem(sys.modules, "jettison.app.run", module)
    stdin = os.dup(0)
    yield found
    os.dup2(stdin, 0)
    os.close(stdin)


def test_flags_end_at_the_image(runner: Runner) -> None:
    assert run(["run", "--rm", "-e", "A=1", "image", "ls", "-l", "--rm=no", "-e"]) == 0
    assert runner.request.image == "image"
    assert runner.request.args == ("ls", "-l", "--rm=no", "-e")
    assert runner.request.env == ("A=1",)


def test_every_flag_reaches_the_request(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_ENV", "e")
    (tmp_path / "env").write_text("# comment\n\nX=1 # kept\nFROM_ENV\nA=file\n")
    line = f"""-t -e A=flag --env-file {tmp_path}/env -v {tmp_path}:/v:ro
    --mount type=bind,src={tmp_path},dst=/m -w /w -u 1:2 --entrypoint /bin/x --network none
    --platform linux/arm64 image"""
    assert run(["run", *line.split()]) == 0
    request = runner.request
    assert dict(e.split("=", 1) for e in request.env) == {
        "X": "1 # kept",
        "FROM_ENV": "e",
        "A": "flag",
    }
    assert request.volumes == (
        Bind(source=str(tmp_path), target="/v", read_only=True),
        Bind(source=str(tmp_path), target="/m", read_only=False),
    )
    assert (request.workdir, request.user, request.entrypoint) == ("/w", "1:2", "/bin/x")
    assert (request.network, str(request.platform), request.terminal) == (
        "none",
        "linux/arm64",
        True,
    )


def test_an_empty_entrypoint_is_not_the_same_as_none(runner: Runner) -> None:
    assert run(["run", "image"]) == 0
    assert runner.request.entrypoint is None
    assert run(["run", "--entrypoint=", "image"]) == 0
    assert runner.request.entrypoint == ""


def test_without_interactive_the_container_reads_nothing_of_ours(runner: Runner) -> None:
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    assert run(["run", "-i", "image"]) == 0
    assert os.path.samestat(os.fstat(0), os.fstat(reader))
    assert run(["run", "image"]) == 0
    assert os.path.samestat(os.fstat(0), os.stat("/dev/null"))
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (0, 0),
        (3, 3),
        (137, 137),
        (RunError("exec: nope: not found", status=127), 127),
        (RunError("exec: permission denied", status=126), 126),
        (NotFoundError("no such image"), 125),
        (OSError(28, "No space left on device"), 125),
    ],
)
def test_the_status_is_the_containers_or_docker_runs(
    runner: Runner, outcome: int | Exception, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    runner.outcome = outcome
    assert run(["run", "image"]) == status
    assert capfd.readouterr().err.startswith("error: ") is isinstance(outcome, Exception)


NAMES = [n for names in [*REFUSED, *REFUSED_SWITCHES] for n in names]


@pytest.mark.parametrize("name", NAMES)
def test_flags_that_are_not_supported_say_so(
    runner: Runner, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    value = ["x"] if any(name in names for names in REFUSED) else []
    assert run(["run", name, *value, "image"]) == 125
    assert "is not supported" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("text", ["a", ":/x", "/a:", "/a:/b:rx", "name:/x", "/:relative"])
def test_wrong_volumes(runner: Runner, text: str) -> None:
    with pytest.raises(UsageError, match="volume"):
        mounts.volume(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=volume,src=a,dst=/b", "unsupported type 'volume'"),
        ("src=/", "needs source and target"),
        ("src=/,dst=/b,color=red", "unexpected key 'color'"),
        ("src=/,dst=b", "must be absolute"),
        ("src=/,dst=/b,readonly=perhaps", "invalid value 'perhaps'"),
    ],
)
def test_wrong_mounts(runner: Runner, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mounts.mount(text)


@pytest.mark.parametrize(
    ("text", "read_only"),
    [
        ("src=/,dst=/b", False),
        ("type=bind,source=/,target=/b,readonly", True),
        ("src=/,destination=/b,ro=true", True),
        ("src=/,dst=/b,readonly=false", False),
    ],
)
def test_mount(runner: Runner, text: str, read_only: bool) -> None:
    found: object = mounts.mount(text)
    assert found == Bind(source="/", target="/b", read_only=read_only)


def test_a_source_that_is_not_there_is_not_made(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(JettisonError, match="does not exist"):
        mounts.volume(f"{tmp_path}/nope:/x")
    assert not (tmp_path / "nope").exists()


def test_wrong_env_files(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=1\nB C=2\n")
    with pytest.raises(JettisonError, match="env:2: invalid variable name 'B C'"):
        mounts.environment([str(tmp_path / "env")], [], {})
    with pytest.raises(JettisonError, match="cannot read --env-file"):
        mounts.environment([str(tmp_path / "none")], [], {})
