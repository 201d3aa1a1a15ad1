import os
import shutil
import subprocess
import time
from pathlib import Path

from jettison.errors import SandboxError
from jettison.sandbox import namespace
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab, become


def test_process_is_root_in_its_namespaces(lab: Lab) -> None:
    outside = os.readlink("/proc/self/ns/mnt")
    uid = os.getuid() if lab.uid is None else lab.uid

    def look(isolation: Isolation) -> tuple[Isolation, int, str]:
        return isolation, os.getuid(), os.readlink("/proc/self/ns/mnt")

    isolation, inside_uid, mounts = lab.isolated(look)
    assert (isolation.rootless, isolation.single_id, isolation.uid) == (lab.rootless, False, uid)
    assert isolation.notice is None
    assert inside_uid == 0
    assert mounts != outside


def test_many_owners_can_be_given(lab: Lab) -> None:
    def work(isolation: Isolation) -> tuple[int, int]:
        path = os.path.join(lab.directory, "owned")
        Path(path).touch()
        os.chown(path, 1234, 60000)
        state = os.stat(path)
        os.unlink(path)
        return state.st_uid, state.st_gid

    assert lab.isolated(work) == (1234, 60000)


def test_no_helper_is_left(lab: Lab) -> None:
    def children(isolation: Isolation) -> str:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text()

    assert lab.isolated(children) == ""


def test_descriptors_are_not_leaked(lab: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    # The pipe that carries the result is the only one more.
    assert lab.isolated(lambda isolation: len(os.listdir("/proc/self/fd"))) == before + 1


def test_mounts_do_not_reach_the_host(lab: Lab) -> None:
    from jettison.sandbox import mounts

    target = os.path.join(lab.directory, "private")
    os.makedirs(target, exist_ok=True)

    def work(isolation: Isolation) -> bool:
        with mounts.tmpfs(target):
            Path(target, "f").touch()
        return os.path.exists(f"{target}/f")

    assert lab.isolated(work) is False
    assert target not in Path("/proc/self/mountinfo").read_text()


def test_entering_as_root_is_quick(lab: Lab) -> None:
    if lab.rootless:
        return

    def again(isolation: Isolation) -> float:
        best = 1.0
        for _ in range(5):
            start = time.perf_counter()
            namespace.enter()
            best = min(best, time.perf_counter() - start)
        return best

    assert lab.isolated(again) < 0.002


def test_user_without_subordinate_ids_gets_one_id(lab: Lab) -> None:
    if not lab.rootless or os.getuid() != 0:
        return

    def work() -> tuple[bool, bool, int, str]:
        become(54321)  # a uid that is in no file
        isolation = namespace.enter()
        return isolation.rootless, isolation.single_id, os.getuid(), isolation.notice or ""

    # In a child of its own, since `isolated` enters already.
    outcome = Lab(lab.directory, None, True).plain(work)
    assert outcome[:3] == (True, True, 0)
    assert "give no ids to 54321" in outcome[3]
    assert "RUN works as root only" in outcome[3]


def test_threads_are_too_late(lab: Lab) -> None:
    """A second thread makes a user namespace impossible; that is an error, not a hang."""
    if not lab.rootless or os.getuid() != 0:
        return
    import threading

    def work() -> str:
        become(lab.uid)
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        try:
            namespace.enter()
        except SandboxError as error:
            return error.message
        finally:
            stop.set()
        return "entered"

    assert "cannot make a user namespace" in lab.plain(work)


def test_missing_newuidmap_falls_back_to_one_id(lab: Lab) -> None:
    if not lab.rootless or os.getuid() != 0 or not shutil.which("newuidmap"):
        return

    def work() -> str:
        become(lab.uid)
        os.environ["PATH"] = "/no/such"
        return namespace.enter().notice or ""

    assert "not installed" in lab.plain(work)
    assert subprocess.run(["pgrep", "newuidmap"], check=False).returncode != 0
