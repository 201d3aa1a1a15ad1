"""Where blobs came from: repositories that had a blob, to mount it from when it is pushed."""

from __future__ import annotations

import time
from collections.abc import Iterable

from jettison.model.digest import Digest
from jettison.model.reference import Reference
from jettison.store.database import Database

_TABLE = (
    "CREATE TABLE IF NOT EXISTS origins (digest TEXT NOT NULL, host TEXT NOT NULL,"
    " path TEXT NOT NULL, noted REAL NOT NULL, PRIMARY KEY (digest, host, path)) WITHOUT ROWID"
)
_KEPT_SECONDS = 90 * 24 * 3600.0


class Origins:
    """Hints only: a repository may have lost the blob, or not be ours to read any more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made = False

    def note(self, repository: Reference, digests: Iterable[Digest]) -> None:
        """Remember that the repository has these blobs. Raises StoreError."""
        self._make()
        now = time.time()
        self._database.run_many(
            "INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?)",
            [(digest, repository.host, repository.path, now) for digest in digests],
        )

    def of(self, digest: Digest) -> list[Reference]:
        """Repositories that had the blob, the latest first. Raises StoreError."""
        self._make()
        rows = self._database.rows(
            "SELECT host, path FROM origins WHERE digest = ? ORDER BY noted DESC", (digest,)
        )
        return [Reference(host, path) for host, path in rows]

    def _make(self) -> None:
        if not self._made:
            old = time.time() - _KEPT_SECONDS
            self._database.run((_TABLE, ()), ("DELETE FROM origins WHERE noted < ?", (old,)))
            self._made = True
