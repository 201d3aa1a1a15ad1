"""Reading manifests and indexes: what kind it is, what it refers to, which platform fits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from jettison.errors import ImageError, NotFoundError
from jettison.model.digest import Digest, algorithm_of
from jettison.model.oci import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    decode,
)
from jettison.model.platform import Platform, make_platform, matches

_ATTESTATION = "vnd.docker.reference.type"
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1"


_NONE = msgspec.Raw(b"null")


Reader = Callable[[Descriptor], bytes]
"""Gives the bytes of a manifest or index, checked."""

MAX_DEPTH = 4
"""Manifests below indexes below indexes: nobody nests deeper."""

MAX_DOCUMENTS = 1000
"""Manifests of one index that are pulled or pushed."""


class _Shape(msgspec.Struct):
    schemaVersion: int = 0
    mediaType: str = ""
    manifests: msgspec.Raw = _NONE
    layers: msgspec.Raw = _NONE
    config: msgspec.Raw = _NONE


def check_digest(data: bytes, digest: Digest, what: str) -> None:
    """Raise ImageError unless ``data`` has ``digest``."""
    found = hashlib.new(algorithm_of(digest), data).hexdigest()
    if f"{algorithm_of(digest)}:{found}" != digest:
        raise ImageError(
            f"{what}: what the registry sent has another digest, {algorithm_of(digest)}:{found}"
        )


def media_type_of(data: bytes, said: str, what: str) -> str:
    """The media type of a manifest or index: what it says itself, else what came with it, else
    by its shape.

    Raises ImageError if it is neither, or both (it could then be read in two ways:
    CVE-2021-41190), or of Docker's old schema 1.
    """
    try:
        shape = msgspec.json.decode(data, type=_Shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImageError(f"{what} is malformed: {error}") from None
    said = said.partition(";")[0].strip()
    kind = shape.mediaType or said
    if kind.startswith(_SCHEMA1) or shape.schemaVersion == 1:
        raise ImageError(
            f"{what} is of Docker's image format of before 2017 (schema 1), which is not supported",
            hint="pull it with an old Docker and push it again",
        )
    is_index = shape.manifests != _NONE
    is_manifest = shape.layers != _NONE or shape.config != _NONE
    if is_index == is_manifest:
        raise ImageError(f"{what} is {'both' if is_index else 'neither'} manifest and index")
    if is_index:
        return _known(kind, INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX, what)
    return _known(kind, MANIFEST_TYPES, INDEX_TYPES, OCI_MANIFEST, what)


def _known(kind: str, right: frozenset[str], wrong: frozenset[str], default: str, what: str) -> str:
    if kind in wrong:
        raise ImageError(f"{what} has the media type {kind} but is something else")
    return kind if kind in right else default


def decode_document(data: bytes, descriptor: Descriptor, what: str) -> Manifest | Index:
    """Decode by the descriptor's media type. Raises ImageError if it is not what it says."""
    kind = media_type_of(data, descriptor.mediaType, what)
    is_index = kind in INDEX_TYPES
    if descriptor.mediaType in (MANIFEST_TYPES if is_index else INDEX_TYPES):
        raise ImageError(f"{what} is {kind}, but is referred to as {descriptor.mediaType}")
    if is_index:
        return decode(Index, data, what)
    return decode(Manifest, data, what)


def is_attestation(descriptor: Descriptor) -> bool:
    """Whether an entry of an index is about another entry (provenance, SBOM) and no image."""
    return descriptor.annotations.get(_ATTESTATION) == "attestation-manifest"


def select(index: Index, wanted: Platform, what: str) -> Descriptor:
    """The entry of ``index`` for ``wanted``, or else for the next platform that its machine runs.

    Raises NotFoundError, naming the platforms there are (containerd's ``platforms.Only``).
    """
    images = [entry for entry in index.manifests if not is_attestation(entry)]
    for platform in compatible(wanted):
        for entry in images:
            if entry.platform is not None and matches(platform, entry.platform):
                return entry
    if len(images) == 1 and images[0].platform is None:
        return images[0]
    names = sorted({str(e.platform) for e in images if e.platform is not None})
    raise NotFoundError(
        f"{what} has no image for {wanted}",
        hint=f"it has: {', '.join(names)}" if names else "it has no images at all",
    )


def find_manifest(
    read: Reader, root: Descriptor, platform: Platform, what: str
) -> tuple[Descriptor, Manifest]:
    """The manifest for ``platform`` that ``root`` is, or leads to through indexes.

    Raises NotFoundError or ImageError, and what ``read`` raises.
    """
    descriptor = root
    for _ in range(MAX_DEPTH):
        name = f"{what}: {descriptor.digest}"
        document = decode_document(read(descriptor), descriptor, name)
        if isinstance(document, Manifest):
            return descriptor, document
        descriptor = select(document, platform, what)
    raise ImageError(f"{what}: indexes are nested more than {MAX_DEPTH - 1} deep")


@dataclass
class Contents:
    """What an image consists of: its documents, inner ones first, and its blobs, each once."""

    documents: dict[Digest, tuple[Descriptor, bytes]] = field(default_factory=dict)
    blobs: dict[Digest, Descriptor] = field(default_factory=dict)


def collect(read: Reader, root: Descriptor, what: str) -> Contents:
    """Read the manifest or index ``root`` and all documents that it leads to.

    Raises ImageError if one is malformed, or if they are too many or nested too deep, and what
    ``read`` raises.
    """
    contents = Contents()
    _collect(read, root, what, contents, depth=1)
    return contents


def _collect(
    read: Reader, descriptor: Descriptor, what: str, contents: Contents, *, depth: int
) -> None:
    if descriptor.digest in contents.documents:
        return
    if depth > MAX_DEPTH or len(contents.documents) >= MAX_DOCUMENTS:
        raise ImageError(
            f"{what} is nested more than {MAX_DEPTH} deep or has more than {MAX_DOCUMENTS} "
            "manifests"
        )
    data = read(descriptor)
    document = decode_document(data, descriptor, f"{what}: {descriptor.digest}")
    if isinstance(document, Manifest):
        for blob in (document.config, *document.layers):
            contents.blobs.setdefault(blob.digest, blob)
    else:
        for child in document.manifests:
            _collect(read, child, what, contents, depth=depth + 1)
    contents.documents[descriptor.digest] = (descriptor, data)


def compatible(platform: Platform) -> Iterator[Platform]:
    """``platform`` and those its machines run too, the best first."""
    yield platform
    arch, variant = platform.architecture, platform.variant
    level = int(variant[1:]) if variant[:1] == "v" and variant[1:].isdecimal() else 0
    if arch == "amd64":
        for lower in range(min(level, 9) - 1, 0, -1):
            yield make_platform(platform.os, arch, f"v{lower}")
        yield make_platform(platform.os, "386")
    elif arch == "arm":
        for lower in range(min(level, 9) - 1, 4, -1):
            yield make_platform(platform.os, arch, f"v{lower}")
    elif arch == "arm64":
        if variant:
            yield make_platform(platform.os, arch)
        for lower in (8, 7, 6, 5):
            yield make_platform(platform.os, "arm", f"v{lower}")
