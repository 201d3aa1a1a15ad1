"""A mount namespace of a test's own, kept by a process that does nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HOLDER = ("unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec sleep 900")


@dataclass(frozen=True)
class MountNamespace:
    """What is mounted in it is seen by nobody else, and ends with ``pid``."""

    pid: int

    @property
    def prefix(self) -> list[str]:
        """What comes before a command that is to run in it."""
        return ["nsenter", "--target", str(self.pid), "--mount"]

    def seen(self, path: Path) -> Path:
        """A path inside, as it can be reached from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            [*self.prefix, *map(str, command)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


@contextmanager
def mount_namespace() -> Iterator[MountNamespace]:
    """A MountNamespace for the time of the block."""
    with subprocess.Popen(_HOLDER, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline()
            yield MountNamespace(holder.pid)
        finally:
            holder.kill()
