from dataclasses import replace
from typing import Any

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import capabilities
from jettison.sandbox.limits import Limits
from jettison.sandbox.spec import ContainerSpec, Host, Mount, runtime_config

ROOT = Host(
    rootless=False,
    single_id=False,
    cgroups=True,
    unified=False,
    capabilities=capabilities.NAMES,
    architecture="amd64",
)
ROOTLESS = replace(ROOT, rootless=True, cgroups=False)
SINGLE = replace(ROOTLESS, single_id=True)
SPEC = ContainerSpec(rootfs="/r", args=("/bin/sh", "-c", "true"))


def config(spec: ContainerSpec = SPEC, host: Host = ROOT) -> dict[str, Any]:
    return runtime_config(spec, host, "/group" if host.cgroups else None)


def mounts(of: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {mount["destination"]: mount for mount in of["mounts"]}


def namespaces(of: dict[str, Any]) -> set[str]:
    return {namespace["type"] for namespace in of["linux"]["namespaces"]}


def test_default_mounts_are_dockers() -> None:
    lines = [
        f"{m['type']} on {m['destination']} {','.join(m['options'])}" for m in config()["mounts"]
    ]
    assert lines == [
        "proc on /proc nosuid,noexec,nodev",
        "tmpfs on /dev nosuid,strictatime,mode=755,size=65536k",
        "devpts on /dev/pts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
        "tmpfs on /dev/shm nosuid,noexec,nodev,mode=1777,size=67108864",
        "mqueue on /dev/mqueue nosuid,noexec,nodev",
        "sysfs on /sys nosuid,noexec,nodev,ro",
        "cgroup on /sys/fs/cgroup nosuid,noexec,nodev,ro",
    ]


def test_own_mounts_come_last_in_order() -> None:
    own = (Mount(target="/a", source="/x"), Mount(target="/a/b", source="/y", options=("ro",)))
    assert config(replace(SPEC, mounts=own))["mounts"][-2:] == [
        {"destination": "/a", "type": "bind", "source": "/x", "options": ["rbind"]},
        {"destination": "/a/b", "type": "bind", "source": "/y", "options": ["ro"]},
    ]


def test_process() -> None:
    spec = replace(
        SPEC, env=(("A", "1 2"), ("E", "")), cwd="/w", uid=7, gid=8, groups=(9, 10), terminal=True
    )
    process = config(spec)["process"]
    assert process["args"] == ["/bin/sh", "-c", "true"]
    assert process["env"] == ["A=1 2", "E="]
    assert (process["cwd"], process["terminal"]) == ("/w", True)
    assert process["user"] == {"uid": 7, "gid": 8, "umask": 18, "additionalGids": [9, 10]}
    assert process["noNewPrivileges"] is False
    assert process["capabilities"] == {
        kind: list(capabilities.DEFAULT) for kind in ("bounding", "effective", "permitted")
    }


def test_capabilities_the_process_lacks_are_not_asked_for() -> None:
    host = replace(ROOT, capabilities=("CAP_CHOWN", "CAP_SYS_ADMIN"))
    assert config(host=host)["process"]["capabilities"]["bounding"] == ["CAP_CHOWN"]


def test_network_namespace_only_for_none() -> None:
    assert namespaces(config()) == {"pid", "ipc", "uts", "mount"}
    assert namespaces(config(replace(SPEC, network="host"))) == {"pid", "ipc", "uts", "mount"}
    assert "network" in namespaces(config(replace(SPEC, network="none")))


def test_cgroup_namespace_only_with_version_2() -> None:
    assert "cgroup" in namespaces(config(host=replace(ROOT, unified=True)))


def test_insecure_opens_everything() -> None:
    linux = config(replace(SPEC, insecure=True))["linux"]
    assert not {"seccomp", "maskedPaths", "readonlyPaths"} & linux.keys()
    assert [rule["allow"] for rule in linux["resources"]["devices"]] == [True, True]
    assert "/dev/fuse" in {device["path"] for device in linux["devices"]}
    process = config(replace(SPEC, insecure=True))["process"]
    assert process["capabilities"]["ambient"] == list(capabilities.NAMES)
    assert "rw" in mounts(config(replace(SPEC, insecure=True)))["/sys"]["options"]


def test_default_devices_only() -> None:
    assert config()["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]
    assert "devices" not in config()["linux"]


def test_masked_and_read_only_paths() -> None:
    linux = config()["linux"]
    assert {"/proc/kcore", "/proc/keys", "/sys/firmware"} <= set(linux["maskedPaths"])
    assert "/proc/sys" in linux["readonlyPaths"]


def test_rootless_has_no_cgroups_and_sees_the_hosts_sys() -> None:
    made = config(host=ROOTLESS)
    assert "/sys/fs/cgroup" not in mounts(made)
    assert not {"resources", "cgroupsPath"} & made["linux"].keys()
    assert mounts(made)["/sys"]["source"] == "/sys"
    assert "ro" in mounts(made)["/sys"]["options"]
    assert "/sys/fs/cgroup" in made["linux"]["maskedPaths"]
    alone = config(replace(SPEC, network="none"), ROOTLESS)
    assert mounts(alone)["/sys"]["type"] == "sysfs"


def test_one_id_has_no_terminal_group_and_no_groups() -> None:
    made = config(replace(SPEC, groups=(5,)), SINGLE)
    assert "gid=5" not in mounts(made)["/dev/pts"]["options"]
    assert "additionalGids" not in made["process"]["user"]


def test_ulimits_and_shm() -> None:
    made = config(replace(SPEC, ulimits=(("nofile", 10, 20), ("core", -1, -1)), shm_size=4096))
    assert made["process"]["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20},
        {"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1},
    ]
    assert "size=4096" in mounts(made)["/dev/shm"]["options"]
    assert "rlimits" not in config()["process"]


def test_limits() -> None:
    limits = Limits(memory=1 << 20, memory_swap=-1, cpu_quota=50000, cpuset_cpus="0-1")
    resources = config(replace(SPEC, limits=limits))["linux"]["resources"]
    assert resources["memory"] == {"limit": 1 << 20, "swap": -1}
    assert resources["cpu"] == {"quota": 50000, "cpus": "0-1"}
    assert "pids" not in resources
    assert config(replace(SPEC, limits=Limits(pids=9)))["linux"]["resources"]["pids"] == {
        "limit": 9
    }


def test_own_cgroup_of_a_user_is_shown_and_not_masked() -> None:
    made = runtime_config(SPEC, replace(ROOTLESS, unified=True), "/mine/id")
    assert made["linux"]["cgroupsPath"] == "/mine/id"
    assert "cgroup" in namespaces(made)
    assert "ro" in mounts(made)["/sys/fs/cgroup"]["options"]
    assert "/sys/fs/cgroup" not in made["linux"]["maskedPaths"]


@pytest.mark.parametrize(
    ("spec", "host", "message"),
    [
        (replace(SPEC, args=()), ROOT, "no command"),
        (replace(SPEC, args=("",)), ROOT, "no command"),
        (replace(SPEC, network="bridge"), ROOT, "unknown network 'bridge'"),
        (replace(SPEC, ulimits=(("files", 1, 1),)), ROOT, "unknown ulimit 'files'"),
        (replace(SPEC, uid=1), SINGLE, "only one user id"),
        (replace(SPEC, gid=1), SINGLE, "only one user id"),
        (replace(SPEC, gid=65537), replace(ROOTLESS, ids=65537), "only 65537 ids are mapped"),
    ],
)
def test_what_cannot_be_is_refused(spec: ContainerSpec, host: Host, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        config(spec, host)
