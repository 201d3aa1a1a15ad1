"""What this host can and cannot do for builds, and the command that mends each lack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping

from jettison.errors import SandboxError
from jettison.sandbox import cgroups, emulate, hostca, mounts, probe, snapshots, unprivileged
from jettison.sandbox.check import Check
from jettison.sandbox.namespace import Isolation

_MIN_FREE = 2 << 30
_FUSE_MEND = "let this user open /dev/fuse (in a container: --device /dev/fuse)"
_STORE_MEND = "keep the store on a local ext4, xfs or btrfs (JETTISON_ROOT)"
_NESTED_MEND = (
    "in a container, let that one show all of /proc: --security-opt systempaths=unconfined "
    "(docker), --security-opt unmask=ALL (podman)"
)


def examine(
    isolation: Isolation | SandboxError,
    *,
    store: str,
    environment: Mapping[str, str],
    uid: int | None = None,
) -> list[Check]:
    """All checks. ``isolation`` is what `namespace.enter` returned or raised; ``store`` an
    existing directory that can be written (probes are made in a directory in it). ``uid`` is what
    the user was before that.
    """
    entered = None if isinstance(isolation, SandboxError) else isolation
    if uid is None:
        uid = entered.uid if entered is not None else os.getuid()
    needed = entered is None or entered.rootless
    # Root in a container, which may map whatever ids there are.
    mapped = entered is not None and uid == 0 and not entered.single_id
    checks = [
        _kernel(needed=needed),
        unprivileged.user_namespaces(needed=needed),
        unprivileged.subordinate_ids(uid, needed=needed and not mapped),
        unprivileged.id_tools(needed=needed and not mapped),
    ]
    if isinstance(isolation, SandboxError):
        checks.append(Check("isolation", False, isolation.message, isolation.hint))
    else:
        checks.append(_isolation(isolation))
        wanted = environment.get(snapshots.VARIABLE) or None
        checks += [_root_file_systems(isolation, store, wanted), _store(store)]
        checks += _runtimes(isolation, store)
    checks += [
        _cgroups(),
        _limits(entered),
        _seccomp(),
        _emulators(),
        _host_ca(environment),
        _ssh(),
    ]
    return [*checks, _space(store)]


def _kernel(*, needed: bool) -> Check:
    release = os.uname().release
    if mounts.kernel_version() >= (5, 11):
        return Check("kernel", True, f"Linux {release}")
    mend = "builds without root are quicker with Linux 5.11 or newer"
    return Check("kernel", not needed, f"Linux {release}", mend if needed else None)


def _isolation(isolation: Isolation) -> Check:
    if isolation.single_id:
        return Check("isolation", False, isolation.notice or "one user id", "see above")
    where = "a user namespace" if isolation.rootless else "root"
    return Check("isolation", True, f"mount namespace, as {where}")


def _root_file_systems(isolation: Isolation, store: str, wanted: str | None) -> Check:
    """How the layers in the store become something to run in; see `snapshots`."""
    name = "overlay"
    try:
        chosen, why = snapshots.choose(store, userxattr=isolation.rootless, wanted=wanted)
    except SandboxError as error:
        return Check(name, False, error.message, error.hint)
    if chosen == snapshots.OVERLAY:
        return Check(name, True, "works")
    if wanted is not None:
        return Check(name, True, f"{chosen} is used, as {snapshots.VARIABLE} says")
    detail = f"{chosen} is used instead ({why})"
    if chosen == snapshots.FUSE:
        return Check(name, True, detail)
    mend = "apt-get install fuse-overlayfs" if "installed" in why else _FUSE_MEND
    return Check(name, False, f"{detail}: every RUN copies all files", f"{mend}; or {_STORE_MEND}")


def _store(store: str) -> Check:
    """Whether the store's file system can hold layers."""
    kind = file_system(store)
    name, detail = "store", f"{store} is on {kind}"
    try:
        with tempfile.TemporaryDirectory(dir=store, prefix="doctor-") as directory:
            os.setxattr(directory, "user.overlay.jettison", b"y")
    except OSError as error:
        detail += f", which takes no extended attributes ({error.strerror})"
        return Check(name, False, detail, _STORE_MEND)
    fit = kind not in ("nfs", "nfs4")
    return Check(name, fit, detail, None if fit else _STORE_MEND)


