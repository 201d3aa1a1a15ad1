"""Imported caches: what their keys stand for, and layers that are fetched when somebody needs them.

A layer that only a cache has is known for the time of one build: it has an id, and no directory.
Once its bytes are here they are verified and it is a layer like any other. If they cannot be had,
or are not what was promised, whatever was made of it is a miss, and the step runs.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from jettison.errors import Cancelled, ImageError, JettisonError, RegistryError, StoreError
from jettison.model.cachedoc import CacheDocument, CachedResult
from jettison.model.digest import Digest, chain_id, sha256_digest
from jettison.model.event import Observer, StepProgress, Warned
from jettison.model.oci import (
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    Descriptor,
)
from jettison.model.reference import Reference
from jettison.model.source import BlobSource
from jettison.solve.images import layers_of, unpack_verified, verify
from jettison.solve.lookup import Snapshot
from jettison.store.remembered import LayerBlob

if TYPE_CHECKING:
    from jettison.store.store import Store

_PARALLEL_DOWNLOADS = 4
_COMPRESSIONS = {
    OCI_LAYER: "uncompressed",
    DOCKER_LAYER: "uncompressed",
    OCI_LAYER_GZIP: "gzip",
    DOCKER_LAYER_GZIP: "gzip",
    OCI_LAYER_ZSTD: "zstd",
}


class Cache(Struct, frozen=True, eq=False):
    """An imported cache.

    ``blobs`` are the manifest's layers, by digest, or, inline, the image's by diff ID. ``offers``
    tells whether a blob can be had, without moving it; ``reference`` is the repository it lies in,
    if it is one.
    """

    name: str
    document: CacheDocument
    blobs: Mapping[str, Descriptor]
    origin: BlobSource
    offers: Callable[[Descriptor], bool]
    reference: Reference | None = None


class CachedBlob(Struct, frozen=True, eq=False):
    """A layer as one cache has it; ``below`` are the layers it is unpacked on."""

    cache: Cache
    diff_id: Digest
    descriptor: Descriptor
    created: float
    below: Snapshot

    def source(self, store: Store) -> BlobSource:
        """Where the blob is read: the store if it is there, else the cache."""
        here = store.blobs.has(self.descriptor.digest)
        return store.blobs if here else self.cache.origin

    def open(self, store: Store) -> IO[bytes]:
        return self.source(store).open_blob(self.descriptor)


class Imported:
    """The caches of one build; safe to use from many threads.

    Each failure is told to ``observer`` as a warning, and the blob (or the whole cache, if it
    cannot be reached) is not asked for again.
    """

    def __init__(
        self,
        store: Store,
        caches: Sequence[Cache],
        observer: Observer,
        cancel: threading.Event,
        *,
        xattr_prefix: str,
    ) -> None:
        self._store = store
        self._observer = observer
        self._cancel = cancel
        self._xattr_prefix = xattr_prefix
        self._lock = threading.RLock()
        self._layer_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._blobs: dict[str, list[CachedBlob]] = {}
        self._lost: set[Cache] = set()
        self._verified: set[CachedBlob] = set()
        self._results: dict[str, list[tuple[Cache, CachedResult]]] = {}
        for cache in caches:
            for result in cache.document.results:
                for key in result.keys:
                    self._results.setdefault(key, []).append((cache, result))

    # ---------------------------------------------------------------- asking

    def get(self, key: str) -> Snapshot | None:
        """What a cache has for ``key``: layers that are here or can be fetched, it seems."""
        with self._lock:
            for cache, result in self._results.get(key, ()):
                snapshot = self._snapshot(cache, result)
                if snapshot is not None:
                    return snapshot
        return None

    def keys_of(self, key: str) -> tuple[str, ...]:
        """All keys that stand for the same as ``key`` in a cache."""
        found = self._results.get(key, ())
        return tuple(dict.fromkeys(k for _, result in found for k in result.keys))

    def blob(self, layer: str) -> CachedBlob | None:
        """The blob of an imported layer, wherever it is; None for other layers."""
        with self._lock:
            known = self._blobs.get(layer)
            return known[0] if known else None

    def lazy(self, snapshot: Snapshot) -> bool:
        """Whether a layer of ``snapshot`` is known only from a cache, base images aside."""
        is_base = self._store.layers.is_base
        return not all(map(is_base, self._store.layers.missing(snapshot)))

    def repositories(self, digest: Digest) -> Iterator[Reference]:
        """Where a blob can be mounted from when it is pushed (`registry.push.Origins`)."""
        with self._lock:
            known = [blob for blobs in self._blobs.values() for blob in blobs]
        for blob in known:
            if blob.descriptor.digest == digest and blob.cache.reference is not None:
                yield blob.cache.reference

    def _snapshot(self, cache: Cache, result: CachedResult) -> Snapshot | None:
        """The layer ids of a result; its layers are known from here on."""
        if cache in self._lost:
            return None
        base = cache.document.bases[result.base] if result.base >= 0 else ()
        snapshot = list(layers_of(self._store, base))
        chain = chain_id(base) if base else None
        for number in result.layers:
            layer = cache.document.layers[number]
            below = () if layer.alone else tuple(snapshot)
            on = None if layer.alone else chain
            identity = following(on, layer.diff_id)
            chain = following(chain, layer.diff_id)
            layer_id = self._store.layers.id_for_cached(identity, layer.created)
            descriptor = cache.blobs.get(layer.blob or layer.diff_id)
            if descriptor is not None:
                blob = CachedBlob(cache, layer.diff_id, descriptor, layer.created, below)
                self._add(layer_id, blob)
            if not self._blobs.get(layer_id) and not self._store.layers.has(layer_id):
                return None
            snapshot.append(layer_id)
        return tuple(snapshot)

    def _add(self, layer: str, blob: CachedBlob) -> None:
        """Take note of a blob, unless it was tried in vain (the list stays, empty)."""
        known = self._blobs.get(layer)
        if known is None:
            self._blobs[layer] = [blob]
        elif known and all(blob.cache is not other.cache for other in known):
            known.append(blob)

    # ---------------------------------------------------------------- fetching

    def fetch(self, snapshot: Snapshot, vertex: str) -> bool:
        """Have all layers of ``snapshot`` on disk, those of its base image are; False if one
        cannot be had. Raises Cancelled, and StoreError if the store cannot be written.
        """
        from concurrent.futures import ThreadPoolExecutor

        missing = self._store.layers.missing(snapshot)
        if not all(map(self.blob, missing)):
            return False
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS, thread_name_prefix="cache") as pool:
            coming = {
                layer: pool.submit(self._obtain, layer, vertex, check=False) for layer in missing
            }
            try:
                return all(
                    coming[layer].result() and self._obtain(layer, vertex, unpack=True)
                    for layer in missing
                )
            finally:
                for future in coming.values():
                    future.cancel()

    def have(self, snapshot: Snapshot, vertex: str, *, download: bool) -> bool:
        """Whether an image can be made of ``snapshot``: every layer has its directory or its blob.

        ``download``: the blobs are brought into the store; else it is enough that a cache has
        them now.
        """
        for layer in snapshot:
            if self._store.layers.is_base(layer):
                continue
            ready = self._obtain(layer, vertex) if download else self._offered(layer)
            if not ready and not self._store.layers.has(layer):
                return False
        return True

    def _offered(self, layer: str) -> bool:
        while (blob := self.blob(layer)) is not None:
            try:
                if self._store.blobs.has(blob.descriptor.digest):
                    return True
                if blob.cache.offers(blob.descriptor):
                    return True
                raise ImageError(f"it has no blob {blob.descriptor.digest}")
            except JettisonError as error:
                self._drop(layer, blob, error)
        return False

    def _obtain(self, layer: str, vertex: str, *, unpack: bool = False, check: bool = True) -> bool:
        """Have the layer's blob in the store, and ``unpack`` it, from whichever cache keeps its
        promise. Without ``check`` unpacking it will show whether it is the layer.
        """
        with self._layer_locks[layer]:
            while (blob := self.blob(layer)) is not None:
                try:
                    self._download(blob, vertex)
                    if not self._store.layers.has(layer):
                        if unpack:
                            self._unpack(layer, blob)
                        elif check:
                            self._verify(blob)
                    return True
                except StoreError:
                    raise
                except JettisonError as error:
                    if self._cancel.is_set():
                        raise Cancelled from None
                    self._drop(layer, blob, error)
        return False

    def _download(self, blob: CachedBlob, vertex: str) -> None:
        wanted = blob.descriptor
        if self._cancel.is_set():
            raise Cancelled
        if self._store.blobs.has(wanted.digest):
            return

        def progress(done: int) -> None:
            if self._cancel.is_set():
                raise Cancelled
            self._observer.emit(StepProgress(vertex, wanted.digest, done, wanted.size))

        with blob.cache.origin.open_blob(wanted) as stream:
            self._store.blobs.ingest(
                stream, digest=wanted.digest, size=wanted.size, progress=progress
            )

    def _verify(self, blob: CachedBlob) -> None:
        """Raise ImageError unless a blob of the store holds the layer that it should."""
        if blob not in self._verified:
            with self._store.blobs.open_blob(blob.descriptor) as stream:
                verify(stream, blob.diff_id, self._cancel, f"layer {blob.descriptor.digest}")
            self._verified.add(blob)

    def _unpack(self, layer: str, blob: CachedBlob) -> None:
        with self._store.blobs.open_blob(blob.descriptor) as stream:
            unpack_verified(
                self._store,
                stream,
                layer,
                blob.below,
                blob.diff_id,
                self._xattr_prefix,
                self._cancel,
                f"layer {blob.descriptor.digest}",
                created=blob.created,
            )
        kind = _COMPRESSIONS.get(blob.descriptor.mediaType)
        if kind is not None:
            self._store.layer_blobs.put(layer, kind, LayerBlob(blob.diff_id, blob.descriptor))

    def _drop(self, layer: str, blob: CachedBlob, error: JettisonError) -> None:
        """Ask this cache no more for the layer; for none at all if it cannot be reached."""
        with self._lock:
            self._blobs[layer] = [b for b in self._blobs[layer] if b is not blob]
            if isinstance(error, RegistryError):
                self._lost.add(blob.cache)
                for known in self._blobs.values():
                    known[:] = [b for b in known if b.cache is not blob.cache]
        warn(self._observer, blob.cache.name, error)


def following(chain: Digest | None, diff_id: Digest) -> Digest:
    """The chain ID of a layer on top of ``chain`` (OCI image spec, config.md "Layer ChainID")."""
    return diff_id if chain is None else sha256_digest(f"{chain} {diff_id}".encode())


def warn(observer: Observer, name: str, error: JettisonError) -> None:
    """Say that a cache, or a part of it, is not used."""
    observer.emit(Warned("CacheImport", f"cache {name}: {error.message}", detail=error.hint))


def portable_ids(store: Store, base: Iterable[Digest]) -> Snapshot:
    """The ids that layers of a base image have in a store that did not build it itself."""
    found: list[str] = []
    chain: Digest | None = None
    for diff_id in base:
        chain = following(chain, diff_id)
        found.append(store.layers.id_for_chain(chain))
    return tuple(found)
