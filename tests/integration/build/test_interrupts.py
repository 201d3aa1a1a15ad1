"""Ctrl-C, SIGTERM and SIGHUP end everything within a second, whatever jettison waits for."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.build.test_run_command import gone, processes_with
from tests.integration.support.runner import Jettison

SECONDS = 1.5
"""What is promised is one; the rest is for a busy machine."""


@pytest.fixture
def hole() -> Iterator["Hole"]:
    """A server that answers as told and then says nothing."""
    with closing(Hole()) as server:
        yield server


class Hole:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.answer = b""
        self.asked = threading.Event()
        self.open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.open.append(client)
                with suppress(OSError):
                    # What looks like TLS is refused, so that plain HTTP is spoken.
                    if client.recv(4096)[:1] == b"\x16":
                        client.close()
                        continue
                    client.sendall(self.answer)
                self.asked.set()

    def close(self) -> None:
        self.listener.close()
        for client in self.open:
            client.close()


@contextmanager
def started(jettison: Jettison, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        jettison.command(*arguments),
        env=jettison.environment(DOCKER_CONFIG="/nonexistent"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def end(process: subprocess.Popen[bytes], number: signal.Signals, status: int = 130) -> None:
    begin = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=10) == status
    assert time.monotonic() - begin < SECONDS


def nothing_is_left(jettison: Jettison) -> None:
    assert os.listdir(jettison.store / "tmp") == []
    assert str(jettison.store) not in Path("/proc/mounts").read_text()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome"


@pytest.mark.parametrize(
    ("answer", "number"),
    [(b"", signal.SIGINT), (HEAD, signal.SIGTERM), (b"", signal.SIGHUP)],
    ids=["silent-int", "stalled-term", "silent-hup"],
)
def test_a_registry_that_hangs(
    jettison: Jettison,
    context: Callable[..., Path],
    hole: Hole,
    answer: bytes,
    number: signal.Signals,
) -> None:
    hole.answer = answer
    text = f"FROM {hole.host}/a\nRUN true\n"
    with started(jettison, "build", "--progress=plain", context(text)) as process:
        assert hole.asked.wait(10)
        end(process, number)
    nothing_is_left(jettison)


def test_two_registries_that_hang(
    jettison: Jettison, context: Callable[..., Path], hole: Hole
) -> None:
    """Several bases are asked for at once, in threads that the main one waits for."""
    text = f"FROM {hole.host}/a AS a\nFROM {hole.host}/b\nCOPY --from=a / /\n"
    with started(jettison, "build", context(text)) as process:
        assert hole.asked.wait(10)
        end(process, signal.SIGTERM)
    nothing_is_left(jettison)


@pytest.mark.parametrize("command", ["pull", "run", "push"])
def test_other_commands_whose_registry_hangs(jettison: Jettison, hole: Hole, command: str) -> None:
    name = f"{hole.host}/a"
    if command == "push":
        jettison("tag", "base", name)
    with started(jettison, command, name) as process:
        assert hole.asked.wait(10)
        end(process, signal.SIGTERM)
    if command == "push":
        jettison("rm", name)
    nothing_is_left(jettison)


@pytest.mark.parametrize("answer", [b"", HEAD], ids=["silent", "stalled"])
def test_a_url_that_hangs(
    jettison: Jettison, context: Callable[..., Path], hole: Hole, answer: bytes
) -> None:
    hole.answer = answer
    text = f"FROM base\nADD http://{hole.host}/file /\n"
    with started(jettison, "build", context(text)) as process:
        assert hole.asked.wait(10)
        end(process, signal.SIGTERM)
    nothing_is_left(jettison)


def test_a_context_that_hangs(jettison: Jettison, hole: Hole) -> None:
    hole.answer = HEAD
    with started(jettison, "build", f"http://{hole.host}/context.tar") as process:
        assert hole.asked.wait(10)
        end(process, signal.SIGHUP)
    nothing_is_left(jettison)


@pytest.mark.parametrize("as_context", [True, False])
def test_a_repository_that_hangs(
    jettison: Jettison, context: Callable[..., Path], hole: Hole, as_context: bool
) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    url = f"http://{hole.host}/repository.git"
    where: Path | str = url if as_context else context(f"FROM base\nADD {url} /src\n")
    with started(jettison, "build", where) as process:
        assert hole.asked.wait(10)
        assert processes_with(url)
        end(process, signal.SIGTERM)
    assert gone(url)
    nothing_is_left(jettison)


STUBBORN = {
    "daemons": "(setsid sh -c 'sleep 300; : {0}' &); setsid sleep 300 & echo ready; "
    "sleep 300; : {0}",
    "stopped": "sh -c 'kill -STOP $$; : {0}' & sleep .2; echo ready; kill -STOP $$; : {0}",
    "ignoring": "trap '' TERM INT HUP; (while :; do sleep 1; done; : {0}) & echo ready; "
    "while :; do sleep 1; done; : {0}",
    "forking": "f() {{ sleep .01; f & }}; f & echo ready; while :; do f; sleep .05; done; : {0}",
}


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *((kind, number) for kind in STUBBORN for number in (signal.SIGTERM, signal.SIGKILL)),
        ("daemons", signal.SIGINT),
        ("ignoring", signal.SIGHUP),
    ],
)
def test_processes_of_run(
    jettison: Jettison,
    context: Callable[..., Path],
    tmp_path: Path,
    kind: str,
    number: signal.Signals,
) -> None:
    marker = f"marker-{tmp_path.name}"
    text = f"FROM base\nRUN --network=none {STUBBORN[kind].format(marker)}\n"
    with started(jettison, "build", "--no-cache", "--progress=plain", context(text)) as process:
        assert process.stderr is not None
        while b"ready" not in (line := process.stderr.readline()) or b"RUN" in line:
            assert line, "it did not start"
        killed = number == signal.SIGKILL
        end(process, number, -9 if killed else 130)
        assert gone(marker)
    if killed:  # the next one clears up
        jettison.build(context("FROM base\nRUN true\n"), "--no-cache")
    nothing_is_left(jettison)
    assert groups_of(process.pid) == []


def groups_of(pid: int) -> list[str]:
    name = f"jettison-{pid}-"
    found = []
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(directory, n) for n in names if n.startswith(name)]
    return found


def test_waiting_for_a_cache(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    mount = f"--mount=type=cache,id={tmp_path.name},target=/c,sharing=locked"
    holds = context(f"FROM base\nRUN {mount} echo ready; sleep 300\n")
    with started(jettison, "build", "--progress=plain", holds) as holder:
        assert holder.stderr is not None
        while not holder.stderr.readline().endswith(b" ready\n"):
            pass
        waits = context(f"FROM base\nRUN {mount} echo mine\n")
        with started(jettison, "build", "--progress=plain", waits) as process:
            assert process.stderr is not None
            while b"RUN" not in process.stderr.readline():
                pass
            time.sleep(0.3)
            end(process, signal.SIGTERM)
        end(holder, signal.SIGTERM)
    nothing_is_left(jettison)


@pytest.mark.parametrize("kind", ["oci", "tar"])
def test_while_an_archive_is_written(
    jettison: Jettison, context: Callable[..., Path], kind: str
) -> None:
    """To a pipe that is full, since nobody reads it."""
    build = context("FROM base\nRUN head -c 1000000 /dev/urandom > /f\n")
    spec = f"type={kind},dest=-"
    with started(jettison, "build", "--progress=plain", "-o", spec, build) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        time.sleep(0.2)
        end(process, signal.SIGTERM)
    nothing_is_left(jettison)


def test_nohup_is_respected(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    nohup = Jettison(jettison.store, jettison.environ, ("nohup",))
    build = context("FROM base\nRUN echo ready; sleep 1\n")
    with started(nohup, "build", "--no-cache", "--progress=plain", build) as process:
        assert process.stderr is not None
        while not process.stderr.readline().endswith(b" ready\n"):
            pass
        process.send_signal(signal.SIGHUP)
        process.stderr.read()
        assert process.wait(timeout=10) == 0
