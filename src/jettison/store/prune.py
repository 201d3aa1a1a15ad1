"""Garbage collection.

Without being asked for more, it takes what nothing leads to: dangling images, records that lost a
layer, layers of no record, blobs that are remembered for nothing. If asked, it takes from all that
can be made or fetched again: everything, what was not used for some time, or the least recently
used until the rest fits. The blobs of named images never go, nor does anything a lease marks.

The decision and the removal from its place (a rename into ``tmp/``) happen while no lease can be
marked; the deleting itself, which takes long, happens afterwards.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from jettison.errors import StoreError
from jettison.model.digest import Digest
from jettison.store.faults import store_faults
from jettison.store.inventory import (
    Inventory,
    Item,
    Parts,
    Record,
    image_item,
    measure_layers,
    mount_items,
)
from jettison.store.lease import Leases
from jettison.store.locks import open_lock, try_lock
from jettison.store.staging import Staging

_LOG_SECONDS = 7 * 24 * 3600
_PER_SIZE = 100 << 20
_SMALL = 1 << 20


class Wish(Struct, frozen=True):
    """What to prune.

    ``all``: everything that can be made or fetched again; a bound alone chooses from the same.
    ``until``: only what was not used since (seconds since the epoch). ``max_used_space``: what is
    missed least, until layers, cache mounts and blobs of no image take at most these bytes;
    ``min_free_space``: until so many are free on the file system; ``reserved_space``: but never
    below these (the three as BuildKit's cache/manager.go has them).
    """

    all: bool = False
    until: float | None = None
    max_used_space: int | None = None
    reserved_space: int | None = None
    min_free_space: int | None = None

    @property
    def derivable(self) -> bool:
        return self.all or self.until is not None or self.bounded

    @property
    def bounded(self) -> bool:
        bounds = (self.max_used_space, self.reserved_space, self.min_free_space)
        return any(bound is not None for bound in bounds)

    def limit(self, total: int, free: int) -> int | None:
        """How many of the ``total`` bytes may stay, when ``free`` are free; None: no bound."""
        if not self.bounded:
            return None
        limits = [] if self.max_used_space is None else [self.max_used_space]
        if self.min_free_space is not None:
            limits.append(total - max(0, self.min_free_space - free))
        return max(min(limits, default=0), self.reserved_space or 0)


class Pruned(Struct, frozen=True):
    """What went, and how many bytes that freed (at most: layers may have shared files)."""

    items: tuple[Item, ...]

    @property
    def size(self) -> int:
        return sum(item.size for item in self.items)


def staleness(item: Item, now: float) -> float:
    """How little an item would be missed: the seconds since its last use, divided by what it is
    worth. Something of 100 MB that took 10 seconds to make is worth as much as one of its size that
    took none and was used in a tenth of the time; sizes below 1 MB make no difference.
    """
    worth = 1.0 + item.seconds * _PER_SIZE / max(item.size, _SMALL)
    return (now - item.used) / worth


@contextmanager
def _mount_lock(item: Item) -> Iterator[bool]:
    """Whether nobody uses a cache mount, nor may begin to while inside."""
    place = Path(item.id)
    lock = open_lock(place.with_name(place.name + ".lock"))
    try:
        yield try_lock(lock)
    finally:
        os.close(lock)


class Collector:
    """One collection."""

    def __init__(self, parts: Parts, leases: Leases, staging: Staging, wish: Wish) -> None:
        self._parts = parts
        self._leases = leases
        self._staging = staging
        self._wish = wish
        self._gone: list[Item] = []

    def collect(self) -> Pruned:
        self._staging.sweep(partial=self._wish.all)
        with store_faults("cannot prune the store"):
            self._round()
            if self._hindered and self._gone:
                self._round()  # now that there is some space to write to
            self._drop_logs()
        return Pruned(tuple(self._gone))

    def _round(self) -> None:
        sizes = measure_layers(self._parts)
        mounts = mount_items(self._parts) if self._wish.derivable else []
        self._hindered = False
        self._trash: list[Path] = []
        try:
            with self._leases.collecting() as marks:
                with self._on_a_full_disk():
                    self._drop_dangling(marks)
                inventory = Inventory(self._parts, marks, sizes)
                victims = [*self._choose(mounts, inventory)]
                # First what is remembered of it, so that a kill in between leaves garbage, and no
                # record of something that is gone.
                with self._on_a_full_disk():
                    self._forget(inventory, {item.id for item in victims})
                for item in victims:
                    self._take(item)
        finally:
            for entry in self._trash:
                self._staging.remove(entry)

    @contextmanager
    def _on_a_full_disk(self) -> Iterator[None]:
        """What has to write may fail: moving and deleting still work, and come first then."""
        try:
            yield
        except StoreError:
            self._hindered = True

    def _drop_dangling(self, marks: set[str]) -> None:
        """Take dangling images out of the index, so that their blobs become garbage."""
        entries = self._parts.names.list()
        items = [image_item(self._parts, None, d, marks) for name, d in entries if name is None]
        gone = [replace(item, size=0) for item in items if self._may_go(item)]
        if gone:
            self._parts.names.remove_dangling(Digest(item.id) for item in gone)
            self._gone += gone  # without sizes: their blobs are counted themselves

    def _choose(self, mounts: list[Item], inventory: Inventory) -> Iterator[Item]:
        recorded = inventory.recorded_layers()
        layers = inventory.layer_items()
        blobs, strays = inventory.blob_items()
        if self._wish.derivable:
            yield from self._derivable([*layers, *blobs, *strays, *mounts])
            return
        for item in [*(i for i in layers if i.id not in recorded), *strays]:
            if self._may_go(item):
                yield item

    def _derivable(self, items: list[Item]) -> Iterator[Item]:
        """What is missed least first; of equal worth the upper layers first."""
        total = sum(item.size for item in items)
        status = os.statvfs(self._parts.paths.root)
        limit = self._wish.limit(total, status.f_bavail * status.f_frsize)
        now = time.time()
        for item in sorted(items, key=lambda i: (-staleness(i, now), -i.created)):
            if limit is not None and total <= limit:
                break
            if self._may_go(item):
                total -= item.size
                yield item

    def _may_go(self, item: Item) -> bool:
        old = self._wish.until is None or item.used < self._wish.until
        if item.kind == "mount" and old:
            with _mount_lock(item) as mine:
                return mine
        return old and not item.in_use

    def _take(self, item: Item) -> None:
        """Move an item out of its place, unless somebody uses it after all."""
        if item.kind == "mount":
            with _mount_lock(item) as mine:
                if not mine:
                    return
                self._discard(Path(item.id))
        elif item.kind == "layer":
            self._discard(self._parts.layers.path(item.id))
        else:
            self._discard(self._parts.blobs.path(Digest(item.id)))
        self._gone.append(item)

    def _discard(self, place: Path) -> None:
        moved = self._staging.throw_away(place)
        if moved is not None:
            self._trash.append(moved)

    def _forget(self, inventory: Inventory, going: set[str]) -> None:
        """Delete the rows about what goes, or was gone before."""
        layers, database = self._parts.layers, self._parts.database
        on_disk = set(os.listdir(self._parts.paths.layers)) - going

        def has_blob(digest: str) -> bool:
            return digest not in going and self._parts.blobs.size(Digest(digest)) is not None

        gone = {row[0] for row in database.rows("SELECT id FROM layers")} - on_disk
        lost = [r for r in inventory.records if self._is_lost(r, on_disk, inventory)]
        blob_rows = [
            (layer, compression)
            for layer, compression, digest in database.rows(
                "SELECT layer, compression, digest FROM layer_blobs"
            )
            if not has_blob(digest) or (layer not in on_disk and not layers.is_base(layer))
        ]
        results = [
            key
            for key, digest in database.rows("SELECT key, digest FROM results")
            if not has_blob(digest)
        ]
        database.run_many("DELETE FROM layers WHERE id = ?", [(i,) for i in gone])
        # A record that somebody replaced in the meantime is another one.
        database.run_many(
            "DELETE FROM records WHERE key = ? AND layers = ?",
            [(record.key, " ".join(record.layers)) for record in lost],
        )
        database.run(("DELETE FROM parts WHERE key NOT IN (SELECT key FROM records)", ()))
        database.run_many("DELETE FROM layer_blobs WHERE layer = ? AND compression = ?", blob_rows)
        database.run_many("DELETE FROM results WHERE key = ?", [(k,) for k in results])

    def _is_lost(self, record: Record, on_disk: set[str], inventory: Inventory) -> bool:
        """Whether a record lost a layer that cannot be had again, or goes with all the others."""
        is_base = self._parts.layers.is_base
        if any(layer not in on_disk and not is_base(layer) for layer in record.layers):
            return True
        used = bool(record.layers) and all(map(inventory.uses_layer, record.layers))
        old = self._wish.until is None or record.used < self._wish.until
        return self._wish.all and not self._wish.bounded and old and not used

    def _drop_logs(self) -> None:
        for log in self._parts.paths.logs.iterdir():
            with contextlib.suppress(OSError):
                if log.stat().st_mtime < time.time() - _LOG_SECONDS:
                    log.unlink()
