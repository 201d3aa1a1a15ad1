"""Layers as blobs: made once of an unpacked layer, remembered, or taken over from the base."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import msgspec

from jettison.fs.compress import Compression, open_writer
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
_TO_OCI = {DOCKER_LAYER: OCI_LAYER, DOCKER_LAYER_GZIP: OCI_LAYER_GZIP}
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

    ``prepare`` is called if the blob has to be made: it has the layers below unpacked.

    One pass: the tar is written, hashed (the diff ID), compressed and hashed again on its way to
    the store; nothing is held in memory. ``clamp`` is the latest modification time, in seconds,
    that files may keep (``rewrite-timestamp``).
    """
    from jettison.fs.stack import Stack
    from jettison.fs.tarwrite import write_layer

    kind = _remembered_as(compression, clamp)
    known = store.layer_blobs.get(layer, kind)
    if known is not None:
        return known
    prepare()
    stack = Stack([str(store.layers.path(lower)) for lower in below])
    with store.blobs.writer() as blob:
        with open_writer(blob, compression) as compressed:
            tar = _Hashing(compressed, progress)
            write_layer(str(store.layers.path(layer)), tar, below=stack, clamp_mtime=clamp)
        written = blob.commit()
    descriptor = Descriptor(MEDIA_TYPES[compression.kind], written.digest, written.size)
    made = LayerBlob(tar.digest(), descriptor)
    store.layer_blobs.put(layer, kind, made)
    return made


def recompressed(
    store: Store, source: IO[bytes], diff_id: Digest, compression: Compression
) -> Descriptor:
    """The blob of a layer that exists in another compression, for ``force-compression``."""
    from jettison.fs.decompress import open_decompressed

    kind = _remembered_as(compression, None)
    known = store.layer_blobs.get(diff_id, kind)
    if known is not None:
        return known.descriptor
    with store.blobs.writer() as blob:
        with open_writer(blob, compression) as compressed:
            plain = open_decompressed(source)
            while chunk := plain.read(1 << 18):
                compressed.write(chunk)
        written = blob.commit()
    descriptor = Descriptor(MEDIA_TYPES[compression.kind], written.digest, written.size)
    store.layer_blobs.put(diff_id, kind, LayerBlob(diff_id, descriptor))
    return descriptor


def in_dialect(layer: Descriptor, *, oci: bool) -> Descriptor:
    """The descriptor with the media type as OCI or as Docker (schema 2) calls it.

    zstd has no Docker name and keeps its own.
    """
    names = _TO_OCI if oci else _TO_DOCKER
    media_type = names.get(layer.mediaType, layer.mediaType)
    return msgspec.structs.replace(layer, mediaType=media_type)


def _remembered_as(compression: Compression, clamp: int | None) -> str:
    level = "" if compression.level is None else f"-{compression.level}"
    return f"{compression.kind}{level}" + ("" if clamp is None else f"@{clamp}")


class _Hashing:
    """Passes a tar on to its compressor, hashing it and telling how far it is."""

    def __init__(self, out: object, progress: Progress | None) -> None:
        self._write: Callable[[bytes], object] = out.write  # type: ignore[attr-defined] # any writer
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
