"""What a user without privileges needs of the host: user namespaces, ids to map, and who maps them.

Sources: user_namespaces(7), subuid(5), newuidmap(1), prctl(2) for no_new_privs; the sysctls are
Debian's (unprivileged_userns_clone) and Ubuntu's (apparmor_restrict_unprivileged_userns).
"""

from __future__ import annotations

import errno
import os

from jettison.sandbox.check import Check

MIN_IDS = 65536
_FIRST_ID = 100000
_SUB_FILES = ("/etc/subuid", "/etc/subgid")
_OUTER = "give the container around this one"

SETTINGS = (
    ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
"""Settings below /proc/sys that forbid user namespaces: name, value that does, mending command."""


def setting(name: str) -> str | None:
    """The value of a sysctl; None if there is none of that name."""
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def status(field: str) -> str:
    """A field of /proc/self/status; empty if it is not there."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == field:
                return value.strip()
    return ""


def namespace_hint(number: int) -> str:
    """What helps after unshare(CLONE_NEWUSER) failed with errno ``number``."""
    for name, value, mend in SETTINGS:
        if setting(name) == value:
            return mend
    if number == errno.ENOSPC:
        return "sysctl user.max_user_namespaces=15000 (the limit is reached, or 0 further out)"
    if number == errno.EPERM and status("Seccomp") == "2":
        return f"a seccomp filter forbids it: {_OUTER} --security-opt seccomp=unconfined"
    if number == errno.EPERM:
        return "not in a chroot, nor where a security module forbids it (see jettison doctor)"
    return "the host must allow unprivileged user namespaces (see jettison doctor)"


def user_namespaces(*, needed: bool) -> Check:
    """Whether the kernel and its settings allow them. Call it before or after entering one."""
    name = "user namespaces"
    if not os.path.exists("/proc/self/ns/user"):
        return Check(name, not needed, "the kernel has none", "a kernel with CONFIG_USER_NS")
    for path, value, mend in SETTINGS:
        if setting(path) == value:
            detail = f"{path.replace('/', '.')} is {value}"
            if not needed:
                return Check(name, True, f"{detail}; root does not need them")
            return Check(name, False, detail, mend)
    return Check(name, True, "allowed")


def sub_ids(path: str, name: str, number: int) -> list[tuple[int, int]]:
    """The (first id, count) ranges that a file like /etc/subuid gives to a user."""
    return [
        (start, count)
        for owner, start, count in _ranges(path)
        if owner in (name, str(number)) and count > 0
    ]


def _ranges(path: str) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                owner, _, rest = line.strip().partition(":")
                start, _, count = rest.partition(":")
                if start.isdigit() and count.isdigit():
                    found.append((owner, int(start), int(count)))
    except OSError:
        return []
    return found


def user_name(uid: int) -> str:
    """The login name of ``uid``, or its number if it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def mend_ids(user: str) -> str:
    """The command that gives ``user`` subordinate ids that nobody has."""
    if user.isdigit():
        return f"give uid {user} a name in /etc/passwd: newuidmap maps for named users only"
    taken = [start + count for path in _SUB_FILES for _, start, count in _ranges(path)]
    first = max([_FIRST_ID, *taken])
    ids = f"{first}-{first + MIN_IDS - 1}"
    return f"usermod --add-subuids {ids} --add-subgids {ids} {user}"


def subordinate_ids(uid: int, *, needed: bool) -> Check:
    """Whether ``uid`` has ids for the owners of files in images."""
    name = "subordinate ids"
    if not needed:
        return Check(name, True, "not needed by root")
    user = user_name(uid)
    counts = [sum(count for _, count in sub_ids(path, user, uid)) for path in _SUB_FILES]
    detail = f"{counts[0]} user ids and {counts[1]} group ids for {user}"
    if user.isdigit():
        return Check(name, False, f"uid {user} has no name", mend_ids(user))
    if min(counts) >= MIN_IDS:
        return Check(name, True, detail)
    detail += f"; with fewer than {MIN_IDS} RUN cannot give files to, or change to, every user"
    return Check(name, False, detail, mend_ids(user))


def id_tools(*, needed: bool) -> Check:
    """Whether the programs that map subordinate ids are there and have the privilege to."""
    import shutil

    name = "newuidmap, newgidmap"
    if not needed:
        return Check(name, True, "not needed by root")
    paths = {tool: shutil.which(tool) for tool in ("newuidmap", "newgidmap")}
    missing = [tool for tool, path in paths.items() if path is None]
    if missing:
        return Check(name, False, f"{' and '.join(missing)} not found", "apt-get install uidmap")
    for path in filter(None, paths.values()):
        if not os.stat(path).st_mode & 0o4000 and "security.capability" not in os.listxattr(path):
            return Check(name, False, f"{path} has no privilege", f"chmod u+s {path}")
        if os.statvfs(path).f_flag & os.ST_NOSUID:
            where = os.path.dirname(path)
            return Check(
                name, False, f"{where} is mounted nosuid", f"mount -o remount,suid {where}"
            )
    if status("NoNewPrivs") == "1":
        return Check(
            name,
            False,
            "this process may gain no privileges (no_new_privs)",
            f"{_OUTER} no --security-opt no-new-privileges, the service no NoNewPrivileges=",
        )
    return Check(name, True, paths["newuidmap"] or "")
