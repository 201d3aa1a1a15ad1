"""When records were last used: noted in memory, written in one go."""

from __future__ import annotations

import threading
import time

from jettison.store.database import Database

_UPDATES = {
    "records": "UPDATE records SET used = max(used, ?) WHERE key = ?",
    "layers": "UPDATE layers SET used = max(used, ?) WHERE id = ?",
    "results": "UPDATE results SET used = max(used, ?) WHERE key = ?",
    "layer_blobs": "UPDATE layer_blobs SET used = max(used, ?) WHERE digest = ?",
}


class Uses:
    """The uses this process has not written down yet; whoever is killed forgets them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._noted: dict[tuple[str, str], float] = {}

    def note(self, table: str, *keys: str) -> None:
        """``keys`` (digests, for layer_blobs) were used now."""
        now = time.time()
        with self._lock:
            for key in keys:
                self._noted[table, key] = now

    def flush(self) -> None:
        """Write everything down."""
        with self._lock:
            noted, self._noted = self._noted, {}
        if noted:
            self._database.run(
                *((_UPDATES[table], (when, key)) for (table, key), when in noted.items())
            )
