"""What was computed from layers and is worth keeping: their blobs, and finished images."""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct

from jettison.errors import ImageError, NotFoundError
from jettison.model.digest import Digest
from jettison.model.oci import Descriptor, Manifest, decode, encode
from jettison.store.blobs import Blobs
from jettison.store.database import Database
from jettison.store.uses import Uses


class LayerBlob(Struct, frozen=True):
    """A layer as a blob: the digest of its uncompressed tar, and the compressed blob."""

    diff_id: Digest
    descriptor: Descriptor


class LayerBlobs:
    """Layer id and compression -> the blob that was made of it, as long as that is here."""

    def __init__(self, database: Database, blobs: Blobs, uses: Uses) -> None:
        self._database = database
        self._blobs = blobs
        self._uses = uses

    def get(self, layer: str, compression: str) -> LayerBlob | None:
        row = self._database.row(
            "SELECT diff_id, descriptor FROM layer_blobs WHERE layer = ? AND compression = ?",
            (layer, compression),
        )
        if row is None:
            return None
        found = LayerBlob(Digest(row[0]), msgspec.json.decode(row[1], type=Descriptor))
        if not self._blobs.has(found.descriptor.digest, found.descriptor.size):
            return None
        self._uses.note("layer_blobs", found.descriptor.digest)
        return found

    def put(self, layer: str, compression: str, blob: LayerBlob) -> None:
        descriptor = blob.descriptor
        now = time.time()
        self._database.run(
            (
                "INSERT OR REPLACE INTO layer_blobs VALUES (?, ?, ?, ?, ?, ?)",
                (layer, compression, blob.diff_id, encode(descriptor), descriptor.digest, now),
            ),
            ("UPDATE layers SET diff_id = ? WHERE id = ?", (blob.diff_id, layer)),
        )


class Results:
    """Key -> the finished manifest, so that building the same again assembles nothing."""

    def __init__(self, database: Database, blobs: Blobs, uses: Uses) -> None:
        self._database = database
        self._blobs = blobs
        self._uses = uses

    def get(self, key: str) -> Descriptor | None:
        """The manifest remembered under ``key``, if it, its config and its layers are all here."""
        row = self._database.row("SELECT descriptor FROM results WHERE key = ?", (key,))
        if row is None:
            return None
        descriptor = msgspec.json.decode(row[0], type=Descriptor)
        if not self._complete(descriptor):
            return None
        self._uses.note("results", key)
        return descriptor

    def put(self, key: str, manifest: Descriptor) -> None:
        self._database.run(
            (
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)",
                (key, encode(manifest), manifest.digest, time.time()),
            )
        )

    def _complete(self, descriptor: Descriptor) -> bool:
        try:
            with self._blobs.open_blob(descriptor) as stream:
                manifest = decode(Manifest, stream.read(), f"manifest {descriptor.digest}")
        except (NotFoundError, ImageError):
            return False
        return all(self._blobs.has(d.digest, d.size) for d in (manifest.config, *manifest.layers))
