"""``jettison save``: images of the store as one archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from jettison.app.planning import build_platform
from jettison.errors import ImageError, UsageError
from jettison.export.archive import DockerImage, Package, write_archive
from jettison.model.digest import Digest, parse_digest
from jettison.model.oci import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
    Index,
    Manifest,
    decode,
)
from jettison.model.reference import parse_reference
from jettison.model.source import BlobSource
from jettison.store.store import Store


def save_images(store: Store, names: Sequence[str], out: IO[bytes], format: str) -> None:
    """Write images to ``out``; names that stand for one image share it.

    ``format`` docker holds this host's platform of each image, oci all that is in the store.
    Raises NotFoundError for a name that is not there, UsageError for another format.
    """
    if format not in ("docker", "oci"):
        raise UsageError(f"unknown archive format {format!r}", hint="docker or oci")
    roots: dict[Digest, tuple[Descriptor, list[str]]] = {}
    for name in names:
        found = store.images.find(name)
        if format == "docker":
            found = _one_platform(store, name, found)
        roots.setdefault(found.digest, (found, []))[1].extend(_reference(store, name))
    collector = _Collector(store)
    for root, _ in roots.values():
        collector.add(root)
    docker = [
        DockerImage(*collector.manifests[root.digest], tuple(tags)) for root, tags in roots.values()
    ] if format == "docker" else []  # fmt: skip
    write_archive(
        Package(
            [(root, tuple(tags)) for root, tags in roots.values()],
            collector.documents,
            collector.blobs,
            docker,
        ),
        out,
    )


def _reference(store: Store, name: str) -> list[str]:
    """The tag an image is saved under; none for one that was named by its id or digest."""
    if store.names.get(name) is None:
        return []
    reference = parse_reference(name)
    return [str(reference)] if reference.digest is None else []


def _one_platform(store: Store, name: str, found: Descriptor) -> Descriptor:
    if found.mediaType not in INDEX_TYPES:
        return found
    image = store.images.resolve(name, build_platform())
    index = decode(Index, _read(store, found), name)
    return next(d for d in index.manifests if d.digest == image.digest)


def _read(store: Store, descriptor: Descriptor) -> bytes:
    with store.blobs.open_blob(descriptor) as stream:
        return stream.read()


class _Collector:
    """All blobs some images need; manifests of platforms that are not in the store are skipped."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.documents: dict[Digest, bytes] = {}
        self.blobs: list[tuple[Descriptor, BlobSource]] = []
        self.manifests: dict[Digest, tuple[Digest, tuple[Digest, ...]]] = {}

    def add(self, descriptor: Descriptor) -> None:
        if descriptor.mediaType not in INDEX_TYPES | MANIFEST_TYPES:
            raise ImageError(f"{descriptor.digest} is neither a manifest nor an index")
        data = self.documents[descriptor.digest] = _read(self._store, descriptor)
        if descriptor.mediaType in INDEX_TYPES:
            for child in decode(Index, data, descriptor.digest).manifests:
                if self._store.blobs.has(child.digest):
                    self.add(child)
            return
        manifest = decode(Manifest, data, descriptor.digest)
        self.documents[manifest.config.digest] = _read(self._store, manifest.config)
        layers = tuple(parse_digest(layer.digest) for layer in manifest.layers)
        self.manifests[descriptor.digest] = (manifest.config.digest, layers)
        self.blobs += [(layer, self._store.blobs) for layer in manifest.layers]