def file_system(path: str) -> str:
    """The type of the file system that holds ``path`` (/proc/self/mountinfo)."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields, _, tail = line.partition(" - ")
            if fields.split()[2] == wanted:
                return tail.split()[0]
    return "an unknown file system"


def _runtimes(isolation: Isolation, store: str) -> list[Check]:
    candidates = probe.installed()
    if not candidates:
        return [Check("runtime", False, "no OCI runtime installed", "apt-get install runc")]
    outcomes = list(probe.probe_all(isolation, candidates, store))
    works = outcomes[-1].error is None
    checks = []
    for outcome in outcomes:
        how = "with cgroups" if outcome.cgroups else "without cgroups"
        name = f"runtime {outcome.name}"
        if outcome.error is None:
            checks.append(Check(name, True, f"{outcome.path} runs a container, {how}"))
        else:
            # One that works is enough: what was wrong with the others need not be mended.
            mend = None if works else _runtime_mend(outcome.error, isolation)
            detail = f"{outcome.path} {how}: {outcome.error}"
            checks.append(Check(name, works, f"not used: {detail}" if works else detail, mend))
    return checks


def _runtime_mend(error: str, isolation: Isolation) -> str:
    if isolation.rootless and "proc" in error and "not permitted" in error:
        return _NESTED_MEND  # a new /proc may show no more than the one that is there
    return "install another runtime: apt-get install runc"


def _cgroups() -> Check:
    if cgroups.unified():
        version = "version 2"
    elif cgroups.hybrid():
        version = "version 1 beside version 2 (hybrid)"
    else:
        version = "version 1" if os.path.isdir(cgroups.MOUNT) else "none"
    return Check("cgroups", True, version)


def _limits(isolation: Isolation | None) -> Check:
    """What --memory and the like can limit. Builds do without, so this is never a failure."""
    rootless = os.getuid() != 0 if isolation is None else isolation.rootless
    lacks = {n: e for n, e in cgroups.offered(rootless=rootless).items() if e is not None}
    able = [name for name in cgroups.CONTROLLERS if name not in lacks]
    detail = f"of {', '.join(able)}" if able else "none"
    if not lacks:
        return Check("limits", True, detail)
    why = {(error.message, error.hint): None for error in lacks.values()}
    detail = "; ".join([detail, *(message for message, _ in why)])
    mend = "; ".join({hint: None for _, hint in why if hint})
    return Check("limits", True, detail, mend or None)


def _seccomp() -> Check:
    if os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
        return Check("seccomp", True, "the kernel filters system calls")
    return Check(
        "seccomp", False, "the kernel cannot filter system calls", "a kernel with CONFIG_SECCOMP"
    )


def _emulators() -> Check:
    known = [f"linux/{name}" for name, _, flags in emulate.registered() if "F" in flags]
    host = probe.architecture()
    detail = f"linux/{host}; emulated: {', '.join(known) or 'none'}"
    return Check("platforms", True, detail)


def _host_ca(environment: Mapping[str, str]) -> Check:
    bundle = hostca.find_bundle(environment)
    if bundle is None:
        detail = "no bundle of certificate authorities found"
        return Check("host CA", False, detail, "apt-get install ca-certificates")
    return Check("host CA", True, bundle)


def _ssh() -> Check:
    if shutil.which("ssh-agent") and shutil.which("ssh-add"):
        return Check("ssh", True, "ssh-agent and ssh-add are installed")
    detail = "ssh-agent and ssh-add, for --ssh with key files, are not installed"
    return Check("ssh", False, detail, "apt-get install openssh-client")


def _space(store: str) -> Check:
    usage = shutil.disk_usage(store)
    state = os.statvfs(store)
    free = f"{usage.free / (1 << 30):.1f} GiB free for {store}"
    if usage.free < _MIN_FREE:
        return Check("space", False, free, "jettison prune, or another JETTISON_ROOT")
    if state.f_files and state.f_favail < 10_000:
        return Check("space", False, f"{state.f_favail} inodes left", "jettison prune")
    return Check("space", True, free)
