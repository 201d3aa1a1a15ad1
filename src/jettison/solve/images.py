"""Bringing base images into the store: download the blobs, unpack the layers."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import IO, TYPE_CHECKING, Protocol

from jettison.errors import Cancelled, ImageError
from jettison.model.digest import Digest, chain_id
from jettison.model.event import Observer, StepProgress
from jettison.model.oci import Descriptor
from jettison.model.source import ResolvedImage
from jettison.solve.keys import key_of
from jettison.solve.lookup import Snapshot

if TYPE_CHECKING:
    from concurrent.futures import Future

    from jettison.store.store import Store

_PARALLEL_DOWNLOADS = 4


def layers_of(store: Store, diff_ids: tuple[Digest, ...]) -> Snapshot:
    """The ids the unpacked layers of an image have, whether they are there or not.

    An image that was built here needs no unpacking: the layers it was made of are the same.
    """
    if not diff_ids:
        return ()
    record = store.cache.get(_chain_key(diff_ids))
    if record is not None:
        return record.layers
    return tuple(
        store.layers.id_for_chain(chain_id(diff_ids[: n + 1])) for n in range(len(diff_ids))
    )


def remember_layers(store: Store, diff_ids: tuple[Digest, ...], layers: Snapshot) -> None:
    """Note that ``layers`` are what an image with these diff IDs unpacks to."""
    if not diff_ids or layers == layers_of(store, diff_ids):
        return
    key = _chain_key(diff_ids)
    store.cache.put(key, layers, description=f"image {diff_ids[-1]}", parts=b"[]")


def _chain_key(diff_ids: tuple[Digest, ...]) -> str:
    return key_of("chain", [chain_id(diff_ids)])


class ImageUnpacker:
    """Unpacks images into the store, once each."""

    def __init__(
        self, store: Store, observer: Observer, cancel: threading.Event, xattr_prefix: str
    ) -> None:
        self._store = store
        self._observer = observer
        self._cancel = cancel
        self._xattr_prefix = xattr_prefix

    def unpack(self, image: ResolvedImage, vertex: str) -> Snapshot:
        """Have all layers of ``image`` on disk; returns their ids.

        Blobs are fetched several at a time and unpacked in order, each as soon as it is there.
        Raises ImageError if a layer does not have the digest the image's config names.
        """
        from concurrent.futures import ThreadPoolExecutor

        if len(image.layers) != len(image.diff_ids):
            raise ImageError(
                f"{image.name} has {len(image.layers)} layers but its config names "
                f"{len(image.diff_ids)}"
            )
        ids = layers_of(self._store, image.diff_ids)
        missing = [n for n, layer in enumerate(ids) if not self._store.layers.has(layer)]
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS, thread_name_prefix="fetch") as pool:
            blobs: dict[int, Future[None]] = {
                n: pool.submit(self.fetch, image, image.layers[n], vertex) for n in missing
            }
            try:
                for n in missing:
                    blobs[n].result()
                    with self._store.key_locks.hold(f"layer {ids[n]}", self._stop_if_cancelled):
                        if not self._store.layers.has(ids[n]):
                            self._unpack_layer(image, n, ids)
            except BaseException:
                for blob in blobs.values():
                    blob.cancel()
                raise
        return ids

    def fetch(self, image: ResolvedImage, blob: Descriptor, vertex: str) -> None:
        """Have one blob of an image in the store; of several processes one fetches it."""
        blobs = self._store.blobs
        if blobs.has(blob.digest, blob.size):
            return

        def progress(done: int) -> None:
            self._stop_if_cancelled()
            self._observer.emit(StepProgress(vertex, blob.digest, done, blob.size))

        blobs.fetch(blob, image.origin, progress=progress)

    def _stop_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _unpack_layer(self, image: ResolvedImage, number: int, ids: Snapshot) -> None:
        with self._store.blobs.open_blob(image.layers[number]) as blob:
            unpack_verified(
                self._store,
                blob,
                ids[number],
                ids[:number],
                image.diff_ids[number],
                self._xattr_prefix,
                self._cancel,
                f"layer {number + 1} of {image.name}",
            )


def unpack_verified(
    store: Store,
    blob: IO[bytes],
    layer: str,
    below: Snapshot,
    diff_id: Digest,
    xattr_prefix: str,
    cancel: threading.Event,
    what: str,
    created: float | None = None,
) -> None:
    """Unpack a blob as ``layer``, which lies on the unpacked layers ``below``.

    Raises ImageError, and keeps nothing, if it does not have the ``diff_id`` that was promised.
    """
    from jettison.fs.decompress import open_decompressed
    from jettison.fs.layer import unpack_layer
    from jettison.fs.stack import Stack

    began = time.monotonic()
    layers = store.layers
    lower = Stack([str(layers.path(each)) for each in below])
    with layers.staging() as staging:
        reader = _Hashing(open_decompressed(blob), cancel)
        unpack_layer(reader, str(staging.upper), lower, xattr_prefix=xattr_prefix)
        reader.drain()
        if reader.digest() != diff_id:
            raise ImageError(f"{what} is {reader.digest()}, not {diff_id} as it should be")
        seconds = time.monotonic() - began
        layers.commit(staging, layer, diff_id=diff_id, created=created, seconds=seconds)


def verify(blob: IO[bytes], diff_id: Digest, cancel: threading.Event, what: str) -> None:
    """Raise ImageError or ArchiveError unless a blob is a layer with this ``diff_id``."""
    from jettison.fs.decompress import open_decompressed

    reader = _Hashing(open_decompressed(blob), cancel)
    reader.drain()
    if reader.digest() != diff_id:
        raise ImageError(f"{what} is {reader.digest()}, not {diff_id} as it should be")


class Readable(Protocol):
    """Gives up to ``size`` bytes, none at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class _Hashing:
    """Passes a stream through, hashing it and noticing cancellation."""

    def __init__(self, stream: Readable, cancel: threading.Event) -> None:
        self._stream = stream
        self._cancel = cancel
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        if self._cancel.is_set():
            raise Cancelled
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """Read what follows the end of the archive: it counts for the digest."""
        while self.read(1 << 20):
            pass

    def digest(self) -> Digest:
        return Digest("sha256:" + self._hash.hexdigest())
