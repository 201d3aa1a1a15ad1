"""Control groups of containers: where they may be made, what they can limit, and sweeping them.

Version 1 belongs to root. In version 2 a subtree can be delegated to a user (cgroups(7),
"Delegation"): it is the first group, from the own one of this process upwards, that the user may
write to and that passes the controllers on. Groups are named after the process that asked for them;
one that is killed leaves them behind, empty, and as the kernel refuses to remove a group in use,
anybody may sweep.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from jettison.errors import SandboxError

MOUNT = "/sys/fs/cgroup"
CONTROLLERS = ("memory", "cpu", "cpuset", "pids")
"""Those that limits need."""
PREFIX = "jettison-"

SCOPE = "systemd-run --user --scope -p Delegate=yes jettison ..."
_DELEGATE = (
    "as root: systemctl edit user@.service, add [Service] Delegate=cpu cpuset io memory pids, "
    "then log in again"
)
_ROOM = PREFIX + "host"
"""Where processes go that keep a group from having children with controllers."""
_TRIES = 5


def unified() -> bool:
    """Whether the host has cgroup version 2 only."""
    return os.path.exists(os.path.join(MOUNT, "cgroup.controllers"))


def hybrid() -> bool:
    """Whether the host has version 1 controllers beside a version 2 tree."""
    return os.path.exists(os.path.join(MOUNT, "unified", "cgroup.controllers"))


def place(needed: frozenset[str], parent: str, *, rootless: bool) -> str:
    """The group below which one for a container can be made with the controllers ``needed``.

    ``parent`` is what the user asked for, empty for the default; as the result it is a path in the
    hierarchies. Raises SandboxError, with what would help, where there is no such group.
    """
    if parent.endswith(":"):
        raise SandboxError(
            f"cgroup parent {parent!r}: systemd is not asked for cgroups",
            hint="name a path, or start in the slice: systemd-run --slice=NAME.slice --scope ...",
        )
    able = _able(needed, parent, rootless=rootless)
    if not unified():
        return parent
    if not rootless:
        return _made(needed, parent)
    for group in able:
        if _pass_on(MOUNT + group, needed):
            return group
    if not _make_room(MOUNT + able[0], needed):
        raise _in_the_way(MOUNT + able[0])
    return able[0]


def offered(*, rootless: bool) -> dict[str, SandboxError | None]:
    """For each controller why a limit that needs it cannot be had; None if it can.

    Nothing is changed to find out.
    """
    found: dict[str, SandboxError | None] = dict.fromkeys(CONTROLLERS)
    for name in CONTROLLERS:
        try:
            _able(frozenset({name}), "", rootless=rootless)
        except SandboxError as error:
            found[name] = error
    return found


def remove(path: str) -> None:
    """Remove the group ``path`` (as in the runtime's configuration) from every hierarchy."""
    for hierarchy in hierarchies():
        _remove_tree(os.path.join(hierarchy, path.lstrip("/")))


def sweep(parent: str = "") -> None:
    """Remove the groups in ``parent`` of jettison processes that no longer exist."""
    for hierarchy in hierarchies():
        directory = os.path.join(hierarchy, parent.lstrip("/"))
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        for name in names:
            if name.startswith(PREFIX) and not _alive(name.split("-")[1]):
                _remove_tree(os.path.join(directory, name))


def hierarchies() -> list[str]:
    """The directories that every hierarchy is mounted on."""
    if unified():
        return [MOUNT]
    try:
        return [os.path.join(MOUNT, name) for name in os.listdir(MOUNT)]
    except OSError:
        return []


def _able(needed: frozenset[str], parent: str, *, rootless: bool) -> list[str]:
    """The groups that could have children with the controllers ``needed``, best first.

    Raises SandboxError if there is none.
    """
    if rootless:
        return _delegated(needed, parent)
    if unified():
        missing = needed - _words(MOUNT, "cgroup.controllers")
    else:
        missing = frozenset(n for n in needed if not os.path.isdir(os.path.join(MOUNT, n)))
    if missing:
        raise SandboxError(
            f"this host has no cgroup controller {_and(missing)}",
            hint=f"boot with cgroup_enable={min(missing)}, or a kernel that has it",
        )
    homes = [MOUNT] if unified() else [os.path.join(MOUNT, name) for name in sorted(needed)]
    for home in homes:
        if not os.access(home, os.W_OK):
            hint = "in a container: give it a cgroup file system that can be written"
            raise SandboxError(f"{home} cannot be written to", hint=hint)
    return [parent]


def _delegated(needed: frozenset[str], parent: str) -> list[str]:
    if not unified():
        raise SandboxError(
            "a user other than root needs cgroup version 2",
            hint="boot with systemd.unified_cgroup_hierarchy=1, or run it as root",
        )
    own = os.path.join("/", parent or _own_group())
    mine = [group for group in ([own] if parent else _upwards(own)) if _writable(group)]
    if not mine:
        hint = None if parent else SCOPE
        raise SandboxError(f"the cgroup {MOUNT}{own} is not delegated to you", hint=hint)
    able = [group for group in mine if needed <= _words(MOUNT + group, "cgroup.controllers")]
    if not able:
        missing = needed - _words(MOUNT + mine[-1], "cgroup.controllers")
        raise SandboxError(
            f"the cgroup controller {_and(missing)} is not delegated to you", hint=_DELEGATE
        )
    return able


def _made(needed: frozenset[str], parent: str) -> str:
    """Root's place in version 2: ``parent``, made if need be, passing the controllers on."""
    directory = MOUNT
    for name in ("", *filter(None, parent.split("/"))):
        directory = os.path.join(directory, name).rstrip("/")
        try:
            os.makedirs(directory, exist_ok=True)
        except OSError as error:
            raise SandboxError(f"cannot make the cgroup {directory}: {error.strerror}") from error
        if not _pass_on(directory, needed) and not _make_room(directory, needed):
            raise _in_the_way(directory)
    return parent


def _in_the_way(directory: str) -> SandboxError:
    return SandboxError(
        f"processes in the cgroup {directory} keep it from passing controllers on",
        hint="name an empty one with --cgroup-parent",
    )


def _own_group() -> str:
    """The own group of this process in the version 2 hierarchy (cgroups(7), /proc/PID/cgroup)."""
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.startswith("0::"):
                return line[3:].rstrip("\n")
    return "/"


def _upwards(group: str) -> Iterator[str]:
    """The group and those above it, but for what is outside this process's cgroup namespace."""
    if group.startswith("/.."):
        return
    while True:
        yield group
        if group == "/":
            return
        group = os.path.dirname(group)


def _writable(group: str) -> bool:
    """Whether groups can be made in it, and processes moved between them."""
    names = ("", "cgroup.procs", "cgroup.subtree_control")
    return all(os.access(os.path.join(MOUNT + group, name), os.W_OK) for name in names)


def _pass_on(directory: str, needed: frozenset[str]) -> bool:
    """Let the children of a group have controllers; False if that cannot be.

    A group with processes of its own is refused for those controllers, too, that the kernel would
    let it pass on: its children could hold threads only (cgroups(7), "Thread mode"). The root of
    all, which has no type, may have processes.
    """
    typed = os.path.exists(os.path.join(directory, "cgroup.type"))
    if typed and _words(directory, "cgroup.procs"):
        return False
    missing = needed - _words(directory, "cgroup.subtree_control")
    if not missing:
        return True
    try:
        with open(os.path.join(directory, "cgroup.subtree_control"), "w", encoding="ascii") as file:
            file.write(" ".join(f"+{name}" for name in sorted(missing)))
    except OSError:
        return False
    return True


def _make_room(directory: str, needed: frozenset[str]) -> bool:
    """Move a group's own processes into a child of it, as only then it can pass controllers on
    (cgroups(7), "no internal processes" rule). They stay there: others may be using it by then.
    """
    room = os.path.join(directory, _ROOM)
    try:
        os.makedirs(room, exist_ok=True)
        for _ in range(_TRIES):  # they may be forking
            for pid in _words(directory, "cgroup.procs"):
                with (
                    contextlib.suppress(ProcessLookupError),
                    open(os.path.join(room, "cgroup.procs"), "w", encoding="ascii") as file,
                ):
                    file.write(pid)
            if _pass_on(directory, needed):
                return True
    except OSError:
        pass
    with contextlib.suppress(OSError):
        os.rmdir(room)
    return False


def _words(directory: str, name: str) -> frozenset[str]:
    try:
        with open(os.path.join(directory, name), encoding="ascii") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def _and(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))


def _remove_tree(directory: str) -> None:
    """Remove a group and those in it, as far as they are empty."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.is_dir(follow_symlinks=False):
                _remove_tree(entry.path)
        os.rmdir(directory)


def _alive(pid: str) -> bool:
    return os.path.exists(f"/proc/{pid}")
