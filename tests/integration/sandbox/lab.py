"""Containers for tests, as root and as an unprivileged user.

Each test runs in forked children of pytest, because entering namespaces cannot be undone.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import pickle
import shutil
import signal
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jettison.errors import JettisonError, SandboxError
from jettison.sandbox import container, namespace, probe
from jettison.sandbox.namespace import Isolation
from jettison.sandbox.runtime import Runtime
from jettison.sandbox.spec import ContainerSpec

# A child that gave up root cannot read a Python under /root: import here what is imported late.
for _name in ("ipaddress", "pwd", "selectors", "jettison.sandbox.ssh"):
    importlib.import_module(_name)

T = TypeVar("T")
_PR_SET_DUMPABLE = 4
BUSYBOX = shutil.which("busybox")


@dataclass
class Result:
    """How a command in a container ended. ``changes`` are lines about the upper directory."""

    status: int | None = None
    out: str = ""
    err: str = ""
    changes: list[str] = field(default_factory=list)
    error: JettisonError | None = None


@dataclass
class Lab:
    """A place with layers to run commands on; ``uid`` None: as whoever runs the tests."""

    directory: str
    uid: int | None
    rootless: bool
    layers: tuple[str, ...] = ("busybox",)
    count: int = 0
    cgroup: str = ""
    """The directory of the cgroup that children enter first; empty: where they are."""

    @property
    def base(self) -> str:
        return os.path.join(self.directory, "layers")

    def isolated(self, work: Callable[[Isolation], T]) -> T:
        """``work``'s result, computed in a child in its own namespaces."""

        def enter_and_work() -> T:
            self._join()
            become(self.uid)
            return work(namespace.enter())

        return self.plain(enter_and_work)

    def plain(self, work: Callable[[], T]) -> T:
        """``work``'s result, computed in a child."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            self._child(work, write)
        os.close(write)
        with open(read, "rb") as stream:
            data = stream.read()
        _, status = os.waitpid(child, 0)
        assert status == 0, f"the child ended with wait status {status}"
        outcome, value = pickle.loads(data)
        assert outcome == "ok", value
        return value  # type: ignore[no-any-return]  # pickle knows no types

    def start(self, work: Callable[[Isolation], object]) -> int:
        """Begin ``work`` in a child that is left to the test; its process id."""

        def enter_and_work() -> None:
            self._join()
            become(self.uid)
            work(namespace.enter())

        child = os.fork()
        if child == 0:
            self._child(enter_and_work, os.open("/dev/null", os.O_WRONLY))
        return child

    def _join(self) -> None:
        if self.cgroup:
            with open(os.path.join(self.cgroup, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

    def _child(self, work: Callable[[], object], write: int) -> None:
        try:
            signal.alarm(60)
            value = work()
            data = pickle.dumps(("ok", value))
        except BaseException:
            data = pickle.dumps(("error", traceback.format_exc()))
        with open(write, "wb") as stream:
            stream.write(data)
        os._exit(0)

    def runtime(self, isolation: Isolation) -> Runtime:
        remember = os.path.join(self.directory, "runtime.json")
        return probe.find_runtime(isolation, scratch=self.directory, remember=remember)

    def run(self, *args: str, **options: Any) -> Result:
        """Run ``args`` on the layers; options of ContainerSpec and of `container.run_in`."""
        return self.isolated(lambda isolation: self.run_inside(isolation, *args, **options))

    def sh(self, script: str, **options: Any) -> Result:
        return self.run("/bin/sh", "-c", script, **options)

    def run_inside(self, isolation: Isolation, *args: str, **options: Any) -> Result:
        self.count += 1
        place = tempfile.mkdtemp(dir=self.directory, prefix="run-")
        upper, work, scratch = (os.path.join(place, name) for name in ("upper", "work", "scratch"))
        for path in (upper, work, scratch):
            os.mkdir(path)
        os.chmod(upper, 0o755)
        names = {"container_mounts", "cancel", "inherit", "ca_bundle", "layers", "upper"}
        passed = {name: options.pop(name) for name in names & options.keys()}
        passed.setdefault("layers", self.layers)
        passed.setdefault("upper", upper)
        options.setdefault("env", (("PATH", "/bin"),))
        said: dict[int, bytes] = {1: b"", 2: b""}

        def on_output(stream: int, data: bytes) -> None:
            said[stream] += data

        result = Result()
        try:
            result.status = container.run_in(
                self.runtime(isolation),
                ContainerSpec(args=args, **options),
                base=self.base,
                work=work,
                scratch=scratch,
                on_output=on_output,
                **passed,
            )
        except JettisonError as error:
            result.error = _plain(error)
        result.out, result.err = said[1].decode(), said[2].decode()
        result.changes = describe(upper)
        return result


def _plain(error: JettisonError) -> JettisonError:
    """The error without what cannot be pickled."""
    plain = SandboxError(error.message, hint=error.hint)
    plain.__dict__.update(status=getattr(error, "status", None), kind=type(error).__name__)
    return plain


def become(uid: int | None) -> None:
    """Give up root for good, but stay able to map ids for the own process."""
    if uid is None:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.environ["HOME"] = "/"
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def describe(root: str) -> list[str]:
    """A line per change: path, kind, mode, owner; whiteouts are marked as such."""
    kinds = {0o04: "dir", 0o10: "file", 0o12: "link", 0o01: "fifo", 0o02: "char", 0o06: "block"}
    lines = []
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            state = os.lstat(path)
            kind = kinds.get(state.st_mode >> 12, "other")
            shown = "/" + os.path.relpath(path, root)
            if kind == "char" and state.st_rdev == 0:
                lines.append(f"{shown}: whiteout")
                continue
            mode = state.st_mode & 0o7777
            lines.append(f"{shown}: {kind} {mode:04o} {state.st_uid}:{state.st_gid}")
    return sorted(lines)


def make_layers(base: str) -> None:
    """``busybox``: the shell and its programs; ``plain``: a few files on top."""
    assert BUSYBOX is not None
    for path in ("busybox/bin", *(f"busybox/{name}" for name in ("proc", "dev", "sys", "tmp"))):
        os.makedirs(os.path.join(base, path))
    os.chmod(os.path.join(base, "busybox/tmp"), 0o1777)
    shutil.copy(BUSYBOX, os.path.join(base, "busybox/bin/busybox"))
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for name in set(listed.stdout.split()) - {"busybox"}:
        os.symlink("busybox", os.path.join(base, "busybox/bin", name))
    os.makedirs(os.path.join(base, "plain/real"))
    os.makedirs(os.path.join(base, "plain/etc"))
    os.symlink("/real", os.path.join(base, "plain/lnk"))
    for name, text in (("etc/hostname", "base\n"), ("real/f", "real\n")):
        with open(os.path.join(base, "plain", name), "w", encoding="ascii") as file:
            file.write(text)


def only_changes(result: Result, ignore: Sequence[str] = ("/proc", "/dev", "/sys")) -> list[str]:
    """The changes but for directories that any container may have touched."""
    return [line for line in result.changes if line.split(":")[0] not in ignore]
