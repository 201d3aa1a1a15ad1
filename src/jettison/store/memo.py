"""The file-digest memo: a file whose inode, size and times did not change has its old digest.

Racy files are not trusted, as in git's index: a file that was changed within the same tick of the
file system's clock as it was looked at could change again without its times showing it. Such a
file's digest is not remembered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jettison.store.database import Database

StatKey = tuple[int, int, int, int, int]
"""st_dev, st_ino, st_size, st_mtime_ns, st_ctime_ns."""

_TICK_NS = 20_000_000
"""Kernels stamp files with the time of the last timer interrupt: at most 10 ms old."""
_COARSE_TICK_NS = 2_000_000_000
"""File systems without fractions of seconds (FAT counts in twos)."""
_BLOCK_BITS = 10
"""Entries are loaded by ranges of 1024 inodes: the files of one tree are near each other."""
_FLUSH_AT = 5000
_LIMIT = 1_000_000


class Memo:
    """Digests by what ``stat`` says of a file."""

    def __init__(self, database: Database, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._loaded: dict[tuple[int, int], dict[int, tuple[int, int, int, str]]] = {}
        self._racy: set[StatKey] = set()
        self._new: dict[StatKey, str] = {}

    def get(self, key: StatKey) -> str | None:
        """The digest remembered for a file that looks like this; ask right after ``stat``."""
        dev, ino, *facts = key
        with self._lock:
            block = (dev, ino >> _BLOCK_BITS)
            entries = self._loaded.get(block)
            if entries is None:
                entries = self._loaded[block] = self._load(*block)
            entry = entries.get(ino)
            if entry is not None and list(entry[:3]) == facts:
                return entry[3]
            if _is_racy(key, self._now_ns()):
                self._racy.add(key)
            else:
                self._racy.discard(key)
            return None

    def put(self, key: StatKey, digest: str) -> None:
        """Remember the digest of the file that looked like ``key`` before it was read."""
        with self._lock:
            if key in self._racy or _is_racy(key, self._now_ns()):
                return
            dev, ino, size, mtime, ctime = key
            block = (dev, ino >> _BLOCK_BITS)
            if block in self._loaded:
                self._loaded[block][ino] = (size, mtime, ctime, digest)
            self._new[key] = digest
            full = len(self._new) >= _FLUSH_AT
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what is new, in one transaction."""
        with self._lock:
            new, self._new = self._new, {}
        if new:
            now = time.time()
            self._database.run_many(
                "INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*_signed(key), digest, now) for key, digest in new.items()],
            )

    def trim(self, limit: int = _LIMIT) -> None:
        """Forget the oldest entries beyond ``limit``."""
        self._database.run(
            (
                "DELETE FROM memo WHERE (dev, ino) IN "
                "(SELECT dev, ino FROM memo ORDER BY stored DESC LIMIT -1 OFFSET ?)",
                (limit,),
            )
        )

    def _load(self, dev: int, number: int) -> dict[int, tuple[int, int, int, str]]:
        first = number << _BLOCK_BITS
        last = first + (1 << _BLOCK_BITS) - 1
        low, high = sorted((_signed_int(first), _signed_int(last)))
        rows = self._database.rows(
            "SELECT ino, size, mtime, ctime, digest FROM memo "
            "WHERE dev = ? AND ino BETWEEN ? AND ?",
            (_signed_int(dev), low, high),
        )
        return {ino & 0xFFFF_FFFF_FFFF_FFFF: (s, m, c, digest) for ino, s, m, c, digest in rows}


def _is_racy(key: StatKey, now_ns: int) -> bool:
    newest = max(key[3], key[4])
    tick = _COARSE_TICK_NS if newest % 1_000_000_000 == 0 else _TICK_NS
    return now_ns - newest < tick


def _signed(key: StatKey) -> StatKey:
    return (_signed_int(key[0]), _signed_int(key[1]), *key[2:])


def _signed_int(value: int) -> int:
    """SQLite's integers are signed; inode numbers are not (overlay, NFS use the top bit)."""
    return value - (1 << 64) if value >= 1 << 63 else value
