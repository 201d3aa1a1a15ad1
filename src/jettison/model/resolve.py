"""From a descriptor to an image of one platform, through any BlobSource."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from jettison.errors import ImageError, NotFoundError
from jettison.model.digest import algorithm_of, hex_of, parse_digest
from jettison.model.oci import (
    DOCKER_CONFIG,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_DOCUMENT,
    OCI_CONFIG,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    decode,
)
from jettison.model.platform import Platform, make_platform, matches
from jettison.model.source import BlobSource, ResolvedImage

_MAX_DEPTH = 4
_REFERENCE_TYPE = "vnd.docker.reference.type"
_ARM = ("v8", "v7", "v6", "v5")
_AMD64 = ("v4", "v3", "v2", "")
_NONE = msgspec.Raw()


class _Shape(msgspec.Struct):
    """Which members a document has that tell manifests from indexes."""

    manifests: msgspec.Raw = _NONE
    layers: msgspec.Raw = _NONE
    config: msgspec.Raw = _NONE


def select(manifests: Sequence[Descriptor], wanted: Platform) -> Descriptor | None:
    """The entry of an index that serves ``wanted`` best; None if there is none.

    That is one for the same platform, else for the nearest older variant of its architecture
    (as containerd's ``platforms.Only``, but never another architecture). An entry that does not
    say its platform serves if it is the only one.
    """
    for platform in _acceptable(wanted):
        for descriptor in manifests:
            if descriptor.platform is not None and matches(platform, descriptor.platform):
                return descriptor
    if len(manifests) == 1 and manifests[0].platform is None:
        return manifests[0]
    return None


def read_document(source: BlobSource, descriptor: Descriptor) -> bytes:
    """The verified bytes of a manifest, index or config.

    Raises ImageError if it is too large or is not what the descriptor says, and whatever the
    source raises.
    """
    digest = parse_digest(descriptor.digest)
    if descriptor.size > MAX_DOCUMENT:
        raise ImageError(f"{digest} has {descriptor.size} bytes; at most {MAX_DOCUMENT} are read")
    data = bytearray()
    with source.open_blob(descriptor) as stream:
        while chunk := stream.read(descriptor.size + 1 - len(data)):
            data += chunk
            if len(data) > descriptor.size:
                break
    if len(data) != descriptor.size:
        raise ImageError(f"{digest} does not have the {descriptor.size} bytes it should have")
    if hashlib.new(algorithm_of(digest), data).hexdigest() != hex_of(digest):
        raise ImageError(f"{digest} has other content than its digest says")
    return bytes(data)


def read_manifest(source: BlobSource, descriptor: Descriptor) -> Manifest:
    """The manifest behind a descriptor; raises as `read_document` does."""
    data = read_document(source, descriptor)
    return check_manifest(data, descriptor.mediaType, f"manifest {descriptor.digest}")


def check_manifest(data: bytes, media_type: str, what: str) -> Manifest:
    """Decode a manifest; raises ImageError also for one that could be read as an index as well
    (CVE-2021-41190), or that contradicts the media type it is referred to by.
    """
    manifest = decode(Manifest, data, what)
    if manifest.mediaType not in ("", media_type) or _shape(data).manifests != _NONE:
        raise ImageError(f"{what} is not the {media_type} it is referred to as")
    return manifest


def read_index(source: BlobSource, descriptor: Descriptor) -> Index:
    """The index behind a descriptor; raises as `read_document` and `check_manifest` do."""
    what = f"index {descriptor.digest}"
    data = read_document(source, descriptor)
    index = decode(Index, data, what)
    shape = _shape(data)
    mixed = shape.layers != _NONE or shape.config != _NONE
    if index.mediaType not in ("", descriptor.mediaType) or mixed:
        raise ImageError(f"{what} is not the {descriptor.mediaType} it is referred to as")
    return index


def read_config(source: BlobSource, manifest: Manifest) -> ImageConfig:
    """The config of a manifest; raises as `read_document` does."""
    data = read_document(source, manifest.config)
    return decode(ImageConfig, data, f"config {manifest.config.digest}")


def resolve_image(
    source: BlobSource, name: str, descriptor: Descriptor, platform: Platform
) -> ResolvedImage:
    """The image that ``descriptor`` (a manifest or an index) is for ``platform``.

    A manifest that is not part of an index is taken whatever its platform. Raises NotFoundError
    if an index has nothing for the platform, ImageError if a document is malformed.
    """
    root = descriptor
    for _ in range(_MAX_DEPTH):
        if descriptor.mediaType in INDEX_TYPES:
            descriptor = _from_index(source, name, descriptor, platform)
        elif descriptor.mediaType in MANIFEST_TYPES:
            return _from_manifest(source, name, descriptor, root)
        else:
            raise ImageError(f"{name} is no image: its media type is {descriptor.mediaType!r}")
    raise ImageError(f"{name}: indexes within indexes, more than {_MAX_DEPTH} deep")


def _acceptable(wanted: Platform) -> Iterator[Platform]:
    exact = make_platform(wanted.os, wanted.architecture, wanted.variant)
    yield exact
    order = {"arm": _ARM, "amd64": _AMD64}.get(exact.architecture)
    if order is None or exact.variant not in order:
        older: tuple[str, ...] = ("",) if exact.variant else ()
    else:
        older = order[order.index(exact.variant) + 1 :]
    for variant in older:
        yield Platform(architecture=exact.architecture, os=exact.os, variant=variant)


def _shape(data: bytes) -> _Shape:
    return msgspec.json.decode(data, type=_Shape)


def _from_index(
    source: BlobSource, name: str, descriptor: Descriptor, platform: Platform
) -> Descriptor:
    index = read_index(source, descriptor)
    usable = [d for d in index.manifests if d.mediaType in INDEX_TYPES | MANIFEST_TYPES]
    found = select(usable, platform)
    if found is None:
        offered = ", ".join(dict.fromkeys(str(d.platform) for d in usable if _is_image(d)))
        raise NotFoundError(
            f"{name} has no image for {platform}",
            hint=f"it has {offered}" if offered else None,
        )
    return found


def is_attestation(descriptor: Descriptor) -> bool:
    """Whether an entry of an index is no image but states something of another entry.

    Such are listed under the platform unknown/unknown (BuildKit, attestation-storage.md).
    """
    return descriptor.annotations.get(_REFERENCE_TYPE) == "attestation-manifest"


def _is_image(descriptor: Descriptor) -> bool:
    return descriptor.platform is not None and descriptor.platform.os != "unknown"


def _from_manifest(
    source: BlobSource, name: str, descriptor: Descriptor, root: Descriptor
) -> ResolvedImage:
    manifest = read_manifest(source, descriptor)
    try:
        config = read_config(source, manifest)
    except ImageError:
        if manifest.config.mediaType in (OCI_CONFIG, DOCKER_CONFIG):
            raise
        kind = manifest.artifactType or manifest.config.mediaType
        raise ImageError(f"{name} is not an image but an artifact of type {kind!r}") from None
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        raise ImageError(
            f"the manifest of {name} has {len(manifest.layers)} layers but its config names "
            f"{len(config.rootfs.diff_ids)}"
        )
    return ResolvedImage(name, descriptor.digest, config, manifest.layers, source, root)
