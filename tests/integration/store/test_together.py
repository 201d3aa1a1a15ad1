"""Several builds at once on one store: each thing is made by one of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.store.project import Project, make_project, marks
from tests.integration.support.faults import FaultProxy
from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root
WAITING = "waiting for another build that runs this step"


def start(jettison: Jettison, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        jettison.command("build", "--progress", "plain", *arguments),
        env=jettison.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return err


def test_eight_builds_share_what_they_make(tmp_path: Path, counted: FaultProxy) -> None:
    own = Jettison(tmp_path / "store")
    project = make_project(tmp_path / "project", f"{counted.host}/base:store")
    builds = [start(own, *project.flags()) for _ in range(8)]
    for build in builds:
        finish(build)
    assert marks(own.store) == ["last", "one", "tools", "two"]
    blobs = [r.path for r in counted.requests if r.method == "GET" and "/blobs/" in r.path]
    layers = [path for path in blobs if not _is_config(own, path)]
    assert len(layers) == 1, blobs
    assert own("check", "--read-data").stdout == "The store is sound.\n"
    assert project.digest(own) == project.digest(Jettison(tmp_path / "alone"))


def _is_config(own: Jettison, path: str) -> bool:
    blob = own.store / "blobs" / path.rpartition("/")[2].replace(":", "/")
    return not blob.exists() or blob.stat().st_size < 10_000


SLOW = """\
FROM {base}
RUN --mount=type=cache,id=marks,target=/marks echo {word} >> /marks/log && {command}
"""


@pytest.fixture
def slow(base_image: str, tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a context whose one RUN writes a mark and then runs a command."""

    def make(word: str, command: str) -> Path:
        directory = tmp_path / word
        directory.mkdir()
        text = SLOW.format(base=base_image, word=word, command=command)
        (directory / "Dockerfile").write_text(text)
        return directory

    return make


@pytest.fixture
def base_image(base_registry: object) -> str:
    return str(base_registry.name("base:store"))  # type: ignore[attr-defined]  # a Registry


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_waiting_build_says_so_and_takes_the_result(
    tmp_path: Path, slow: Callable[[str, str], Path]
) -> None:
    own = Jettison(tmp_path / "store")
    directory = slow("wait", "sleep 2")
    first = start(own, str(directory))
    wait_for(lambda: marks(own.store) == ["wait"])
    second = finish(start(own, str(directory)))
    finish(first)
    assert WAITING in second
    assert re.search(r"^#\d+ CACHED", second, re.MULTILINE)
    assert marks(own.store) == ["wait"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_waiter_takes_over_from_one_that_ends(
    tmp_path: Path, slow: Callable[[str, str], Path], end: signal.Signals
) -> None:
    own = Jettison(tmp_path / "store")
    directory = slow("over", "test $(wc -l < /marks/log) != 1 || sleep 60")
    first = start(own, str(directory))
    wait_for(lambda: marks(own.store) == ["over"])
    second = start(own, str(directory))
    time.sleep(1.0)
    os.kill(first.pid, end)
    first.communicate(timeout=20)
    finish(second)
    assert marks(own.store) == ["over", "over"]


def test_the_waiter_takes_over_from_one_that_fails(
    tmp_path: Path, slow: Callable[[str, str], Path]
) -> None:
    own = Jettison(tmp_path / "store")
    directory = slow("fails", "if test $(wc -l < /marks/log) = 1; then sleep 1.5; exit 3; fi")
    first = start(own, str(directory))
    wait_for(lambda: marks(own.store) == ["fails"])
    second = start(own, str(directory))
    first.communicate(timeout=20)
    assert first.returncode == 1
    finish(second)
    assert marks(own.store) == ["fails", "fails"]


def test_cancelling_works_while_waiting(tmp_path: Path, slow: Callable[[str, str], Path]) -> None:
    own = Jettison(tmp_path / "store")
    directory = slow("cancel", "sleep 5")
    first = start(own, str(directory))
    wait_for(lambda: marks(own.store) == ["cancel"])
    second = start(own, str(directory))
    time.sleep(1.0)
    began = time.monotonic()
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=20)
    assert second.returncode == 130
    assert time.monotonic() - began < 3
    finish(first)


def test_no_cache_waits_for_nobody(tmp_path: Path, slow: Callable[[str, str], Path]) -> None:
    own = Jettison(tmp_path / "store")
    directory = slow("anew", "sleep 1")
    builds = [start(own, "--no-cache", str(directory)) for _ in range(2)]
    for build in builds:
        assert WAITING not in finish(build)
    assert marks(own.store) == ["anew", "anew"]


def test_locked_caches_and_step_locks_do_not_meet(
    tmp_path: Path, base_image: str, project: Project
) -> None:
    """Two steps that want one locked cache, in two builds that run both: nobody waits in a ring."""
    own = Jettison(tmp_path / "store")
    directory = tmp_path / "ring"
    directory.mkdir()
    mount = "RUN --mount=type=cache,id=c,target=/c,sharing=locked"
    stages = "".join(
        f"FROM {base_image} AS s{n}\n{mount} echo {n} >> /c/log && sleep 0.2 && echo {n} > /f{n}\n"
        for n in range(4)
    )
    copies = "".join(f"COPY --from=s{n} /f{n} /\n" for n in range(4))
    (directory / "Dockerfile").write_text(f"{stages}FROM scratch\n{copies}")
    for build in [start(own, str(directory)) for _ in range(3)]:
        finish(build)
    log = next(own.store.glob("mounts/*/0/log"))
    assert sorted(log.read_text().split()) == ["0", "1", "2", "3"]
