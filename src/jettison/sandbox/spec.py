"""A container as data, and the OCI runtime configuration it becomes (runtime-spec 1.0.2).

Mounts, masked paths and capabilities are those that Docker and BuildKit give to RUN.

Network: ``default`` and ``host`` share the network of the host (there is no bridge without a
daemon); ``none`` is a network of its own that holds only the loopback interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jettison.errors import SandboxError
from jettison.sandbox import capabilities, seccomp
from jettison.sandbox.limits import NO_LIMITS, Limits

NETWORKS = ("default", "none", "host")
_SHM_BYTES = 64 << 20
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_INSECURE_DEVICES = (
    ("/dev/kmsg", "c", 1, 11),
    ("/dev/cuse", "c", 10, 203),
    ("/dev/fuse", "c", 10, 229),
    ("/dev/kvm", "c", 10, 232),
    ("/dev/net/tun", "c", 10, 200),
    ("/dev/loop-control", "c", 10, 237),
    *((f"/dev/loop{number}", "b", 7, number) for number in range(16)),
)
_RLIMITS = frozenset(
    "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending "
    "stack".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount as the OCI runtime makes it; ``target`` is resolved in the root by the runtime."""

    target: str
    source: str
    type: str = "bind"
    options: tuple[str, ...] = ("rbind",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What runs, as whom, with what.

    ``rootfs`` is the mounted root on the host. ``ulimits`` are (name, soft, hard), -1 for
    unlimited; ``extra_hosts`` (name, address) for /etc/hosts; ``shm_size`` bytes, 0 for 64 MiB;
    ``cgroup_parent`` the path of a cgroup.
    """

    args: tuple[str, ...]
    rootfs: str = ""
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    hostname: str = "buildkitsandbox"
    mounts: tuple[Mount, ...] = ()
    network: str = "default"
    insecure: bool = False
    shm_size: int = 0
    ulimits: tuple[tuple[str, int, int], ...] = ()
    terminal: bool = False
    extra_hosts: tuple[tuple[str, str], ...] = ()
    cgroup_parent: str = ""
    limits: Limits = NO_LIMITS
    read_only_root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What of the host decides how a container is set up.

    ``rootless``, ``single_id``: see `namespace.Isolation`. ``cgroups``: the runtime makes one for
    every container (else only for those with limits, where `cgroups.place` finds one).
    ``unified``: they are cgroup version 2. ``capabilities``: what this process can give.
    ``architecture``: OCI name. ``seccomp``: the kernel filters system calls. ``snapshotter``: one
    of `snapshots.SNAPSHOTTERS`. ``ids``: how many user ids are mapped, from 0 on.
    """

    rootless: bool
    single_id: bool
    cgroups: bool
    unified: bool
    capabilities: tuple[str, ...]
    architecture: str
    seccomp: bool = True
    snapshotter: str = "overlay"
    ids: int = 4294967295


def runtime_config(spec: ContainerSpec, host: Host, cgroup: str | None = None) -> dict[str, Any]:
    """The runtime's config.json for ``spec``, with the container in ``cgroup``, None for none.

    Raises SandboxError for what cannot be had on this host: a user other than root where one id
    is mapped, an unknown ulimit or network.
    """
    _check(spec, host)
    config: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": _process(spec, host),
        "root": {"path": spec.rootfs, "readonly": spec.read_only_root},
        "hostname": spec.hostname,
        "mounts": _mounts(spec, host, cgroup),
        "linux": _linux(spec, host, cgroup),
    }
    return config


def _check(spec: ContainerSpec, host: Host) -> None:
    if not spec.args or not spec.args[0]:
        raise SandboxError("no command to run")
    if spec.network not in NETWORKS:
        raise SandboxError(
            f"unknown network {spec.network!r}", hint=f"one of {', '.join(NETWORKS)}"
        )
    if host.single_id and (spec.uid or spec.gid):
        raise SandboxError(
            f"cannot run as user {spec.uid}:{spec.gid}: only one user id is mapped",
            hint="subordinate ids mend that: usermod --add-subuids 100000-165535 "
            "--add-subgids 100000-165535 USER (see jettison doctor)",
        )
    if max(spec.uid, spec.gid) >= host.ids:
        raise SandboxError(
            f"cannot run as user {spec.uid}:{spec.gid}: only {host.ids} ids are mapped",
            hint="/etc/subuid and /etc/subgid can give more (see jettison doctor)",
        )
    for name, _soft, _hard in spec.ulimits:
        if name.lower() not in _RLIMITS:
            raise SandboxError(f"unknown ulimit {name!r}", hint=f"one of {sorted(_RLIMITS)}")


