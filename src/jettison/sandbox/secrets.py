"""Files given to a container that exist in memory only: secrets, scripts, generated files.

The directory is a tmpfs of this process's own mount namespace: nothing reaches a disk, nobody
else on the host sees it, and it is gone when the process is, however that ends. (A tmpfs may be
swapped out; a host that must exclude that encrypts its swap.)
"""

from __future__ import annotations

import os

from jettison.sandbox.inroot import own
from jettison.sandbox.spec import Mount


class MemoryFiles:
    """Writes files into ``directory`` (on a tmpfs) and says how to mount each."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._count = 0

    def path(self) -> str:
        """A new path in the directory."""
        self._count += 1
        return os.path.join(self._directory, str(self._count))

    def add(self, target: str, data: bytes, *, uid: int = 0, gid: int = 0, mode: int) -> Mount:
        """A file with ``data``, mounted read-only at ``target``; executable as ``mode`` says.

        Raises SandboxError if the owner is not mapped in the user namespace.
        """
        path = self.path()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
        own(path, uid, gid, mode)
        options = ["rbind", "ro", "nosuid", "nodev"]
        if not mode & 0o111:
            options.append("noexec")
        return Mount(target=target, source=path, options=tuple(options))
