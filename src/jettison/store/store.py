"""The store as one object: everything jettison keeps on disk (docs/STORE.md)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from jettison.errors import StoreError
from jettison.store.blobs import Blobs
from jettison.store.cache import Cache
from jettison.store.database import Database
from jettison.store.durable import Durability, boot_id
from jettison.store.faults import store_faults
from jettison.store.images import Images
from jettison.store.keylocks import KeyLocks
from jettison.store.layers import Layers
from jettison.store.lease import Leases
from jettison.store.memo import Memo
from jettison.store.mounts import CacheMounts
from jettison.store.names import Names
from jettison.store.origins import Origins
from jettison.store.paths import Paths
from jettison.store.remembered import LayerBlobs, Results
from jettison.store.staging import Staging
from jettison.store.uses import Uses

if TYPE_CHECKING:
    from jettison.store.check import Problem
    from jettison.store.inventory import Item, Parts
    from jettison.store.prune import Pruned


class Store:
    """One store directory. All parts may be used by many threads at once, and many processes may
    have the same store open.
    """

    def __init__(self, paths: Paths, boot: Callable[[], str] = boot_id) -> None:
        self.root = paths.root
        self.paths = paths
        self.leases = Leases(paths)
        self.staging = Staging(paths)
        self._database = Database(paths)
        self.blobs = Blobs(paths, self.staging, self.leases)
        self._uses = Uses(self._database)
        self.layers = Layers(paths, self.staging, self.leases, self._database, self._uses, boot)
        self.durability = Durability(
            paths, self._database, self.leases, self.staging, self.layers, boot
        )
        self.cache = Cache(self._database, self.layers, self._uses)
        self.layer_blobs = LayerBlobs(self._database, self.blobs, self._uses)
        self.results = Results(self._database, self.blobs, self._uses)
        self.memo = Memo(self._database)
        self.origins = Origins(self._database)
        self.names = Names(paths)
        self.images = Images(self.blobs, self.names)
        self.cache_mounts = CacheMounts(paths, self.staging)
        self.key_locks = KeyLocks(paths)

    @classmethod
    def open(cls, root: Path) -> Store:
        """The store in ``root``, made if need be.

        Raises StoreError if the directory cannot be used. Nothing else is touched yet: the
        database is opened when it is first asked something.
        """
        paths = Paths(root)
        paths.make()
        return cls(paths)

    def stand_apart(self, name: str) -> None:
        """Use layers and records apart from those made under another name, which begins with a
        dot (as at first: under none).

        For hosts whose layers are unlike others: where one id is mapped, a base image is unpacked
        and a RUN ends otherwise than with many. Blobs and images are the same.
        """
        self.layers.apart = self.cache.apart = name

    @property
    def logs(self) -> Path:
        """Where the complete output of RUN steps goes."""
        return self.paths.logs

    @contextmanager
    def lease(self) -> Iterator[None]:
        """A build's time of use: what it looks up, makes or takes in until the end is kept from
        collectors, in this process and others. Leftovers of dead processes are swept meanwhile.
        """
        with self.leases.lease():
            if self.staging.has_entries():
                threading.Thread(target=self._sweep, name="sweep", daemon=True).start()
            try:
                yield
            finally:
                self.flush()

    def prune(
        self,
        *,
        all: bool = False,
        until: float | None = None,
        max_used_space: int | None = None,
        reserved_space: int | None = None,
        min_free_space: int | None = None,
    ) -> Pruned:
        """Remove garbage and, if asked, what can be made again (`prune.Wish` says what exactly).

        Takes nothing that a lease marks, so builds may run meanwhile, here or in other processes.
        Raises StoreError.
        """
        from jettison.store.prune import Collector, Wish

        self.flush()
        wish = Wish(all, until, max_used_space, reserved_space, min_free_space)
        pruned = Collector(self._parts(), self.leases, self.staging, wish).collect()
        self.memo.trim()
        return pruned

    def usage(self) -> list[Item]:
        """What takes space: images, layers, blobs of no image, cache mounts. Raises StoreError."""
        from jettison.store.inventory import Inventory, measure_layers, mount_items

        self.flush()
        with store_faults("cannot look through the store"):
            sizes = measure_layers(self._parts())
            with self.leases.collecting() as marks:
                inventory = Inventory(self._parts(), marks, sizes)
                kept, strays = inventory.blob_items()
                items = [*inventory.image_items(), *inventory.layer_items(), *kept, *strays]
        return [*items, *mount_items(self._parts())]

    def check(self, *, deep: bool, repair: bool, progress: Callable[[str], None]) -> list[Problem]:
        """Verify everything in the store; see `check.Checker`. Raises StoreError."""
        from jettison.store.check import Checker, Problem
        from jettison.store.checklayers import LayerCheck

        problems: list[Problem] = []
        if broken := self._database.problem(deep=deep):
            if repair:
                self._database.renew()
            problems.append(Problem("database", "cache.db", broken, mended=repair))
        if broken := self.names.problem():
            if repair:
                self.names.renew()
            problems.append(Problem("store", "index.json", broken, mended=repair))
        if any(not problem.mended for problem in problems):
            return problems  # what is wrong beyond that shows only when these are mended
        parts = self._parts()
        doubtful = self.durability.doubtful()
        if repair:
            self.durability.drop_doubtful()
        problems += [
            Problem("layer", i, "was not synced before the reboot: not used", True, repair)
            for i in sorted(doubtful)
        ]
        layer_check = LayerCheck(parts.layers, parts.database, doubtful)
        checker = Checker(
            parts,
            self.leases,
            self.staging,
            layer_check,
            deep=deep,
            repair=repair,
            progress=progress,
        )
        return [*problems, *checker.run()]

    def _parts(self) -> Parts:
        from jettison.store.inventory import Parts

        # With blobs of its own: a collector's looking at things is no use of them, and it could
        # not mark them while it holds the lock on leases.
        blobs = Blobs(self.paths, self.staging, Leases(self.paths))
        images = Images(blobs, self.names)
        return Parts(
            self.paths, self._database, blobs, self.layers, self.names, images, self.cache_mounts
        )

    def flush(self) -> None:
        """Write down what is remembered in memory only (it would not be missed)."""
        with contextlib.suppress(StoreError):
            self._uses.flush()
            self.blobs.flush()
            self.memo.flush()

    def close(self) -> None:
        self.flush()
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _sweep(self) -> None:
        with contextlib.suppress(OSError):
            self.staging.sweep()
