"""A jettison that is killed leaves no process, no mount and no container behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jettison.sandbox import cgroups
from jettison.sandbox.container import SecretFile
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab
from tests.integration.sandbox.test_container import running


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return False


@pytest.mark.parametrize("delay", [None, 0.0, 0.01, 0.02, 0.03, 0.05])
def test_killed_at_any_moment(lab: Lab, delay: float | None) -> None:
    """``delay`` None: once the command runs; else that long after the start."""
    mark = f"779.{os.getpid()}.{delay}"

    def work(isolation: Isolation) -> None:
        sleep = f"sh -c 'sleep 600; :' {mark}"
        script = f"setsid {sleep} & (setsid {sleep} &) ; {sleep}; :"
        secret = SecretFile(target="/s", data=b"secret")
        lab.run_inside(isolation, "/bin/sh", "-c", script, container_mounts=(secret,))

    child = lab.start(work)
    if delay is None:
        assert wait_for(lambda: len(running(mark)) >= 3), "the command did not start"
    else:
        time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert wait_for(lambda: not running(mark), 1.0), running(mark)
    # One that was just being started ends by itself, for want of an answer.
    assert wait_for(lambda: not [line for line in runtimes() if f"jettison-{child}-" in line], 1.0)
    assert lab.directory not in Path("/proc/self/mountinfo").read_text()


def runtimes() -> list[str]:
    return [line for line in running("jettison-") if "run" in line]


def test_groups_of_a_killed_process_are_swept(lab: Lab) -> None:
    if lab.rootless:
        return
    mark = f"780.{os.getpid()}"
    child = lab.start(
        lambda isolation: lab.run_inside(isolation, "/bin/sh", "-c", f"sleep 600; : {mark}")
    )
    assert wait_for(lambda: running(mark))
    assert groups(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert wait_for(lambda: not running(mark), 1.0)

    def swept() -> bool:
        cgroups.sweep()
        return not groups(child)

    assert wait_for(swept, 2.0), groups(child)


def groups(pid: int) -> list[str]:
    found = []
    for directory, names, _ in os.walk(cgroups.MOUNT):
        found += [os.path.join(directory, n) for n in names if n.startswith(f"jettison-{pid}-")]
    return found
