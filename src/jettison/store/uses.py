"""When records were last used: noted in memory, written in one go.

What was used less than a minute before is left as it is: for collectors it makes no difference,
and a build that finds everything in the cache writes nothing then, nor waits for the disk.
"""

from __future__ import annotations

import threading
import time

from jettison.store.database import Database

_SLACK = 60.0  # seconds
_UPDATES = {
    "records": "UPDATE records SET used = ? WHERE key = ? AND used < ?",
    "layers": "UPDATE layers SET used = ? WHERE id = ? AND used < ?",
    "results": "UPDATE results SET used = ? WHERE key = ? AND used < ?",
    "layer_blobs": "UPDATE layer_blobs SET used = ? WHERE digest = ? AND used < ?",
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
                *(
                    (_UPDATES[table], (when, key, when - _SLACK))
                    for (table, key), when in noted.items()
                )
            )
