"""Reading manifests and indexes: what kind it is, what it refers to, which platform fits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from jettison.errors import ImageError
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
        words = "both a manifest and" if is_index else "neither a manifest nor"
        raise ImageError(f"{what} is {words} an index")
    if is_index:
        return _known(kind, INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX, what)
    return _known(kind, MANIFEST_TYPES, INDEX_TYPES, OCI_MANIFEST, what)


def _known(kind: str, right: frozenset[str], wrong: frozenset[str], default: str, what: str) -> str:
    if kind in wrong:
        raise ImageError(f"{what} has the media type {kind} but is something else")
    return kind if kind in right else default


def check_kind(data: bytes, descriptor: Descriptor, what: str) -> bool:
    """Raise ImageError unless ``data`` is what the descriptor's media type says, as far as it
    says; return whether it is an index.
    """
    kind = media_type_of(data, descriptor.mediaType, what)
    is_index = kind in INDEX_TYPES
    if descriptor.mediaType in (MANIFEST_TYPES if is_index else INDEX_TYPES):
        raise ImageError(f"{what} is {kind}, but is referred to as {descriptor.mediaType}")
    return is_index


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
    name = f"{what}: {descriptor.digest}"
    if not check_kind(data, descriptor, name):
        document = decode(Manifest, data, name)
        for blob in (document.config, *document.layers):
            contents.blobs.setdefault(blob.digest, blob)
    else:
        children = decode(Index, data, name).manifests
        if len(children) > MAX_DOCUMENTS:  # said before any of them is read
            raise ImageError(f"{name} has more than {MAX_DOCUMENTS} manifests")
        for child in children:
            _collect(read, child, what, contents, depth=depth + 1)
    contents.documents[descriptor.digest] = (descriptor, data)
