"""The store as one object: everything jettison keeps on disk (docs/STORE.md)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from jettison.errors import StoreError
from jettison.store.blobs import Blobs
from jettison.store.cache import Cache
from jettison.store.database import Database
from jettison.store.images import Images
from jettison.store.layers import Layers
from jettison.store.lease import Leases
from jettison.store.memo import Memo
from jettison.store.mounts import CacheMounts
from jettison.store.names import Names
from jettison.store.paths import Paths
from jettison.store.remembered import LayerBlobs, Results
from jettison.store.staging import Staging


class Store:
    """One store directory. All parts may be used by many threads at once, and many processes may
    have the same store open.
    """

    def __init__(self, paths: Paths) -> None:
        self.root = paths.root
        self.paths = paths
        self.leases = Leases(paths)
        self.staging = Staging(paths)
        self._database = Database(paths)
        self.blobs = Blobs(paths, self.staging, self.leases)
        self.layers = Layers(paths, self.staging, self.leases, self._database)
        self.cache = Cache(self._database, self.layers)
        self.layer_blobs = LayerBlobs(self._database, self.blobs)
        self.results = Results(self._database, self.blobs)
        self.memo = Memo(self._database)
        self.names = Names(paths)
        self.images = Images(self.blobs, self.names)
        self.cache_mounts = CacheMounts(paths, self.staging)

    @classmethod
    def open(cls, root: Path) -> Store:
        """The store in ``root``, made if need be.

        Raises StoreError if the directory cannot be used. Nothing else is touched yet: the
        database is opened when it is first asked something.
        """
        paths = Paths(root)
        paths.make()
        return cls(paths)

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

    def flush(self) -> None:
        """Write down what is remembered in memory only (it would not be missed)."""
        with contextlib.suppress(StoreError):
            self.cache.flush()
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
