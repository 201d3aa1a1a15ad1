"""Registries as an image source and a blob source (``model.source``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import IO

from jettison.errors import ImageError, NotFoundError
from jettison.model.digest import Digest
from jettison.model.oci import (
    DOCKER_CONFIG,
    FOREIGN_LAYERS,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_DOCUMENT,
    OCI_CONFIG,
    Descriptor,
)
from jettison.model.platform import Platform
from jettison.model.reference import Reference, parse_reference
from jettison.model.resolve import resolve_image
from jettison.model.source import ResolvedImage
from jettison.registry.client import RegistryClient
from jettison.registry.documents import check_digest
from jettison.registry.failures import clean
from jettison.registry.transfer import BlobSink

_MANIFESTS = INDEX_TYPES | MANIFEST_TYPES
_DOCUMENTS = _MANIFESTS | {OCI_CONFIG, DOCKER_CONFIG}


class RepositoryBlobs:
    """What one repository holds, as a BlobSource: layers are streamed, documents remembered.

    Documents (manifests, indexes, configs) that ``cache`` has are not fetched; with ``keep``,
    those fetched are put there.
    """

    def __init__(
        self,
        client: RegistryClient,
        reference: Reference,
        cache: BlobSink | None = None,
        *,
        keep: bool = False,
    ) -> None:
        self.reference = reference
        self.documents: dict[Digest, tuple[Descriptor, bytes]] = {}
        self._client = client
        self._cache = cache
        self._keep = keep

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """A stream of the blob, resumed when cut; the caller checks the digest.

        Raises NotFoundError, ImageError, AuthError or RegistryError.
        """
        if descriptor.mediaType in _DOCUMENTS:
            return BytesIO(self.document(descriptor))
        return self.open_blob_from(descriptor, 0)

    def open_blob_from(self, descriptor: Descriptor, offset: int) -> IO[bytes]:
        """A stream of the blob from ``offset`` on; as `open_blob` otherwise."""
        try:
            return self._client.open_blob(self.reference, descriptor, offset)
        except NotFoundError as error:
            if descriptor.mediaType not in FOREIGN_LAYERS:
                raise
            where = clean(" ".join(descriptor.urls)) or "a place that the manifest does not name"
            raise NotFoundError(
                f"{error.message}; it is a foreign layer, which registries need not have",
                hint=f"it is at {where}; jettison fetches nothing from there",
            ) from None

    def may_differ(self) -> bool:
        """Whether there are mirrors: a blob that is opened again comes from the registry itself."""
        return self._client.has_mirrors(self.reference)

    def document(self, descriptor: Descriptor) -> bytes:
        """The bytes of a manifest, index or config, checked."""
        known = self.documents.get(descriptor.digest)
        if known is not None:
            return known[1]
        if descriptor.size > MAX_DOCUMENT:
            raise ImageError(
                f"{self.reference}: {descriptor.digest} has {descriptor.size} bytes; at most "
                f"{MAX_DOCUMENT} are read"
            )
        cache = self._cache
        if cache is not None and cache.has(descriptor.digest):
            with cache.open_blob(descriptor) as stream:
                data = stream.read()
        else:
            data = self._fetch(descriptor)
            if cache is not None and self._keep:
                cache.ingest(BytesIO(data), digest=descriptor.digest, size=len(data))
        self.documents[descriptor.digest] = (descriptor, data)
        return data

    def _fetch(self, descriptor: Descriptor) -> bytes:
        if descriptor.mediaType in _MANIFESTS:
            return self._client.manifest(self.reference, descriptor)
        with self._client.open_blob(self.reference, descriptor) as stream:
            data = stream.read()
        check_digest(data, descriptor.digest, f"{self.reference}: config {descriptor.digest}")
        return data


class RegistrySource:
    """Finds images in registries.

    With a ``cache`` (the store's blobs), to resolve an image again that has not changed is one
    HEAD request: its documents are kept there. ``note`` is told which repository has which layers.
    """

    def __init__(
        self,
        client: RegistryClient,
        cache: BlobSink | None = None,
        note: Callable[[Reference, Iterable[Digest]], None] | None = None,
    ) -> None:
        self._client = client
        self._cache = cache
        self._note = note

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        """The image ``name`` stands for now; its ``digest`` is that of the platform's manifest.

        Raises NotFoundError, ImageError, AuthError or RegistryError.
        """
        reference = parse_reference(name)
        descriptor = self._client.resolve(reference)
        origin = RepositoryBlobs(self._client, reference, self._cache, keep=True)
        image = resolve_image(origin, name, descriptor, platform)
        if self._note is not None:
            self._note(reference, [layer.digest for layer in image.layers])
        return image
