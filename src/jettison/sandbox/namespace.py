"""Entering the process's own namespaces, once, before any thread starts.

With CAP_SYS_ADMIN only the mount namespace is left. Without, a user namespace is made as well
and mapped, so that the process is uid 0 there and has further ids for the owners of files in
images: all that there are by root in a container, those of /etc/subuid and /etc/subgid with
newuidmap and newgidmap by others. A user to whom no further ids are given gets a map of one id
(user_namespaces(7), subuid(5), newuidmap(1)).
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from msgspec import Struct

from jettison.errors import SandboxError
from jettison.sandbox import syscalls
from jettison.sandbox.unprivileged import mend_ids, namespace_hint, status, sub_ids, user_name

_CAP_SETGID, _CAP_SETUID, _CAP_SYS_ADMIN, _CAP_SETFCAP = 6, 7, 21, 31
_HELPER_SECONDS = 30
_WHOLE_RANGE = 4294967295

SINGLE_ID_NOTICE = (
    "only one user id is mapped: RUN works as root only and sees every file as root's, and chown "
    "to others fails in it (images keep their owners)"
)

Range = tuple[int, int, int]
"""First id inside, first id outside, count: a line of /proc/PID/uid_map."""


class Isolation(Struct, frozen=True):
    """Where the process is after `enter`.

    ``rootless``: in a user namespace (overlay needs userxattr, no device can be made).
    ``single_id``: that namespace maps one id only; ``notice`` says what that cannot do, and why.
    ``uid`` and ``gid`` are the ids the process had before.
    """

    rootless: bool
    single_id: bool
    uid: int
    gid: int
    notice: str | None = None


def enter() -> Isolation:
    """Enter a private mount namespace, and a user namespace where privileges are missing.

    Call it once per process and before any thread starts. Mounts made afterwards are seen by this
    process and its children only and end with them, however they end; what the host mounts still
    appears (slave propagation). Raises SandboxError where the host forbids it.
    """
    uid, gid = os.getuid(), os.getgid()
    notice = None
    privileged = has_capability(_CAP_SYS_ADMIN)
    if privileged:
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
        except SandboxError as error:
            error.hint = "the host forbids mount namespaces even to root (seccomp of a container?)"
            raise
    else:
        notice = _enter_user_namespace(uid, gid)
    try:
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    except SandboxError as error:
        error.hint = (
            "the host restricts what user namespaces may do; with AppArmor: "
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (see jettison doctor)"
        )
        raise
    mapped = mapped_ids()
    return Isolation(not privileged or mapped < _WHOLE_RANGE, mapped == 1, uid, gid, notice)


def has_capability(number: int) -> bool:
    """Whether capability ``number`` (capability.h) is effective in this process."""
    return bool(int(status("CapEff") or "0", 16) >> number & 1)


def mapped_ids() -> int:
    """How many user ids the current user namespace maps (4294967295: the initial one)."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return sum(int(line.split()[2]) for line in file)
    except FileNotFoundError:  # a kernel without user namespaces
        return _WHOLE_RANGE


def id_map(own: int, ranges: list[tuple[int, int]]) -> list[Range]:
    """The map that makes ``own`` id 0 and lays ``ranges`` after it."""
    lines: list[Range] = [(0, own, 1)]
    inside = 1
    for start, count in ranges:
        lines.append((inside, start, count))
        inside += count
    return lines


def _enter_user_namespace(uid: int, gid: int) -> str | None:
    """Unshare and map; returns the notice for a map of one id, None for a full one."""
    import shutil

    if all(map(has_capability, (_CAP_SETGID, _CAP_SETUID, _CAP_SETFCAP))):
        commands = [_write_command("uid_map"), _write_command("gid_map")]
        failure = _unshare_with_helper(commands)
        return None if failure is None else _map_single(uid, gid, failure)
    name = user_name(uid)
    uids, gids = sub_ids("/etc/subuid", name, uid), sub_ids("/etc/subgid", name, uid)
    tools = [shutil.which("newuidmap"), shutil.which("newgidmap")]
    if not uids or not gids:
        why = f"/etc/subuid and /etc/subgid give no ids to {name} ({mend_ids(name)})"
    elif tools[0] is None or tools[1] is None:
        why = "newuidmap and newgidmap are not installed (package uidmap)"
    else:
        commands = [
            _map_command(tools[0], id_map(uid, uids)),
            _map_command(tools[1], id_map(gid, gids)),
        ]
        failure = _unshare_with_helper(commands)
        if failure is None:
            return None
        return _map_single(uid, gid, failure)
    _unshare_user()
    return _map_single(uid, gid, why)


def _map_command(tool: str, lines: list[Range]) -> list[str]:
    return [tool, str(os.getpid()), *(str(number) for line in lines for number in line)]


def _write_command(file: str) -> list[str]:
    """The command that maps every id there is to itself, run by who may: root in a container that
    has no CAP_SYS_ADMIN.
    """
    with open(f"/proc/self/{file}", encoding="ascii") as lines:
        ranges = [line.split() for line in lines]
    text = "".join(f"{inside} {inside} {count}\n" for inside, _, count in ranges)
    script = 'printf %s "$2" > "/proc/$1/$0"'
    return ["/bin/sh", "-c", script, file, str(os.getpid()), text]


def _unshare_user() -> None:
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    except SandboxError as error:
        raise SandboxError(
            f"cannot make a user namespace: {error.__cause__}",
            hint=namespace_hint(syscalls.errno_of(error)),
        ) from error.__cause__


def _unshare_with_helper(commands: list[list[str]]) -> str | None:
    """Unshare while a forked helper stays outside to write the maps; returns its complaint.

    The helper waits for a byte. If this process dies or fails first, the pipe closes and the
    helper ends, so it can neither hang nor be left over.
    """
    go_read, go_write = os.pipe()
    said_read, said_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go_write)
        os.close(said_read)
        _helper(commands, go_read, said_write)
    os.close(go_read)
    os.close(said_write)
    try:
        _unshare_user()
        os.write(go_write, b"+")
    finally:
        os.close(go_write)
        _, status = os.waitpid(child, 0)
        with open(said_read, "rb") as said:
            complaint = said.read(4096).decode(errors="replace").strip()
    if status == 0:
        return None
    return complaint or f"newuidmap did not answer within {_HELPER_SECONDS} seconds"


def _helper(commands: list[list[str]], go: int, said: int) -> NoReturn:
    """The forked child: wait, run the commands, exit. It must never return into the caller."""
    try:
        signal.alarm(_HELPER_SECONDS)
        if os.read(go, 1):
            actions = [
                (os.POSIX_SPAWN_DUP2, said, 1),
                (os.POSIX_SPAWN_DUP2, said, 2),
            ]
            for command in commands:
                child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
                if os.waitpid(child, 0)[1] != 0:
                    os._exit(1)
            os._exit(0)
    finally:
        os._exit(2)


def _map_single(uid: int, gid: int, why: str) -> str:
    """Map the own ids only, which needs no privilege once setgroups is given up."""
    try:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    except OSError as error:
        raise SandboxError(
            f"cannot map user ids: {why}; nor the own id alone: {error}",
            hint="root needs CAP_SETFCAP for it (user_namespaces(7))"
            if uid == 0
            else "see jettison doctor for what this host lacks",
        ) from error
    return f"{why}; {SINGLE_ID_NOTICE}"


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
