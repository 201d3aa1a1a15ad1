"""The cgroup of one container, and whether its memory limit had a process killed.

The runtime removes its group before anybody could ask that. In version 2, which counts through the
tree, the runtime's group is therefore made inside one of ours. Version 1 counts in the group itself
only: an eventfd is told of every time it is out of memory, and once when the group is removed.
"""

from __future__ import annotations

import contextlib
import os
import time

from jettison.errors import SandboxError
from jettison.sandbox import cgroups
from jettison.sandbox.limits import Limits

_INNER = "run"
_REMOVAL_SECONDS = 0.3
"""How long the kernel may take to tell that a group was removed."""


class Group:
    """A place for a container below ``parent`` (a result of `cgroups.place`); a context manager.

    ``path`` is the group that the runtime shall make. Leaving removes what is left of it.
    """

    def __init__(self, parent: str, name: str, limits: Limits) -> None:
        self._outer = os.path.join("/", parent, name)
        self._watched = bool(limits.memory)
        self._unified = cgroups.unified()
        self._events: int | None = None
        nested = self._watched and self._unified
        self.path = os.path.join(self._outer, _INNER) if nested else self._outer

    def __enter__(self) -> Group:
        if not self._watched:
            return self
        try:
            if self._unified:
                os.mkdir(cgroups.MOUNT + self._outer, 0o755)
            else:
                self._events = _watch(f"{cgroups.MOUNT}/memory{self._outer}")
        except OSError as error:
            cgroups.remove(self._outer)
            raise SandboxError(f"cannot make the cgroup {self._outer}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._events is not None:
            os.close(self._events)
        cgroups.remove(self._outer)

    def ran_out_of_memory(self) -> bool:
        """Whether the limit had a process killed; to be asked once, after the container's end."""
        if not self._watched:
            return False
        if self._events is None:
            return _kills(f"{cgroups.MOUNT}{self._outer}/memory.events") > 0
        deadline = time.monotonic() + _REMOVAL_SECONDS
        count = 0
        while count < 2 and time.monotonic() < deadline:
            try:
                count += os.eventfd_read(self._events)
            except BlockingIOError:
                time.sleep(0.005)
            if count == 1 and os.path.isdir(f"{cgroups.MOUNT}/memory{self._outer}"):
                return True  # nothing was removed that it could have told of
        return count > 1


def _watch(directory: str) -> int:
    """An eventfd for a version 1 group, made for it (kernel: cgroup-v1/memory.rst, section 10)."""
    os.makedirs(directory, 0o755, exist_ok=True)
    events = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        with (
            open(os.path.join(directory, "memory.oom_control"), "rb") as control,
            open(os.path.join(directory, "cgroup.event_control"), "w", encoding="ascii") as file,
        ):
            file.write(f"{events} {control.fileno()}")
    except OSError:
        os.close(events)
        raise
    return events


def _kills(path: str) -> int:
    """``oom_kill`` of a memory.events file (kernel: cgroup-v2.rst, "Memory Interface Files")."""
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        return int(dict(line.split() for line in file).get("oom_kill", "0"))
    return 0
