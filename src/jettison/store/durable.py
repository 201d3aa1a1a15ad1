"""Power cuts: which layers are certain to be on the disk.

A commit of a layer does not wait for the disk. Its row names the boot (``boot_id``, random(4)) it
was committed in, until a sync of the whole file system (syncfs(2)) that began later has ended.
After a reboot, clean or not, layers whose row still names a boot, or that have no row, are thrown
away: nobody knows what of them was written. So one sync a build is enough, and it may run beside
the export.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jettison.errors import StoreError
from jettison.store.database import Database
from jettison.store.faults import store_faults
from jettison.store.lease import Leases
from jettison.store.paths import Paths
from jettison.store.staging import Staging

if TYPE_CHECKING:
    from jettison.store.layers import Layers

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_POLL_SECONDS = 0.005


def boot_id() -> str:
    """What this boot of the kernel is called; the same word for ever where nobody says."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


class Durability:
    """Keeps account of what a power cut could damage."""

    def __init__(
        self,
        paths: Paths,
        database: Database,
        leases: Leases,
        staging: Staging,
        layers: Layers,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._root = paths.layers
        self._note = paths.locks / "boot"
        self._draft = paths.locks / "boot.new"
        self._database = database
        self._leases = leases
        self._staging = staging
        self._layers = layers
        self._boot = boot
        self._syncing: tuple[int | None, list[tuple[str]]] | None = None

    # ---------------------------------------------------------------- after a boot

    def drop_doubtful(self) -> None:
        """In a boot that the store has not seen: throw away the layers that may be damaged, and
        what is recorded of them. To be called before the first layer is looked at.

        Raises StoreError.
        """
        if not self._is_new_boot():
            return
        with self._leases.collecting(), store_faults("cannot look through the layers"):
            if not self._is_new_boot():
                return
            if doubtful := self._doubtful():
                self._forget(doubtful)
                for layer in doubtful:
                    # Left in tmp/, for whoever sweeps next.
                    self._staging.throw_away(self._root / layer)
            self._draft.write_text(self._boot())
            os.replace(self._draft, self._note)

    def doubtful(self) -> set[str]:
        """The layers that `drop_doubtful` would throw away now. Raises StoreError."""
        return set(self._doubtful()) if self._is_new_boot() else set()

    def _forget(self, layers: list[str]) -> None:
        lost = {layer for layer in layers if not self._layers.is_base(layer)}
        keys = [
            (key,)
            for key, text in self._database.rows("SELECT key, layers FROM records")
            if not lost.isdisjoint(text.split())
        ]
        self._database.run_many("DELETE FROM records WHERE key = ?", keys)
        self._database.run_many("DELETE FROM parts WHERE key = ?", keys)
        self._database.run_many("DELETE FROM layers WHERE id = ?", [(i,) for i in layers])

    def _is_new_boot(self) -> bool:
        return self._seen() != self._boot()

    def _seen(self) -> str:
        try:
            return self._note.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _doubtful(self) -> list[str]:
        present = os.listdir(self._root)
        if not present:
            return []
        rows = self._database.rows(
            "SELECT id FROM layers WHERE boot IS NULL OR boot = ?", (self._boot(),)
        )
        sure = {row[0] for row in rows}
        return [layer for layer in present if layer not in sure]

    # ---------------------------------------------------------------- after a build

    def begin_sync(self) -> None:
        """Start writing out what this process committed, if anything; nobody waits for it yet."""
        if not self._layers.committed or self._syncing is not None:
            return
        rows = [(r[0],) for r in self._database.rows("SELECT id FROM layers WHERE boot NOT NULL")]
        self._layers.committed.clear()
        quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        command = ["sync", "-f", os.fspath(self._root)]
        child = None
        with contextlib.suppress(OSError):
            child = os.posix_spawnp("sync", command, os.environ, file_actions=quiet)
        self._syncing = child, rows

    def end_sync(self, seconds: float) -> bool:
        """Wait for what `begin_sync` started, and note that it is on the disk.

        A disk that takes more than ``seconds`` (with much else to write, say) is not waited for:
        the next build tries again, and until then a reboot costs these layers. Returns whether all
        is on the disk.
        """
        if self._syncing is None:
            return True
        child, rows = self._syncing
        self._syncing = None
        status = None if child is None else _wait(child, seconds)
        if status is _STILL_RUNNING:
            return False
        try:
            if status != 0:  # no such command, or not this one
                self._layers.sync()
            self._database.run_many("UPDATE layers SET boot = NULL WHERE id = ?", rows)
        except StoreError:
            return False
        return True


_STILL_RUNNING = -1


def _wait(child: int, seconds: float) -> int:
    """The exit status of a child; _STILL_RUNNING if it takes longer than that."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return abs(os.waitstatus_to_exitcode(status))
        if time.monotonic() > deadline:
            return _STILL_RUNNING
        time.sleep(_POLL_SECONDS)
