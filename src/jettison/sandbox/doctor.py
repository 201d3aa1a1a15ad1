"""What this host can and cannot do for builds, and the command that mends each lack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from jettison.errors import SandboxError
from jettison.sandbox import cgroups, emulate, hostca, mounts, namespace, probe
from jettison.sandbox.namespace import Isolation

_MIN_FREE = 2 << 30
_MIN_IDS = 65536


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``mend`` is the command or step that helps, if it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    mend: str | None = None


def examine(
    isolation: Isolation | SandboxError, *, store: str, environment: Mapping[str, str]
) -> list[Check]:
    """All checks. ``isolation`` is what `namespace.enter` returned or raised; ``store`` an
    existing directory that can be written (probes are made in a directory in it).
    """
    entered = None if isinstance(isolation, SandboxError) else isolation
    uid = entered.uid if entered is not None else os.getuid()
    checks = [_kernel(), _user_namespaces(uid), _sub_ids(uid), _id_tools(uid)]
    if isinstance(isolation, SandboxError):
        checks.append(Check("isolation", False, isolation.message, isolation.hint))
    else:
        checks.append(_isolation(isolation))
        checks += _overlay(isolation, store)
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


def _kernel() -> Check:
    release = os.uname().release
    if mounts.kernel_version() >= (5, 11):
        return Check("kernel", True, f"Linux {release}")
    return Check(
        "kernel", False, f"Linux {release}", "builds without root need Linux 5.11 or newer"
    )


def _setting(name: str) -> str | None:
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def _user_namespaces(uid: int) -> Check:
    name = "user namespaces"
    bad = {
        "user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=15000"),
        "kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
        "kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    }
    if not os.path.exists("/proc/self/ns/user"):
        return Check(name, uid == 0, "the kernel has none", "a kernel with CONFIG_USER_NS")
    for setting, (value, mend) in bad.items():
        if _setting(setting) == value:
            detail = f"{setting.replace('/', '.')} is {value}"
            if uid == 0:
                return Check(name, True, f"{detail}; root does not need them")
            return Check(name, False, detail, mend)
    return Check(name, True, "allowed")


def _sub_ids(uid: int) -> Check:
    name = "subordinate ids"
    if uid == 0:
        return Check(name, True, "not needed by root")
    user = namespace.user_name(uid)
    counts = [
        sum(count for _, count in namespace.sub_ids(path, user, uid))
        for path in ("/etc/subuid", "/etc/subgid")
    ]
    if min(counts) >= _MIN_IDS:
        return Check(name, True, f"{counts[0]} user ids and {counts[1]} group ids for {user}")
    return Check(
        name,
        False,
        f"{counts[0]} user ids and {counts[1]} group ids for {user}; {_MIN_IDS} are needed to "
        "unpack images with files of many owners",
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
    )


def _id_tools(uid: int) -> Check:
    name = "newuidmap, newgidmap"
    missing = [tool for tool in ("newuidmap", "newgidmap") if shutil.which(tool) is None]
    if uid == 0:
        return Check(name, True, "not needed by root")
    if missing:
        detail = f"{' and '.join(missing)} not found"
        return Check(name, False, detail, "apt-get install uidmap")
    path = shutil.which("newuidmap") or ""
    setuid = os.stat(path).st_mode & 0o4000
    if not setuid and "security.capability" not in os.listxattr(path):
        return Check(name, False, f"{path} has no privilege", f"chmod u+s {path}")
    return Check(name, True, path)


def _isolation(isolation: Isolation) -> Check:
    if isolation.single_id:
        return Check("isolation", False, isolation.notice or "one user id", "see subordinate ids")
    where = "a user namespace" if isolation.rootless else "root"
    return Check("isolation", True, f"mount namespace, as {where}")


def _overlay(isolation: Isolation, store: str) -> list[Check]:
    """Mount an overlay on the store's file system and write, delete and rename in it."""
    kind = file_system(store)
    try:
        with tempfile.TemporaryDirectory(dir=store, prefix="doctor-") as directory:
            _try_overlay(isolation, directory)
    except (SandboxError, OSError) as error:
        hint = error.hint if isinstance(error, SandboxError) else None
        good = kind not in ("nfs", "nfs4", "overlay")
        mend = "keep the store on ext4, xfs or btrfs (JETTISON_ROOT)"
        return [
            Check("overlay", False, str(error), hint or mend),
            Check("store", good, f"{store} is on {kind}", None if good else mend),
        ]
    return [Check("overlay", True, "works"), Check("store", True, f"{store} is on {kind}")]


def _try_overlay(isolation: Isolation, directory: str) -> None:
    for name in ("lower", "lower/old", "upper", "work", "root"):
        os.mkdir(os.path.join(directory, name))
    with mounts.stack(
        os.path.join(directory, "root"),
        base=directory,
        lowers=["lower"],
        upper=os.path.join(directory, "upper"),
        work=os.path.join(directory, "work"),
        userxattr=isolation.rootless,
    ) as root:
        os.rmdir(os.path.join(root, "old"))
        os.mkdir(os.path.join(root, "old"))
        os.rename(os.path.join(root, "old"), os.path.join(root, "new"))
    mark = "user.overlay.jettison" if isolation.rootless else "trusted.overlay.jettison"
    os.setxattr(os.path.join(directory, "upper"), mark, b"y")


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
            mend = None if works else "install another runtime: apt-get install runc"
            detail = f"{outcome.path} {how}: {outcome.error}"
            checks.append(Check(name, works, f"not used: {detail}" if works else detail, mend))
    return checks


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
