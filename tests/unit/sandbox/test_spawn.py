import os
import signal
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
    argv = [*spawn.prefix(launcher, new_pids=False), "/bin/sh", "-c", "echo out; cat; exit 7"]
    child = spawn.Child(argv, new_pids=False)
    assert output(child) == b"out\n"
    assert child.wait() == 7


@pytest.mark.parametrize("launcher", spawn.LAUNCHERS)
def test_ends_with_its_parent(launcher: str, tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from jettison.sandbox import spawn\n"
        f"argv = spawn.prefix({launcher!r}, new_pids=False) + ['/bin/sleep', '600']\n"
        "child = spawn.Child(argv, new_pids=False)\n"
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
    argv = [*spawn.prefix(launcher, new_pids=True), "/bin/sh", "-c", "echo $$; readlink /proc/self"]
    assert output(spawn.Child(argv, new_pids=True)).split()[0] == b"1"


@pytest.mark.skipif(os.getuid() != 0, reason="pid namespaces need root here")
def test_kill_takes_the_whole_namespace_along(tmp_path: Path) -> None:
    mark = f"600.{os.getpid()}"
    script = f"setsid sleep {mark} & sleep {mark} & echo ready; sleep {mark}"
    argv = [*spawn.prefix(spawn.UTIL_LINUX, new_pids=True), "/bin/sh", "-c", script]
    child = spawn.Child(argv, new_pids=True)
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


def test_program_that_is_not_there() -> None:
    with pytest.raises(SandboxError, match="cannot start /no/such"):
        spawn.Child(["/no/such"], new_pids=False)


def test_missing_util_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="util-linux"):
        spawn.prefix(spawn.UTIL_LINUX, new_pids=True)
