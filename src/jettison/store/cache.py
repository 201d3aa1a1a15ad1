"""Cache records: which layers a cache key stands for, and what the key was made of."""

from __future__ import annotations

import time

from msgspec import Struct

from jettison.store.database import Database
from jettison.store.layers import Layers
from jettison.store.uses import Uses


class CacheRecord(Struct, frozen=True):
    """What is remembered under ``key``.

    ``layers`` are ids, lowest first. Those in ``unpack`` are layers of a base image that are not
    on disk now: they have to be unpacked before the snapshot can be mounted. ``created`` is in
    seconds since the epoch; ``description`` is for people (``RUN make``).
    """

    key: str
    layers: tuple[str, ...]
    created: float
    description: str
    unpack: tuple[str, ...] = ()


class Explanation(Struct, frozen=True):
    """A record without a look at its layers: what its key was made of, to explain a miss."""

    key: str
    description: str
    created: float
    parts: bytes


class Cache:
    """The cache records of a store."""

    def __init__(self, database: Database, layers: Layers, uses: Uses) -> None:
        self._database = database
        self._layers = layers
        self._uses = uses
        self.apart = ""
        """What distinguishes these records from others of the same keys (`Store.stand_apart`)."""

    def get(self, key: str) -> CacheRecord | None:
        """The record of ``key``, if all its layers are here or can be unpacked again."""
        row = self._database.row(
            "SELECT layers, created, description FROM records WHERE key = ?", (key + self.apart,)
        )
        if row is None:
            return None
        layers = tuple(row[0].split())
        missing = self._layers.missing(layers)
        if not all(map(self._layers.is_base, missing)):
            return None
        self._uses.note("records", key + self.apart)
        return CacheRecord(key, layers, row[1], row[2], missing)

    def put(
        self, key: str, layers: tuple[str, ...], *, description: str = "", parts: bytes = b""
    ) -> None:
        """Remember ``layers`` (lowest first) under ``key``, in place of what was there.

        ``parts`` is what the key was made of, in whatever form explains it later.
        """
        now = time.time()
        self._database.run(
            (
                "INSERT OR REPLACE INTO records (key, layers, description, created, used) "
                "VALUES (?, ?, ?, ?, ?)",
                (key + self.apart, " ".join(layers), description, now, now),
            ),
            ("INSERT OR REPLACE INTO parts (key, parts) VALUES (?, ?)", (key + self.apart, parts)),
        )

    def explain(self, key: str) -> Explanation | None:
        """What the key was made of when it was put, whether its layers are here or not."""
        found = self._explanations("records.key = ?", key + self.apart, 1)
        return found[0] if found else None

    def history(self, description: str, limit: int = 20) -> list[Explanation]:
        """Records with this description, newest first: what a missed key is compared with."""
        return self._explanations("records.description = ?", description, limit)

    def history_of_kind(self, place: str, text: str, limit: int = 20) -> list[Explanation]:
        """Records described as ``place`` and anything, or as anything and ``text``."""
        found = []
        for pattern in (f"%{_escaped(text)}", f"{_escaped(place)}%"):
            where = "records.description LIKE ? ESCAPE '!'"
            found += self._explanations(where, pattern, limit)
        return found

    def _explanations(self, where: str, value: str, limit: int) -> list[Explanation]:
        rows = self._database.rows(
            "SELECT records.key, description, created, coalesce(parts.parts, x'') FROM records "
            f"LEFT JOIN parts ON parts.key = records.key WHERE {where} "
            "ORDER BY created DESC LIMIT ?",
            (value, limit),
        )
        return [Explanation(*row) for row in rows]


def _escaped(text: str) -> str:
    """``text`` as it stands in a LIKE pattern with the escape character ``!``."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
