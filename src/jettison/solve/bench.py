"""The workbench: one build's access to store, trees, images, network and containers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from jettison.errors import Cancelled
from jettison.model.digest import Digest
from jettison.model.event import Observer
from jettison.model.source import ResolvedImage
from jettison.plan.steps import (
    BindMount,
    CacheMount,
    Copy,
    Git,
    Http,
    Local,
    Merge,
    Mkdir,
    Run,
    Source,
    Step,
    StepInfo,
)
from jettison.solve.images import ImageUnpacker, layers_of
from jettison.solve.keys import Reader, encode, key_of
from jettison.solve.lookup import Snapshot
from jettison.solve.trees import Trees
from jettison.store.faults import full_disk

if TYPE_CHECKING:
    from jettison.solve.imported import Imported
    from jettison.solve.remote import Remotes
    from jettison.solve.running import CommandRunner
    from jettison.solve.solver import SnapshotOf
    from jettison.store.layers import Staging
    from jettison.store.store import Store


class Bench:
    """Implements `solver.Workbench` on the real parts.

    ``runner`` and ``remotes`` are made when the first step needs them, so that a build that runs
    nothing loads nothing of it.
    """

    def __init__(
        self,
        store: Store,
        trees: Trees,
        images: Mapping[tuple[Digest, ...], ResolvedImage],
        observer: Observer,
        cancel: threading.Event,
        *,
        rootless: bool,
        runner: Callable[[Bench], CommandRunner],
        remotes: Callable[[], Remotes],
        imported: Imported | None = None,
    ) -> None:
        self.store = store
        self.trees = trees
        self.cancel = cancel
        self._images = images
        self._observer = observer
        self._rootless = rootless
        self._make_runner = runner
        self._make_remotes = remotes
        self._imported = imported
        self._runner: CommandRunner | None = None
        self._remotes: Remotes | None = None
        self._lock = threading.Lock()

    # ---------------------------------------------------------------- what keys need

    def local_digest(self, step: Step, reader: Reader, local: Local) -> str:
        return self.trees.local_digest(step, reader, local)

    def read_digest(self, step: Step, reader: Reader, layers: Snapshot) -> str:
        return self.trees.read_digest(step, reader, layers)

    def listing(self, digest: str) -> str | None:
        return self.trees.listing(digest)

    def pin(self, step: Step) -> str | None:
        if isinstance(step, Http | Git):
            return self._get_remotes().pin(step)
        return None

    def image_layers(self, source: Source) -> Snapshot:
        return layers_of(self.store, source.diff_ids)

    def unpacked(self, snapshot: Snapshot) -> bool:
        return not self.store.layers.missing(snapshot)

    def lazy(self, snapshot: Snapshot) -> bool:
        return self._imported is not None and self._imported.lazy(snapshot)

    def fetch(self, snapshot: Snapshot, vertex: str) -> bool:
        if self._imported is None:
            return self.unpacked(snapshot)
        return self._imported.fetch(snapshot, vertex)

    def alone(self, key: str, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        return self.store.key_locks.hold(key, waiting)

    # ---------------------------------------------------------------- doing steps

    def execute(self, step: Step, info: StepInfo, vertex: str, snapshot_of: SnapshotOf) -> Snapshot:
        with full_disk("cannot make a layer", self.store.paths.layers):
            return self._execute(step, info, vertex, snapshot_of)

    def _execute(
        self, step: Step, info: StepInfo, vertex: str, snapshot_of: SnapshotOf
    ) -> Snapshot:
        if isinstance(step, Source):
            prefix = "user" if self._rootless else "trusted"
            unpacker = ImageUnpacker(self.store, self._observer, self.cancel, prefix)
            return unpacker.unpack(self._images[step.diff_ids], vertex)
        if isinstance(step, Merge):
            below = snapshot_of(step.root) if step.root is not None else ()
            return (*below, *snapshot_of(step.upper))
        root = getattr(step, "root", None)
        below = snapshot_of(root) if root is not None else ()
        began = time.monotonic()
        with self._new_layer() as (staging, layer):
            self._fill(step, info, vertex, staging, snapshot_of)
            self.store.layers.commit(staging, layer, seconds=time.monotonic() - began)
        return (*below, layer)

    def _fill(
        self, step: Step, info: StepInfo, vertex: str, staging: Staging, snapshot_of: SnapshotOf
    ) -> None:
        from jettison.solve import copying

        if isinstance(step, Copy):
            copying.copy(step, self.trees, staging, snapshot_of, rootless=self._rootless)
        elif isinstance(step, Mkdir):
            copying.mkdir(step, self.trees, staging, snapshot_of)
        elif isinstance(step, Run):
            self._get_runner().run(step, info, vertex, staging, snapshot_of)
        elif isinstance(step, Http | Git):
            self._get_remotes().fill(step, str(staging.upper), vertex)
        else:
            raise TypeError(f"no executor for {type(step).__name__}")

    @contextmanager
    def _new_layer(self) -> Iterator[tuple[Staging, str]]:
        with self.store.layers.staging() as staging:
            yield staging, self.store.layers.new_id()

    def materialize(self, step: Run, mount: BindMount | CacheMount, local: Local) -> Snapshot:
        """A build context (its part that a mount reads) as a layer, made once per content."""
        from jettison.solve import copying

        digest = self.trees.local_digest(step, mount, local)
        key = key_of("local", [mount.source, digest])
        with self._lock:
            record = self.store.cache.get(key)
            if record is not None:
                return record.layers
            with self.alone(f"step {key}", self._stop_if_cancelled):
                record = self.store.cache.get(key)
                if record is not None:  # another build made it meanwhile
                    return record.layers
                with self._new_layer() as (staging, layer):
                    copying.materialize(self.trees, step, mount, local, str(staging.upper))
                    self.store.layers.commit(staging, layer)
                parts = encode([local.name, mount.source, digest])
                name = f"context {local.name}"
                self.store.cache.put(key, (layer,), description=name, parts=parts)
                return (layer,)

    def _stop_if_cancelled(self) -> None:
        if self.cancel.is_set():
            raise Cancelled

    def _get_runner(self) -> CommandRunner:
        with self._lock:
            if self._runner is None:
                self._runner = self._make_runner(self)
            return self._runner

    def _get_remotes(self) -> Remotes:
        with self._lock:
            if self._remotes is None:
                self._remotes = self._make_remotes()
            return self._remotes


class StoreRecords:
    """The store's cache as `lookup.Records`, and behind it the caches that were imported.

    What only those have is not put into the store: it may be gone tomorrow.
    """

    def __init__(self, store: Store, imported: Imported | None = None) -> None:
        self._cache = store.cache
        self._imported = imported

    def get(self, key: str) -> Snapshot | None:
        record = self._cache.get(key)
        if record is not None:
            return record.layers
        return None if self._imported is None else self._imported.get(key)

    def put(self, key: str, layers: Snapshot, *, name: str, parts: bytes = b"") -> None:
        if self._imported is not None and self._imported.lazy(layers):
            return
        self._cache.put(key, layers, description=name, parts=parts)

    def earlier(self, key: str, name: str) -> tuple[bool, list[bytes]]:
        known = self._cache.explain(key) is not None
        place, bracket, text = name.partition("] ")
        alike = self._cache.history(name)
        if bracket:
            alike += self._cache.history_of_kind(place + bracket, bracket + text)
        return known, [found.parts for found in alike if found.parts]
