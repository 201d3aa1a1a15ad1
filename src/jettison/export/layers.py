"""Layers as blobs: made once of an unpacked layer, remembered, or taken over from the base."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import msgspec

from jettison.errors import ImageError
from jettison.fs.compress import Compression, Writable, open_writer
from jettison.model.digest import Digest
from jettison.model.oci import (
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    Descriptor,
)
from jettison.store.remembered import LayerBlob

if TYPE_CHECKING:
    from jettison.store.store import Store

MEDIA_TYPES = {"gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD, "uncompressed": OCI_LAYER}
_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"
_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"
_TO_OCI = {
    DOCKER_LAYER: OCI_LAYER,
    DOCKER_LAYER_GZIP: OCI_LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": OCI_LAYER_ZSTD,
    _FOREIGN: _NONDISTRIBUTABLE,
    f"{_FOREIGN}.gzip": f"{_NONDISTRIBUTABLE}+gzip",
}
_TO_DOCKER = {oci: docker for docker, oci in _TO_OCI.items()}

Progress = Callable[[int], None]
"""Told the uncompressed bytes written so far; what it raises ends the writing."""


def layer_blob(
    store: Store,
    layer: str,
    below: tuple[str, ...],
    compression: Compression,
    *,
    clamp: int | None = None,
    progress: Progress | None = None,
    prepare: Callable[[], None] = lambda: None,
) -> LayerBlob:
    """The blob of an unpacked layer that lies on the layers ``below`` (lowest first).

    ``prepare`` is called if the blob has to be made: it has the layers below unpacked. The blob is
    remembered by the layer alone, so ``below`` must be what the layer was made on: nothing for
    the upper layers of a Merge (COPY --link), whatever they are laid on.

    One pass: the tar is written, hashed (the diff ID), compressed and hashed again on its way to
    the store; nothing is held in memory. ``clamp`` is the latest modification time, in seconds,
    that files may keep (``rewrite-timestamp``). Raises PathError, ArchiveError or StoreError if
    the layer cannot be written.
    """
    kind = _remembered_as(compression, clamp)
    known = store.layer_blobs.get(layer, kind)
    if known is not None:
        return known
    stop = progress or (lambda _: None)
    prepare()
    # Another process may be making the same: it is waited for, and its blob taken.
    with store.key_locks.hold(f"blob {kind} of {layer}", lambda: stop(0)):
        known = store.layer_blobs.get(layer, kind)
        if known is None:
            known = _make_blob(store, layer, below, compression, clamp, progress)
            store.layer_blobs.put(layer, kind, known)
    return known


def _make_blob(
    store: Store,
    layer: str,
    below: tuple[str, ...],
    compression: Compression,
    clamp: int | None,
    progress: Progress | None,
) -> LayerBlob:
    from jettison.fs.stack import Stack
    from jettison.fs.tarwrite import write_layer

    stack = Stack([str(store.layers.path(lower)) for lower in below])
    with store.blobs.writer() as blob:
        with open_writer(blob, compression) as compressed:
            tar = _Hashing(compressed, progress)
            write_layer(str(store.layers.path(layer)), tar, below=stack, clamp_mtime=clamp)
        written = blob.commit()
    descriptor = Descriptor(MEDIA_TYPES[compression.kind], written.digest, written.size)
    return LayerBlob(tar.digest(), descriptor)


def recompressed(
    store: Store, source: IO[bytes], diff_id: Digest, compression: Compression
) -> Descriptor:
    """The blob of a layer that exists in another compression, for ``force-compression``.

    Raises ImageError if ``source`` does not hold the layer, ArchiveError if it is damaged.
    """
    kind = _remembered_as(compression, None)
    known = store.layer_blobs.get(diff_id, kind)
    if known is not None:
        return known.descriptor
    from jettison.fs.decompress import open_decompressed

    with store.blobs.writer() as blob:
        with open_writer(blob, compression) as compressed:
            tar = _Hashing(compressed, None)
            plain = open_decompressed(source)
            while chunk := plain.read(1 << 18):
                tar.write(chunk)
        if tar.digest() != diff_id:
            raise ImageError(f"a layer is {tar.digest()}, not {diff_id} as its config says")
        written = blob.commit()
    descriptor = Descriptor(MEDIA_TYPES[compression.kind], written.digest, written.size)
    store.layer_blobs.put(diff_id, kind, LayerBlob(diff_id, descriptor))
    return descriptor


def wants(blob: Descriptor, compression: Compression) -> bool:
    """Whether a blob has another compression than the one that is forced."""
    return in_dialect(blob, oci=True).mediaType != MEDIA_TYPES[compression.kind]


def in_dialect(layer: Descriptor, *, oci: bool) -> Descriptor:
    """The descriptor with the media type as OCI or as Docker (schema 2) calls it.

    Annotations, which only OCI has, are kept there but for those that BuildKit and containerd
    make for themselves (BuildKit, RemoveInternalLayerAnnotations).
    """
    names = _TO_OCI if oci else _TO_DOCKER
    annotations = {k: v for k, v in layer.annotations.items() if oci and not _is_internal(k)}
    media_type = names.get(layer.mediaType, layer.mediaType)
    return msgspec.structs.replace(layer, mediaType=media_type, annotations=annotations)


def _is_internal(annotation: str) -> bool:
    return annotation in ("containerd.io/uncompressed", "buildkit/createdat") or (
        annotation.startswith("containerd.io/distribution.source.")
    )


def _remembered_as(compression: Compression, clamp: int | None) -> str:
    level = "" if compression.level is None else f"-{compression.level}"
    return f"{compression.kind}{level}" + ("" if clamp is None else f"@{clamp}")


class _Hashing:
    """Passes a tar on to its compressor, hashing it and telling how far it is."""

    def __init__(self, out: Writable, progress: Progress | None) -> None:
        self._write = out.write
        self._progress = progress
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes, /) -> int:
        self._hash.update(data)
        self._write(data)
        self._size += len(data)
        if self._progress is not None:
            self._progress(self._size)
        return len(data)

    def digest(self) -> Digest:
        return Digest("sha256:" + self._hash.hexdigest())
