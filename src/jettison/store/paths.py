"""Where the store is, and where each thing stands in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jettison.errors import StoreError
from jettison.store.faults import store_faults
from jettison.store.locks import locked

SYSTEM_ROOT = Path("/var/lib/jettison")
_OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_EMPTY_INDEX = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
)


def default_root(environment: Mapping[str, str], uid: int) -> Path:
    """``$JETTISON_ROOT``; else /var/lib/jettison for uid 0; else ``$XDG_DATA_HOME/jettison``.

    ``uid`` is that of the user on the host, not the 0 of a user namespace. A relative
    XDG_DATA_HOME counts as unset (XDG base directory specification). Raises StoreError if there
    is nothing to go by.
    """
    if chosen := environment.get("JETTISON_ROOT"):
        return Path(chosen).absolute()
    if uid == 0:
        return SYSTEM_ROOT
    data = environment.get("XDG_DATA_HOME", "")
    if data.startswith("/"):
        return Path(data) / "jettison"
    home = environment.get("HOME", "")
    if home.startswith("/"):
        return Path(home) / ".local/share/jettison"
    raise StoreError("no place for the store: HOME is not set", hint="set JETTISON_ROOT")


class Paths:
    """The parts of one store directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs"
        self.layers = root / "layers"
        self.mounts = root / "mounts"
        self.tmp = root / "tmp"
        self.locks = root / "locks"
        self.logs = root / "logs"
        self.leases = self.locks / "leases"
        self.index = root / "index.json"
        self.database = root / "cache.db"
        self._marker = root / "oci-layout"

    def lock(self, name: str) -> Path:
        """The lock file ``name``; it is never removed, so that all processes lock one inode."""
        return self.locks / f"{name}.lock"

    def make(self) -> None:
        """Create what is missing. Any number of processes may do so at once.

        Only the owner may enter: layers hold set-user-ID programs and other people's secrets.
        Raises StoreError if it cannot, or if the directory holds something else.
        """
        with store_faults(f"cannot use the store {self.root}"):
            if not self._marker.exists():
                self._check_foreign()
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in (self.blobs, self.blobs / "sha256", self.locks, self.leases, self.logs):
                part.mkdir(exist_ok=True)
            for part in (self.layers, self.mounts, self.tmp):
                part.mkdir(mode=0o700, exist_ok=True)
            if not self._marker.exists() or not self.index.exists():
                with locked(self.lock("index")):
                    self._write_once(self.index, _EMPTY_INDEX)
                    self._write_once(self._marker, _OCI_LAYOUT)

    def _check_foreign(self) -> None:
        """A directory in use for something else must not become a store by a mistyped path."""
        ours = {p.name for p in vars(self).values()}
        try:
            found = set(os.listdir(self.root))
        except FileNotFoundError:
            return
        if found - ours:
            raise StoreError(
                f"{self.root} is neither empty nor a store",
                hint="choose another directory with JETTISON_ROOT",
            )

    def _write_once(self, path: Path, content: bytes) -> None:
        if path.exists():
            return
        draft = self.locks / f"{path.name}.new"
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # an empty index after a power cut would be a damaged store
        os.replace(draft, path)
