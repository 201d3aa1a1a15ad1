"""The control groups that runtimes make for containers: where they are, and sweeping them.

A runtime that is killed leaves its (empty) groups behind. They are named after the process that
asked for them, and the kernel refuses to remove a group in use, so anybody may sweep.
"""

from __future__ import annotations

import contextlib
import os

MOUNT = "/sys/fs/cgroup"


def unified() -> bool:
    """Whether the host has cgroup version 2 only."""
    return os.path.exists(os.path.join(MOUNT, "cgroup.controllers"))


def hybrid() -> bool:
    """Whether the host has version 1 controllers beside a version 2 tree."""
    return os.path.exists(os.path.join(MOUNT, "unified", "cgroup.controllers"))


def remove(path: str) -> None:
    """Remove the group ``path`` (as in the runtime's configuration) from every hierarchy."""
    for hierarchy in _hierarchies():
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(hierarchy, path.lstrip("/")))


def sweep() -> None:
    """Remove the groups of jettison processes that no longer exist."""
    for hierarchy in _hierarchies():
        parent = os.path.join(hierarchy, "jettison")
        try:
            names = os.listdir(parent)
        except OSError:
            continue
        for name in names:
            if name.startswith("jettison-") and not _alive(name.split("-")[1]):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(parent, name))


def _alive(pid: str) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _hierarchies() -> list[str]:
    if unified():
        return [MOUNT]
    try:
        return [os.path.join(MOUNT, name) for name in os.listdir(MOUNT)]
    except OSError:
        return []
