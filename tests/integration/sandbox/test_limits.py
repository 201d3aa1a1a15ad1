"""Limits of containers: applied where the host lets us, refused elsewhere, and nothing left."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jettison.sandbox import cgroups, doctor, namespace
from jettison.sandbox.limits import Limits
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab, Result, become
from tests.integration.sandbox.test_container import running
from tests.integration.sandbox.test_kill import groups, wait_for

EATER = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}"
VERSION_1 = "cat /sys/fs/cgroup/{0}/{0}.{1}"


@pytest.fixture
def able(lab: Lab) -> Iterator[Lab]:
    """A lab where limits can be had; with version 2 root delegates a cgroup to the user."""
    with ExitStack() as stack:
        if lab.uid is not None and cgroups.unified():
            lab = replace(lab, cgroup=stack.enter_context(delegated(lab.uid)))
        lacks = lab.isolated(lambda isolation: cgroups.offered(rootless=isolation.rootless))
        for name in ("memory", "cpu", "pids"):
            error = lacks[name]
            if error is not None:
                pytest.skip(error.message)
        yield lab


@contextmanager
def delegated(uid: int) -> Iterator[str]:
    """The directory of a shell's group in one that is made as systemd does for Delegate=yes."""
    group = f"{cgroups.MOUNT}/jtest-{os.getpid()}"
    names = Path(cgroups.MOUNT, "cgroup.controllers").read_text().split()
    Path(cgroups.MOUNT, "cgroup.subtree_control").write_text(" ".join(f"+{n}" for n in names))
    shell = f"{group}/shell"
    os.makedirs(shell)
    try:
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "shell", "shell/cgroup.procs"):
            os.chown(os.path.join(group, name), uid, uid)
        yield shell
        cgroups.sweep(os.path.basename(group))
        assert [entry.name for entry in os.scandir(group) if entry.is_dir()] == ["shell"]
    finally:
        for directory, _, _ in os.walk(group, topdown=False):
            os.rmdir(directory)


def limited(lab: Lab, script: str, limits: Limits) -> Result:
    """The outcome of a shell script with limits, after which no cgroup must be left."""

    def work(isolation: Isolation) -> tuple[int, Result]:
        return os.getpid(), lab.run_inside(isolation, "/bin/sh", "-c", script, limits=limits)

    pid, result = lab.isolated(work)
    assert groups(pid) == []
    return result


def test_limits_are_seen_in_the_container(able: Lab) -> None:
    if cgroups.unified():
        names = ("memory.max", "cpu.max", "pids.max")
        expected = ["67108864", "50000", "100000", "50"]
        script = "; ".join(f"cat /sys/fs/cgroup/{name}" for name in names)
    else:
        pairs = [("memory", "limit_in_bytes"), ("memory", "memsw.limit_in_bytes")]
        pairs += [("cpu", "cfs_quota_us"), ("cpu", "cfs_period_us")]
        pairs += [("pids", "max")]
        script = "; ".join(VERSION_1.format(*pair) for pair in pairs)
        expected = ["67108864", "100663296", "50000", "100000", "50"]
    limits = Limits(
        memory=64 << 20,
        memory_swap=96 << 20,
        cpu_quota=50_000,
        cpu_period=100_000,
        pids=50,
    )
    result = limited(able, script, limits)
    assert (result.out.split(), result.err) == (expected, "")


def test_out_of_memory_is_told(able: Lab) -> None:
    result = limited(able, EATER, Limits(memory=32 << 20))
    assert result.error is not None
    assert result.error.message == "killed: memory limit of 32 MB reached"
    assert vars(result.error)["kind"] == "OutOfMemoryError"


def test_out_of_memory_in_a_child_is_told_if_the_command_fails(able: Lab) -> None:
    result = able.sh(
        f"sh -c '{EATER.replace(chr(39), chr(34))}' || exit 3", limits=Limits(memory=32 << 20)
    )
    assert result.error is not None
    assert result.error.message == "killed: memory limit of 32 MB reached"
    assert vars(result.error)["status"] in (3, 137)  # the kernel may choose the outer shell


def test_other_failures_are_not_blamed_on_memory(able: Lab) -> None:
    if doctor.file_system(able.directory) == "tmpfs":
        pytest.skip("files are memory here")
    # Files fill the memory with what can be dropped: the limit is reached, and nobody killed.
    script = "head -c 60000000 /dev/zero > /f; cat /f > /g; rm /f /g; exit 137"
    result = able.sh(script, limits=Limits(memory=32 << 20))
    assert (result.error, result.status) == (None, 137)


def test_number_of_processes(able: Lab) -> None:
    script = "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; echo all"
    result = able.sh(script, limits=Limits(pids=5))
    assert "all" not in result.out
    assert able.sh(script, limits=Limits(pids=50)).out == "all\n"


def test_cpuset(able: Lab) -> None:
    if able.isolated(lambda isolation: cgroups.offered(rootless=isolation.rootless))["cpuset"]:
        pytest.skip("no cpusets here")
    script = "grep Cpus_allowed_list /proc/self/status"
    assert able.sh(script, limits=Limits(cpuset_cpus="0")).out.split()[1] == "0"
    result = able.sh("true", limits=Limits(cpuset_cpus="0,4000"))
    assert result.error is not None
    assert result.error.message.startswith("cpuset 0,4000: this host has the processors 0")


