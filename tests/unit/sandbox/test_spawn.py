import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import spawn


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def output(child: spawn.Child) -> bytes:
    assert child.process.stdout is not None
    data = child.process.stdout.read()
    child.wait()
    child.close()
    return data


@pytest.mark.parametrize("launcher", spawn.LAUNCHERS)
def test_status_and_output(launcher: str) -> None:
    argv = ["/bin/sh", "-c", "echo out; cat; exit 7"]
    child = spawn.Child(argv, new_pids=False, launcher=launcher)
    assert output(child) == b"out\n"
    assert child.wait() == 7


@pytest.mark.parametrize("launcher", spawn.LAUNCHERS)
def test_ends_with_its_parent(launcher: str, tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from jettison.sandbox import spawn\n"
        "argv = ['/bin/sleep', '600']\n"
        f"child = spawn.Child(argv, new_pids=False, launcher={launcher!r})\n"
        "print(child.process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    deadline = time.monotonic() + 10
    while b"sleep" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("launcher", spawn.LAUNCHERS)
@pytest.mark.skipif(os.getuid() != 0, reason="pid namespaces need root here")
def test_first_of_a_pid_namespace_sees_its_own_proc(launcher: str) -> None:
    argv = ["/bin/sh", "-c", "echo $$; readlink /proc/self/exe"]
    said = output(spawn.Child(argv, new_pids=True, launcher=launcher)).split()
    assert (said[0], len(said)) == (b"1", 2)


@pytest.mark.skipif(os.getuid() != 0, reason="pid namespaces need root here")
def test_kill_takes_the_whole_namespace_along(tmp_path: Path) -> None:
    mark = f"600.{os.getpid()}"
    script = f"setsid sleep {mark} & sleep {mark} & echo ready; sleep {mark}"
    child = spawn.Child(["/bin/sh", "-c", script], new_pids=True, launcher=spawn.UTIL_LINUX)
    assert child.process.stdout is not None
    assert child.process.stdout.readline() == b"ready\n"
    child.kill()
    child.close()
    assert [line for line in processes() if mark in line] == []


def processes() -> list[str]:
    lines = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            lines.append(Path(f"/proc/{name}/cmdline").read_text(errors="replace"))
        except OSError:
            continue
    return lines


@pytest.mark.parametrize("launcher", spawn.LAUNCHERS)
def test_without_an_answer_it_does_not_begin(launcher: str, tmp_path: Path) -> None:
    """As when the parent is killed before the child is tied to it."""
    began = tmp_path / "began"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = spawn.prefix(launcher, new_pids=False, report=True)
        child = subprocess.Popen([*words, "/bin/touch", str(began)], stdin=theirs.fileno())
        theirs.close()
        assert ours.recv(1) == b"\n"
    assert child.wait(10) != 0
    assert not began.exists()


def test_launcher_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such")
    assert spawn.choose() == spawn.OWN
    with pytest.raises(SandboxError, match="cannot start /bin/true"):
        spawn.Child(["/bin/true"], new_pids=False, launcher=spawn.UTIL_LINUX)
