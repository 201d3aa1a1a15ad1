"""The images of the store: found by name, id or digest; put by their documents."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.model.digest import Digest, hex_of, parse_digest
from jettison.model.oci import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    decode,
)
from jettison.model.platform import Platform
from jettison.model.reference import Reference, parse_reference
from jettison.model.resolve import is_attestation, read_index, read_manifest, resolve_image
from jettison.model.source import ResolvedImage
from jettison.store.blobs import Blobs, Readable
from jettison.store.names import Names, full_name

_ID = r"^(?:sha256:)?([0-9a-f]{4,64})$"


class ImageSummary(Struct, frozen=True):
    """One image as a listing shows it.

    ``image_id`` is the config's digest (the first platform's, for an index), ``size`` the bytes of
    all blobs that are here, ``created`` RFC 3339 as the config has it.
    """

    name: str | None
    descriptor: Descriptor
    image_id: str
    created: str
    size: int
    platforms: tuple[str, ...]


_ANY = Platform(architecture="", os="")
"""For manifests, which are taken whatever their platform."""
_Summaries = list[ImageSummary]
_Names = list[str]
_Digests = list[Digest]
_Descriptors = list[Descriptor]


class Images:
    """The images of a store: an `ImageSource`, and a sink for those who load or pull."""

    def __init__(self, blobs: Blobs, names: Names) -> None:
        self._blobs = blobs
        self._names = names

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        """The image with this name, id or digest (beginnings of four digits and more will do).

        Raises NotFoundError if there is none or it has nothing for ``platform``, ImageError if
        the beginning of an id fits several images, or documents are malformed.
        """
        return resolve_image(self._blobs, name, self.find(name), platform)

    def find(self, name: str) -> Descriptor:
        """The manifest or index that ``name`` stands for; raises as `resolve` does."""
        reference = _reference(name)
        if reference is not None:
            found = self._by_reference(reference)
            if found is not None:
                return found
        if match := re.match(_ID, name):
            return self._by_id(name, match[1])
        if reference is None:
            parse_reference(name)  # raises, saying what is wrong with it
        raise NotFoundError(f"no image {name} in the store")

    def put_image(
        self, manifest: bytes, config: bytes, names: Iterable[str] = (), *, platform: bool = True
    ) -> Descriptor:
        """Keep an image whose layers are blobs of the store (or will be, before anybody asks).

        Without names it is dangling. Returns the manifest's descriptor, with its platform.
        """
        parsed = decode(Manifest, manifest, "the manifest")
        settings = decode(ImageConfig, config, "the config")
        if self._blobs.ingest_bytes(config).digest != parsed.config.digest:
            raise ImageError("the manifest names another config")
        blob = self._blobs.ingest_bytes(manifest)
        descriptor = Descriptor(
            mediaType=parsed.mediaType or OCI_MANIFEST,
            digest=blob.digest,
            size=blob.size,
            platform=settings.platform if platform else None,
        )
        self.name(descriptor, names)
        return descriptor

    def put_index(self, index: bytes, names: Iterable[str] = ()) -> Descriptor:
        """Keep an index of images that were put before."""
        parsed = decode(Index, index, "the index")
        blob = self._blobs.ingest_bytes(index)
        descriptor = Descriptor(
            mediaType=parsed.mediaType or OCI_INDEX, digest=blob.digest, size=blob.size
        )
        self.name(descriptor, names)
        return descriptor

    def name(self, descriptor: Descriptor, names: Iterable[str] = ()) -> None:
        """Let names stand for an image; without any, keep it dangling."""
        names = tuple(names)
        for name in names:
            self._names.set(name, descriptor)
        if not names:
            self._names.add(descriptor)

    def has_blob(self, digest: Digest) -> bool:
        """Whether loading can skip the blob."""
        return self._blobs.has(digest)

    def put_blob(
        self,
        stream: Readable,
        descriptor: Descriptor,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Take in a blob, verified against its descriptor."""
        self._blobs.ingest(
            stream, digest=descriptor.digest, size=descriptor.size, progress=progress
        )

    def remove(self, name: str) -> _Names:
        """Take a name away, or an image (given by id or digest) with all its names.

        The image goes with its last name; its blobs go when they are pruned. Returns the names
        that went. Raises NotFoundError if there is nothing such.
        """
        reference = _reference(name)
        if reference is not None and reference.digest is None and self._names.remove(name):
            return [full_name(name)]
        return self._names.remove_image(self.find(name).digest)

    def list(self) -> _Summaries:
        """All images; one whose documents are missing or malformed is listed without details."""
        return [self._summary(name, descriptor) for name, descriptor in self._names.list()]

    def references(self, descriptor: Descriptor) -> dict[Digest, int]:
        """The blobs an image consists of (with the sizes they should have), itself among them;
        documents that are missing or malformed are not looked into.
        """
        found: dict[Digest, int] = {}
        pending = [descriptor]
        while pending:
            current = pending.pop()
            if current.digest in found:
                continue
            found[current.digest] = current.size
            try:
                pending += self._children(current)
            except JettisonError:
                continue
        return found

    def members(self, index: Descriptor) -> _Descriptors:
        """The manifests of an index; none if it is missing or malformed."""
        return [*self._with_members(index)][1:]

    def _children(self, descriptor: Descriptor) -> _Descriptors:
        if descriptor.mediaType in INDEX_TYPES:
            return [*read_index(self._blobs, descriptor).manifests]
        if descriptor.mediaType not in MANIFEST_TYPES:
            return []
        manifest = read_manifest(self._blobs, descriptor)
        return [manifest.config, *manifest.layers]

    def _by_reference(self, reference: Reference) -> Descriptor | None:
        if reference.digest is None:
            return self._names.get(str(reference))
        for name, descriptor in self._names.list():
            if name is None or parse_reference(name).repository != reference.repository:
                continue
            for candidate in self._with_members(descriptor):
                if candidate.digest == reference.digest:
                    return candidate
        return None

    def _by_id(self, name: str, prefix: str) -> Descriptor:
        found: dict[Digest, Descriptor] = {}
        for _, descriptor in self._names.list():
            for candidate in self._with_members(descriptor):
                if any(hex_of(d).startswith(prefix) for d in self._ids(candidate)):
                    found[candidate.digest] = candidate
        if not found:
            raise NotFoundError(f"no image {name} in the store")
        if len(found) > 1:
            raise ImageError(
                f"several images begin with {name}", hint="write more digits: " + ", ".join(found)
            )
        return next(iter(found.values()))

    def _with_members(self, descriptor: Descriptor) -> Iterable[Descriptor]:
        yield descriptor
        if descriptor.mediaType in INDEX_TYPES:
            try:
                yield from self._children(descriptor)
            except JettisonError:
                return

    def _ids(self, descriptor: Descriptor) -> _Digests:
        """What an image may be called by: its own digest and its config's."""
        ids = [parse_digest(descriptor.digest)]
        if descriptor.mediaType not in INDEX_TYPES and not is_attestation(descriptor):
            with contextlib.suppress(JettisonError):
                ids += [child.digest for child in self._children(descriptor)[:1]]
        return ids

    def _summary(self, name: str | None, descriptor: Descriptor) -> ImageSummary:
        image_id, created = "", ""
        platforms: _Names = []
        for candidate in self._with_members(descriptor):
            try:
                if candidate.mediaType in INDEX_TYPES or is_attestation(candidate):
                    continue
                pinned = resolve_image(self._blobs, name or candidate.digest, candidate, _ANY)
                config_digest = self._children(candidate)[0].digest
            except JettisonError:
                continue
            platforms.append(str(pinned.config.platform))
            image_id, created = image_id or config_digest, created or pinned.config.created
        size = sum(self._blobs.size(digest) or 0 for digest in self.references(descriptor))
        return ImageSummary(name, descriptor, image_id, created, size, tuple(platforms))


def _reference(name: str) -> Reference | None:
    try:
        return parse_reference(name)
    except JettisonError:
        return None
