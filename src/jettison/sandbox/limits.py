"""Resource limits of a container as data, and what becomes of them in the runtime's configuration.

They bound one container each, as BuildKit's do (`LinuxResources`), and are no part of what a step
is: a build gives the same result however long it had to wait for a processor.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

_MOST = 1 << 16
"""More processors and memory nodes than any kernel knows."""


class Limits(Struct, frozen=True, kw_only=True):
    """Resource limits of a container; 0 or empty is none.

    Bytes for memory (``memory_swap`` is memory and swap together, -1 unlimited), microseconds for
    ``cpu_quota`` per ``cpu_period``, lists like ``0-2,4`` for the cpusets, a number of processes
    and threads for ``pids``.
    """

    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int = 0

    @property
    def controllers(self) -> frozenset[str]:
        """The cgroup controllers that these limits need (cgroups(7))."""
        needed = {
            "memory": self.memory or self.memory_swap,
            "cpu": self.cpu_shares or self.cpu_quota or self.cpu_period,
            "cpuset": self.cpuset_cpus or self.cpuset_mems,
            "pids": self.pids,
        }
        return frozenset(name for name, wanted in needed.items() if wanted)

    def resources(self) -> dict[str, dict[str, Any]]:
        """What is set, as in ``linux.resources`` of the OCI runtime specification."""
        groups: dict[str, dict[str, Any]] = {
            "memory": {"limit": self.memory, "swap": self.memory_swap},
            "cpu": {
                "shares": self.cpu_shares,
                "quota": self.cpu_quota,
                "period": self.cpu_period,
                "cpus": self.cpuset_cpus,
                "mems": self.cpuset_mems,
            },
            "pids": {"limit": self.pids},
        }
        given = {
            name: {key: value for key, value in values.items() if value}
            for name, values in groups.items()
        }
        return {name: values for name, values in given.items() if values}


NO_LIMITS = Limits()


def members(text: str) -> frozenset[int]:
    """The numbers in a list like ``0-2,4`` (cpuset(7), "List format").

    Raises ValueError if it is none.
    """
    found: set[int] = set()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and first.isascii()) or len(part) > 12:
            raise ValueError(f"{part!r} is neither a number nor a range")
        if dash and (not (last.isdecimal() and last.isascii()) or int(last) < int(first)):
            raise ValueError(f"{part!r} is not a range")
        end = int(last) if dash else int(first)
        if end > _MOST:
            raise ValueError(f"{end} is too large")
        found.update(range(int(first), end + 1))
    return frozenset(found)


def shown(size: int) -> str:
    """Bytes as they were probably asked for: ``512 MB`` (of 1024 * 1024 bytes, as docker's m)."""
    for factor, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size / (1 << 20):.1f} MB" if size >= 1 << 20 else f"{size} bytes"
