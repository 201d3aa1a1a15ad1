"""Finding a runtime that works here, by running a container with it, once per host and boot.

The container holds one file, a program of a dozen instructions that exits with status 42, so
that nothing of the host decides the outcome but its kernel and the runtime.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from jettison.errors import RunError, SandboxError
from jettison.model.platform import make_platform
from jettison.sandbox import capabilities, cgroups, mounts, snapshots, spawn, tinyelf
from jettison.sandbox.namespace import Isolation, mapped_ids
from jettison.sandbox.runtime import Runtime
from jettison.sandbox.spec import ContainerSpec, Host

RUNTIMES = ("crun", "runc", "youki")
"""In the order they are tried: crun starts fastest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the probe of one runtime in one way of using it found; ``error`` None: it works."""

    name: str
    path: str
    cgroups: bool
    launcher: str
    error: str | None


Found = tuple[list[Outcome], tuple[str, str]]
"""What was tried, and the snapshotter with why there is no better one."""


def architecture() -> str:
    """The host's architecture in OCI terms."""
    return make_platform("linux", os.uname().machine).architecture


def host_facts(isolation: Isolation, *, with_cgroups: bool) -> Host:
    """What `spec.runtime_config` must know of this host."""
    return Host(
        rootless=isolation.rootless,
        single_id=isolation.single_id,
        cgroups=with_cgroups,
        unified=cgroups.unified(),
        capabilities=capabilities.current(),
        architecture=architecture(),
        seccomp=os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        ids=mapped_ids(),
    )


def find_runtime(
    isolation: Isolation,
    *,
    scratch: str,
    remember: str | None = None,
    name: str | None = None,
    snapshotter: str | None = None,
) -> Runtime:
    """The first runtime that passes the probe; ``name`` (a name or path) admits that one only, and
    ``snapshotter`` that way of making root file systems (`snapshots.choose`).

    ``scratch`` is a private directory in the store for the probe's files; ``remember`` the file
    that keeps the outcome while the host is not rebooted and no runtime changes. Call it after
    `namespace.enter`. Raises SandboxError if none works, saying what was wrong with each.
    """
    candidates = installed(name)
    if not candidates:
        raise SandboxError(
            f"no OCI runtime {name} is installed" if name else "no OCI runtime is installed",
            hint="install runc or crun, e.g. apt-get install runc",
        )
    key = [*_key(isolation, candidates), snapshotter, shutil.which(snapshots.FUSE)]
    found = _recall(remember, key)
    if found is None:
        chosen = snapshots.choose(scratch, userxattr=isolation.rootless, wanted=snapshotter)
        found = list(probe_all(isolation, candidates, scratch)), chosen
        if remember is not None:
            _store(remember, key, *found)
    outcomes, (snapshotter, no_overlay) = found
    reasons = tuple(explain(outcome) for outcome in outcomes if outcome.error is not None)
    for outcome in outcomes:
        if outcome.error is None:
            if outcome.cgroups:
                cgroups.sweep()
            host = host_facts(isolation, with_cgroups=outcome.cgroups)
            host = replace(host, snapshotter=snapshotter)
            return Runtime(outcome.name, outcome.path, host, outcome.launcher, reasons, no_overlay)
    raise SandboxError(
        "no OCI runtime works on this host: " + "; ".join(reasons), hint="see jettison doctor"
    )


def explain(outcome: Outcome) -> str:
    """One failed outcome in words."""
    how = "" if outcome.cgroups else " without cgroups"
    return f"{outcome.name}{how}: {outcome.error}"


def probe_all(
    isolation: Isolation, candidates: Sequence[tuple[str, str]], scratch: str
) -> Iterator[Outcome]:
    """Try ways of running a container, best first, up to the first that works.

    Cgroups confine device access, so as root every runtime is tried with them before any is tried
    without; a user namespace confines it by itself.
    """
    launcher = spawn.choose()
    ways = (False,) if isolation.rootless else (True, False)
    for with_cgroups in ways:
        for name, path in candidates:
            host = host_facts(isolation, with_cgroups=with_cgroups)
            error = probe(Runtime(name, path, host, launcher), scratch)
            yield Outcome(name, path, with_cgroups, launcher, error)
            if error is None:
                return


def probe(runtime: Runtime, scratch: str) -> str | None:
    """Run the smallest container with ``runtime``; what went wrong, or None."""
    import tempfile

    try:
        with (
            tempfile.TemporaryDirectory(dir=scratch, prefix="probe-") as directory,
            mounts.tmpfs(directory, mode=0o755),
        ):
            return _run_probe(runtime, directory)
    except (SandboxError, RunError) as error:
        return error.message


def _run_probe(runtime: Runtime, directory: str) -> str | None:
    root, bundle = os.path.join(directory, "root"), os.path.join(directory, "bundle")
    for path in (root, bundle, *(os.path.join(root, name) for name in ("proc", "dev", "sys"))):
        os.mkdir(path)
    program = tinyelf.program(runtime.host.architecture)
    spec = ContainerSpec(rootfs=root, args=("/probe",))
    expected = tinyelf.STATUS
    if program is None:
        expected = 0
        spec = replace(spec, rootfs="/", args=("/bin/true",), read_only_root=True)
    else:
        with open(os.path.join(root, "probe"), "wb") as file:
            file.write(program)
        os.chmod(os.path.join(root, "probe"), 0o755)
    said: list[bytes] = []
    status = runtime.run(spec, bundle=bundle, on_output=lambda _, data: said.append(data))
    if status == expected:
        return None
    text = b"".join(said).decode(errors="replace").strip()
    return text or f"ended with status {status} instead of {expected}"


def installed(name: str | None = None) -> list[tuple[str, str]]:
    """(name, path) of the runtimes that are installed; of ``name`` only, if given."""
    found = []
    for candidate in RUNTIMES if name is None else (name,):
        path = shutil.which(candidate)
        if path is not None:
            found.append((os.path.basename(candidate), os.path.realpath(path)))
    return found


def _key(isolation: Isolation, candidates: Sequence[tuple[str, str]]) -> list[object]:
    """What the outcome depends on."""
    boot = ""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    binaries = [[path, os.stat(path).st_mtime_ns, os.stat(path).st_size] for _, path in candidates]
    facts = [isolation.rootless, isolation.single_id, isolation.uid, spawn.choose()]
    return [2, boot, *facts, *binaries]


def _recall(path: str | None, key: list[object]) -> Found | None:
    """What is remembered for ``key``; None if there are none that can be trusted."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        if record["key"] == key:
            snapshotter, reason = record["snapshotter"]
            outcomes = [Outcome(**outcome) for outcome in record["outcomes"]]
            return outcomes, (str(snapshotter), str(reason))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _store(
    path: str, key: list[object], outcomes: Sequence[Outcome], snapshotter: tuple[str, str]
) -> None:
    """Remember; a success only, so that what is mended is noticed at once."""
    if outcomes[-1].error is not None:
        return
    fields = ("name", "path", "cgroups", "launcher", "error")
    rows = [{name: getattr(outcome, name) for name in fields} for outcome in outcomes]
    temporary = f"{path}.{os.getpid()}"
    with suppress(OSError):
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"key": key, "outcomes": rows, "snapshotter": snapshotter}, file)
        os.rename(temporary, path)
