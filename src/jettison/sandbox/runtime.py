"""Running one container with an OCI runtime (crun, runc, youki).

The runtime is the first process of a pid namespace of its own and dies with this process, so
neither a cancelled nor a killed build leaves a process behind. Its state lives in the bundle.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from jettison.errors import Cancelled, OutOfMemoryError, RunError, SandboxError
from jettison.sandbox import cgroups, spawn
from jettison.sandbox.group import Group
from jettison.sandbox.limits import NO_LIMITS, Limits, members, shown
from jettison.sandbox.program import find_fault
from jettison.sandbox.spec import ContainerSpec, Host, runtime_config

OnOutput = Callable[[int, bytes], None]
"""Receives the stream (1 stdout, 2 stderr) and bytes as they come, in the calling thread."""

_CANCEL_POLL = 0.05
"""Seconds between looks at the cancel event; output is passed on at once."""
_CHUNK = 1 << 16
_ABOUT_PROGRAMS = ("exec", "not found", "no such file", "permission denied")
"""Words of a runtime's message after which the program in the root is looked at."""


def discard_output(stream: int, data: bytes) -> None:
    """Drop output nobody wants."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that works on this host, found by `probe.find_runtime`.

    ``launcher`` is how its processes are tied to this one (`spawn.prefix`).
    """

    name: str
    path: str
    host: Host
    launcher: str = spawn.UTIL_LINUX
    reasons: tuple[str, ...] = field(default=())
    """Why runtimes that would have been preferred were not taken."""
    no_overlay: str = ""
    """Why ``host.snapshotter`` is none that would be better."""

    def run(
        self,
        spec: ContainerSpec,
        *,
        bundle: str,
        on_output: OnOutput = discard_output,
        cancel: threading.Event | None = None,
        inherit: bool = False,
    ) -> int:
        """Run ``spec`` to its end and return the exit status (128+N if signal N ended it).

        ``bundle`` is an empty private directory for the runtime's files. ``inherit`` gives the
        container this process's standard streams (``spec.terminal`` then makes a terminal of
        them); else its stdin is empty and output goes to ``on_output``.

        Raises RunError (status 126 or 127) if the program is missing or cannot be run,
        OutOfMemoryError if it failed because the memory limit had a process killed,
        SandboxError if the runtime cannot make the container, or limits cannot be had here,
        Cancelled soon after ``cancel`` is set; then every process of the container has ended.
        """
        container_id = f"{cgroups.PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        with ExitStack() as stack:
            group = self._group(spec, container_id)
            if group is not None:
                stack.enter_context(group)
            status = self._run(spec, bundle, container_id, group, (on_output, cancel, inherit))
            if status != 0 and group is not None and group.ran_out_of_memory():
                raise OutOfMemoryError(
                    f"killed: memory limit of {shown(spec.limits.memory)} reached",
                    status=status if status > 0 else 128 - status,
                    hint="give it more with --memory",
                )
            if status != 0:
                self._explain(spec, bundle, status)
        return status

    def _group(self, spec: ContainerSpec, container_id: str) -> Group | None:
        """The container's cgroup; None where it gets none and needs none."""
        wanted = bool(spec.cgroup_parent) or spec.limits != NO_LIMITS
        if not wanted:
            return Group("", container_id, spec.limits) if self.host.cgroups else None
        if not self.host.cgroups and not self.host.rootless:
            raise SandboxError(
                "limits and cgroup parents need cgroups, and the runtime cannot make any here",
                hint=f"in a container, give it a {cgroups.MOUNT} that can be written "
                "(see jettison doctor)",
            )
        parent = cgroups.place(
            spec.limits.controllers, spec.cgroup_parent, rootless=self.host.rootless
        )
        _check_cpusets(spec.limits)
        cgroups.sweep(parent)
        return Group(parent, container_id, spec.limits)

    def _run(
        self,
        spec: ContainerSpec,
        bundle: str,
        container_id: str,
        group: Group | None,
        how: tuple[OnOutput, threading.Event | None, bool],
    ) -> int:
        on_output, cancel, inherit = how
        config = runtime_config(spec, self.host, None if group is None else group.path)
        _write_config(os.path.join(bundle, "config.json"), config)
        child = spawn.Child(
            [*self._command(bundle, with_cgroup=group is not None), container_id],
            new_pids=True,
            launcher=self.launcher,
            inherit=inherit,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
        try:
            cancelled = _follow(child, on_output, cancel, inherit)
        except BaseException:
            child.kill()
            raise
        if cancelled:
            child.kill()
            raise Cancelled
        status = child.wait()
        assert status is not None
        return status

    def _command(self, bundle: str, *, with_cgroup: bool) -> list[str]:
        words = [self.path, "--root", os.path.join(bundle, "state")]
        words += ["--log", os.path.join(bundle, "log"), "--log-format", "json"]
        if not with_cgroup:
            words += _without_cgroups(self.name)
        return [*words, "run", "--bundle", bundle]

    def _explain(self, spec: ContainerSpec, bundle: str, status: int) -> None:
        """Raise if the non-zero ``status`` is the runtime's and not the command's."""
        said = _logged_errors(os.path.join(bundle, "log"))
        if status < 0:
            hint = "the host may have run out of memory (see dmesg)" if status == -9 else None
            raise SandboxError(f"{self.name} was killed by signal {-status}", hint=hint)
        if not said:
            return
        message = said[-1]
        if any(word in message.lower() for word in _ABOUT_PROGRAMS):
            fault = find_fault(
                spec.rootfs, spec.args[0], spec.cwd, dict(spec.env), self.host.architecture
            )
            if fault is not None:
                raise RunError(fault.message, status=fault.status, hint=fault.hint)
        raise SandboxError(f"{self.name} cannot run the container: {message}")


def _check_cpusets(limits: Limits) -> None:
    """Raise if a cpuset names what this host has not."""
    for kind, wanted in (("cpu", limits.cpuset_cpus), ("node", limits.cpuset_mems)):
        if not wanted:
            continue
        with open(f"/sys/devices/system/{kind}/online", encoding="ascii") as file:
            there = file.read().strip()
        if not members(wanted) <= members(there):
            what = "processors" if kind == "cpu" else "memory nodes"
            raise SandboxError(f"cpuset {wanted}: this host has the {what} {there} only")


def _write_config(path: str, config: dict[str, Any]) -> None:
    try:
        data = json.dumps(config, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise SandboxError(f"{_not_utf8(config['process'])} is not UTF-8") from None
    with open(path, "wb") as file:
        file.write(data)


def _not_utf8(process: dict[str, Any]) -> str:
    """Which part of a container cannot be said in JSON; never a value, which may be secret."""
    for index, argument in enumerate(process["args"]):
        if not _is_utf8(argument):
            return f"argument {index} of the command"
    for variable in process["env"]:
        if not _is_utf8(variable):
            name = variable.partition("=")[0].encode(errors="replace").decode()
            return f"the environment variable {name}"
    return "a path given to the container"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_cgroups(name: str) -> list[str]:
    if name == "crun":
        return ["--cgroup-manager", "disabled"]
    return ["--rootless=true"] if name == "runc" else []


def _follow(
    child: spawn.Child, on_output: OnOutput, cancel: threading.Event | None, inherit: bool
) -> bool:
    """Pass on output until the process ends; True if cancelled before that."""
    if inherit:
        while child.wait(_CANCEL_POLL) is None:
            if cancel is not None and cancel.is_set():
                return True
        return False
    import selectors

    assert child.process.stdout is not None and child.process.stderr is not None
    with selectors.DefaultSelector() as selector, child.process.stdout, child.process.stderr:
        selector.register(child.process.stdout, selectors.EVENT_READ, 1)
        selector.register(child.process.stderr, selectors.EVENT_READ, 2)
        while selector.get_map():
            for key, _ in selector.select(_CANCEL_POLL if cancel is not None else None):
                data = os.read(key.fd, _CHUNK)
                if data:
                    on_output(key.data, data)
                else:
                    selector.unregister(key.fileobj)
            if cancel is not None and cancel.is_set():
                return True
    return False


def _logged_errors(path: str) -> list[str]:
    """The errors in a runtime's log of JSON lines; what is not JSON counts as an error."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return []
    errors: list[str] = []
    for line in filter(None, lines):
        try:
            entry = json.loads(line)
            if entry["level"] in ("error", "fatal"):
                errors.append(str(entry["msg"]))
        except (ValueError, KeyError, TypeError):
            errors.append(line)
    return errors
