"""Registries as an image source and a blob source (``model.source``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from jettison.errors import ImageError
from jettison.model.oci import (
    DOCKER_CONFIG,
    MAX_DOCUMENT,
    OCI_CONFIG,
    Descriptor,
    ImageConfig,
    Manifest,
    decode,
)
from jettison.model.platform import Platform
from jettison.model.reference import Reference, parse_reference
from jettison.model.source import ResolvedImage
from jettison.registry.client import RegistryClient
from jettison.registry.documents import check_digest, find_manifest
from jettison.registry.transfer import BlobSink


@dataclass(frozen=True)
class RepositoryBlobs:
    """The blobs of one repository, as a BlobSource."""

    client: RegistryClient
    reference: Reference

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """A stream of the blob, resumed when cut; the caller checks the digest."""
        return self.client.open_blob(self.reference, descriptor)


class RegistrySource:
    """Finds images in registries.

    Manifests and configs that ``cache`` has are not fetched, and those fetched are kept there: to
    resolve a known image anew is then one HEAD request.
    """

    def __init__(self, client: RegistryClient, cache: BlobSink | None = None) -> None:
        self._client = client
        self._cache = cache

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        """The image ``name`` stands for now; ``digest`` is that of the platform's manifest.

        Raises NotFoundError, ImageError, AuthError or RegistryError.
        """
        reference = parse_reference(name)
        descriptor, manifest = find_manifest(
            lambda found: self.document(reference, found),
            self._client.resolve(reference),
            platform,
            str(reference),
        )
        return ResolvedImage(
            name=name,
            digest=descriptor.digest,
            config=self._config(reference, manifest),
            layers=manifest.layers,
            origin=RepositoryBlobs(self._client, reference),
        )

    def document(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a manifest or index."""
        known = self._cached(descriptor)
        if known is None:
            known = self._client.manifest(reference, descriptor)
            self._keep(known, descriptor)
        return known

    def _config(self, reference: Reference, manifest: Manifest) -> ImageConfig:
        descriptor = manifest.config
        what = f"{reference}: config {descriptor.digest}"
        if descriptor.mediaType not in (OCI_CONFIG, DOCKER_CONFIG):
            kind = manifest.artifactType or descriptor.mediaType
            raise ImageError(f"{reference} is not an image but an artifact of type {kind}")
        data = self._cached(descriptor)
        if data is None:
            data = self._small_blob(reference, descriptor, what)
            self._keep(data, descriptor)
        config = decode(ImageConfig, data, what)
        if len(config.rootfs.diff_ids) != len(manifest.layers):
            raise ImageError(
                f"{reference}: the manifest has {len(manifest.layers)} layers, the config "
                f"{len(config.rootfs.diff_ids)}"
            )
        return config

    def _small_blob(self, reference: Reference, descriptor: Descriptor, what: str) -> bytes:
        if descriptor.size > MAX_DOCUMENT:
            raise ImageError(f"{what} has {descriptor.size} bytes; at most {MAX_DOCUMENT} are read")
        with self._client.open_blob(reference, descriptor) as stream:
            data = stream.read()
        check_digest(data, descriptor.digest, what)
        return data

    def _cached(self, descriptor: Descriptor) -> bytes | None:
        if self._cache is None or not self._cache.has(descriptor.digest):
            return None
        if descriptor.size > MAX_DOCUMENT:
            return None
        with self._cache.open_blob(descriptor) as stream:
            return stream.read()

    def _keep(self, data: bytes, descriptor: Descriptor) -> None:
        if self._cache is not None:
            from io import BytesIO

            self._cache.ingest(BytesIO(data), digest=descriptor.digest, size=len(data))
