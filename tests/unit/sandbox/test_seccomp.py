from typing import Any

import pytest

from jettison.sandbox import capabilities, seccomp

SYS_ADMIN = (*capabilities.DEFAULT, "CAP_SYS_ADMIN")


def allowed(profile: dict[str, Any]) -> set[str]:
    """Names allowed whatever their arguments."""
    return {
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args")
        for name in rule["names"]
    }


def test_what_is_not_named_fails_with_eperm() -> None:
    profile = seccomp.profile(capabilities.DEFAULT, "amd64")
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)


@pytest.mark.parametrize(
    "name",
    "mount umount2 unshare setns bpf perf_event_open reboot init_module keyctl add_key "
    "request_key io_uring_setup userfaultfd kexec_load open_by_handle_at clock_settime "
    "fsopen move_mount pivot_root swapon".split(),
)
def test_default_container_cannot(name: str) -> None:
    assert name not in allowed(seccomp.profile(capabilities.DEFAULT, "amd64"))


@pytest.mark.parametrize(
    "name", "openat2 clone statx mknod chroot ptrace rseq futex_waitv arch_prctl execve".split()
)
def test_default_container_can(name: str) -> None:
    profile = seccomp.profile(capabilities.DEFAULT, "amd64")
    named = {name for rule in profile["syscalls"] for name in rule["names"]}
    assert name in named


def test_number_of_calls_is_dockers() -> None:
    assert len(allowed(seccomp.profile(capabilities.DEFAULT, "amd64"))) == 367


def test_capability_opens_its_calls() -> None:
    extra = allowed(seccomp.profile(SYS_ADMIN, "amd64")) - allowed(
        seccomp.profile(capabilities.DEFAULT, "amd64")
    )
    assert {"mount", "setns", "unshare", "clone", "clone3"} <= extra
    assert "reboot" not in extra


def rules_of(name: str, profile: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        (rule["action"], (rule.get("args") or [{}])[0].get("value"))
        for rule in profile["syscalls"]
        if name in rule["names"]
    ]


def test_clone_only_without_new_namespaces() -> None:
    profile = seccomp.profile(capabilities.DEFAULT, "amd64")
    assert rules_of("clone", profile) == [("SCMP_ACT_ALLOW", 0x7E020000)]
    assert rules_of("clone3", profile) == [("SCMP_ACT_ERRNO", None)]
    assert rules_of("clone", seccomp.profile(SYS_ADMIN, "amd64")) == [("SCMP_ACT_ALLOW", None)]


def test_clone_flags_are_the_second_argument_on_s390x() -> None:
    profile = seccomp.profile(capabilities.DEFAULT, "s390x")
    rule = next(rule for rule in profile["syscalls"] if rule["names"] == ["clone"])
    assert rule["args"][0]["index"] == 1


def test_sockets_of_every_family_but_alg_and_vsock() -> None:
    conditions = {
        "SCMP_CMP_LT": lambda family, value: family < value,
        "SCMP_CMP_EQ": lambda family, value: family == value,
        "SCMP_CMP_GT": lambda family, value: family > value,
    }
    profile = seccomp.profile(capabilities.DEFAULT, "amd64")
    arguments = [rule["args"][0] for rule in profile["syscalls"] if rule["names"] == ["socket"]]
    refused = [
        family
        for family in range(46)
        if not any(conditions[a["op"]](family, a["value"]) for a in arguments)
    ]
    assert refused == [38, 40]


def test_architectures_follow_the_host() -> None:
    names = seccomp.profile((), "amd64")["architectures"]
    assert names == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert seccomp.profile((), "riscv64")["architectures"] == ["SCMP_ARCH_RISCV64"]
    assert seccomp.profile((), "ppc64le")["architectures"] == []


def test_no_name_stands_in_two_groups() -> None:
    names = [name for group in seccomp.ALWAYS.values() for name in group.split()]
    assert len(names) == len(set(names))