def test_cgroup_parent(able: Lab) -> None:
    if able.rootless:
        return
    parent = f"/jtest-{os.getpid()}"
    for limits in (Limits(), Limits(memory=64 << 20)):
        result = able.sh("cat /proc/self/cgroup", cgroup_parent=parent, limits=limits)
        assert cgroups.unified() or f"{parent}/jettison-" in result.out
        assert result.error is None
    for hierarchy in cgroups.hierarchies():
        if os.path.isdir(hierarchy + parent):
            os.rmdir(hierarchy + parent)  # fails if a container's group was left


def test_parents_of_systemd_are_refused(able: Lab) -> None:
    result = able.sh("true", cgroup_parent="user.slice:x:")
    assert result.error is not None
    assert "systemd is not asked" in result.error.message


def test_user_without_a_cgroup_is_told_what_helps(lab: Lab) -> None:
    if not lab.rootless:
        return
    lacks = lab.isolated(lambda isolation: cgroups.offered(rootless=True))["memory"]
    result = lab.sh("true", limits=Limits(memory=64 << 20))
    if lacks is None:
        assert result.status == 0
    else:
        assert result.error is not None
        assert (result.error.message, result.error.hint) == (lacks.message, lacks.hint)
        assert result.error.hint


def test_groups_of_a_killed_process_are_swept_by_the_next(able: Lab) -> None:
    mark = f"781.{os.getpid()}"
    limits = Limits(memory=64 << 20)
    child = able.start(
        lambda isolation: able.run_inside(
            isolation, "/bin/sh", "-c", f"sleep 600; : {mark}", limits=limits
        )
    )
    assert wait_for(lambda: running(mark))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert wait_for(lambda: not running(mark), 1.0)

    def swept() -> bool:
        assert able.sh("true", limits=limits).status == 0
        return not groups(child)

    assert wait_for(swept, 3.0), groups(child)


class TestDelegation:
    """Version 2's rules, with whatever controller this host's version 2 tree has."""

    @pytest.fixture
    def tree(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A group made for the test; the version 2 tree counts as the only one."""
        mount = cgroups.MOUNT if cgroups.unified() else f"{cgroups.MOUNT}/unified"
        if os.getuid() != 0 or not os.access(mount, os.W_OK):
            pytest.skip("needs root and a cgroup version 2 tree that can be written to")
        if not Path(mount, "cgroup.controllers").read_text().split():
            pytest.skip("all controllers are in version 1 hierarchies")
        monkeypatch.setattr(cgroups, "MOUNT", mount)
        control = Path(mount, "cgroup.subtree_control")
        before = control.read_text().split()
        group = Path(mount, f"jtest-{os.getpid()}")
        group.mkdir()
        yield group
        for directory, _, _ in os.walk(group, topdown=False):
            os.rmdir(directory)
        if self.controller not in before:
            control.write_text(f"-{self.controller}")

    @property
    def controller(self) -> str:
        threaded = {"cpu", "cpuset", "perf_event", "pids"}
        names = Path(cgroups.MOUNT, "cgroup.controllers").read_text().split()
        return next(name for name in names if name not in threaded)

    def delegate(self, group: Path, uid: int) -> None:
        """What systemd does for Delegate=yes."""
        Path(cgroups.MOUNT, "cgroup.subtree_control").write_text(f"+{self.controller}")
        for name in ("", "cgroup.procs", "cgroup.subtree_control"):
            os.chown(group / name, uid, uid)

    def placed(self, lab: Lab, uid: int, group: Path) -> str:
        """The place found by a user's process that is in ``group``."""

        def work() -> str:
            (group / "cgroup.procs").write_text("0")
            become(uid)
            namespace.enter()
            return cgroups.place(frozenset({self.controller}), "", rootless=True)

        return lab.plain(work)

    def test_own_group_with_processes_makes_room(self, lab: Lab, user: int, tree: Path) -> None:
        if not lab.rootless:
            return
        self.delegate(tree, user)
        assert self.placed(lab, user, tree) == f"/{tree.name}"
        assert (tree / "cgroup.subtree_control").read_text().split() == [self.controller]
        assert (tree / "jettison-host").is_dir()
        cgroups.sweep(tree.name)
        assert not (tree / "jettison-host").exists()

    def test_group_above_is_taken_if_it_is_free(self, lab: Lab, user: int, tree: Path) -> None:
        if not lab.rootless:
            return
        scope = tree / "session.scope"
        scope.mkdir()
        self.delegate(tree, user)
        assert self.placed(lab, user, scope) == f"/{tree.name}"
        assert sorted(path.name for path in tree.iterdir() if path.is_dir()) == ["session.scope"]

    def test_group_of_root_is_refused(self, lab: Lab, user: int, tree: Path) -> None:
        if not lab.rootless:
            return
        with pytest.raises(AssertionError, match="is not delegated to you"):
            self.placed(lab, user, tree)
        assert [path for path in tree.iterdir() if path.is_dir()] == []

    def test_root_makes_the_parent(self, tree: Path) -> None:
        parent = f"/{tree.name}/a/b"
        assert cgroups.place(frozenset({self.controller}), parent, rootless=False) == parent
        assert (tree / "a/b/cgroup.subtree_control").read_text().split() == [self.controller]

    def test_missing_controller(self, tree: Path) -> None:
        with pytest.raises(Exception, match="no cgroup controller memroy"):
            cgroups.place(frozenset({"memroy"}), "", rootless=False)