def _process(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    default, everything = list(capabilities.DEFAULT), list(host.capabilities)
    if spec.insecure:
        kinds = ("bounding", "effective", "permitted", "inheritable", "ambient")
        given = dict.fromkeys(kinds, everything)
    else:
        allowed = [name for name in default if name in everything]
        given = dict.fromkeys(("bounding", "effective", "permitted"), allowed)
    user: dict[str, Any] = {"uid": spec.uid, "gid": spec.gid, "umask": 0o022}
    if spec.groups and not host.single_id:
        user["additionalGids"] = list(spec.groups)
    process: dict[str, Any] = {
        "terminal": spec.terminal,
        "user": user,
        "args": list(spec.args),
        "env": [f"{name}={value}" for name, value in spec.env],
        "cwd": spec.cwd,
        "capabilities": given,
        "noNewPrivileges": False,
    }
    if spec.ulimits:
        process["rlimits"] = [
            {"type": f"RLIMIT_{name.upper()}", "soft": soft % 2**64, "hard": hard % 2**64}
            for name, soft, hard in spec.ulimits
        ]
    return process


def _mounts(spec: ContainerSpec, host: Host, cgroup: str | None) -> list[dict[str, Any]]:
    still = ("nosuid", "noexec", "nodev")
    terminal_group = () if host.single_id else ("gid=5",)
    mounts = [
        Mount(target="/proc", type="proc", source="proc", options=still),
        Mount(
            target="/dev",
            type="tmpfs",
            source="tmpfs",
            options=("nosuid", "strictatime", "mode=755", "size=65536k"),
        ),
        Mount(
            target="/dev/pts",
            type="devpts",
            source="devpts",
            options=(
                *("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
                *terminal_group,
            ),
        ),
        Mount(
            target="/dev/shm",
            type="tmpfs",
            source="shm",
            options=(*still, "mode=1777", f"size={spec.shm_size or _SHM_BYTES}"),
        ),
        Mount(target="/dev/mqueue", type="mqueue", source="mqueue", options=still),
        _sys(spec, host),
    ]
    access = "rw" if spec.insecure else "ro"
    if cgroup is not None:
        mounts.append(
            Mount(
                target="/sys/fs/cgroup",
                type="cgroup",
                source="cgroup",
                options=(*still, access),
            )
        )
    return [
        {
            "destination": mount.target,
            "type": mount.type,
            "source": mount.source,
            "options": list(mount.options),
        }
        for mount in _with_own_dev(mounts, spec.mounts)
    ]


def _with_own_dev(mounts: list[Mount], more: tuple[Mount, ...]) -> Iterator[Mount]:
    """A mount on /dev takes the place of the usual one, so that those below it follow (BuildKit,
    executor/oci: ``dedupMounts``); all others come last.
    """
    own = [mount for mount in more if mount.target == "/dev"]
    for mount in mounts:
        yield own[-1] if own and mount.target == "/dev" else mount
    yield from (mount for mount in more if mount.target != "/dev")


def _sys(spec: ContainerSpec, host: Host) -> Mount:
    """/sys. In a user namespace it can be mounted only with a network of its own (sysfs shows
    the network's devices); otherwise the host's is shown, read-only.
    """
    access = "rw" if spec.insecure else "ro"
    options = ("nosuid", "noexec", "nodev", access)
    if host.rootless and spec.network != "none":
        return Mount(target="/sys", source="/sys", options=("rbind", *options[:3], "ro"))
    return Mount(target="/sys", type="sysfs", source="sysfs", options=options)


def _linux(spec: ContainerSpec, host: Host, cgroup: str | None) -> dict[str, Any]:
    kinds = ["pid", "ipc", "uts", "mount"]
    if spec.network == "none":
        kinds.append("network")
    if cgroup is not None and host.unified:
        kinds.append("cgroup")
    linux: dict[str, Any] = {"namespaces": [{"type": kind} for kind in kinds]}
    if not spec.insecure:
        hosts_groups = ["/sys/fs/cgroup"] if host.rootless and cgroup is None else []
        linux["maskedPaths"] = [*_MASKED, *hosts_groups]
        linux["readonlyPaths"] = list(_READ_ONLY)
        if host.seccomp:
            linux["seccomp"] = seccomp.profile(capabilities.DEFAULT, host.architecture)
    elif not host.rootless:
        linux["devices"] = [
            {"path": path, "type": kind, "major": major, "minor": minor, "fileMode": 0o666}
            for path, kind, major, minor in _INSECURE_DEVICES
        ]
    if cgroup is not None:
        linux["cgroupsPath"] = cgroup
        linux["resources"] = {"devices": _devices(spec), **spec.limits.resources()}
    return linux


def _devices(spec: ContainerSpec) -> list[dict[str, Any]]:
    """Access to the runtime's default devices only, or to all for an insecure container."""
    if spec.insecure:
        return [{"allow": True, "type": kind, "access": "rwm"} for kind in ("c", "b")]
    return [{"allow": False, "access": "rwm"}]
