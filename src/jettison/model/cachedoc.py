"""The document of an exported cache: which keys stand for which layers.

It is the config of an OCI manifest whose layers are the blobs, or (inline) a member of an image's
own config. BuildKit's format (``application/vnd.buildkit.cacheconfig.v0``) is not used: there every
layer of a chain, those of base images too, has to be a blob of the artifact, and there is no place
for keys by content. Here layers of base images are named and left where they are.

Nothing in it is believed but what a key stands for: the identity of a layer follows from the diff
IDs below it, and its bytes are checked against both digests.
"""

from __future__ import annotations

import re

from msgspec import Struct

from jettison.errors import ImageError
from jettison.model.digest import Digest, parse_digest
from jettison.model.oci import decode

CACHE_CONFIG = "application/vnd.jettison.cache.config.v1+json"
"""The media type of the config."""

INLINE_MEMBER = "jettison.cache.v1"
"""The member of an image's config that holds a document."""

VERSION = 1
MAX_DEPTH = 1000
"""Layers of one result, and of one base."""

_KEY = re.compile(r"[0-9a-f]{64}")
_LATEST = 253402300799.0  # the end of the year 9999


class CachedLayer(Struct, frozen=True, omit_defaults=True):
    """A layer that a step made.

    ``created`` is in seconds since the epoch. ``blob`` names one of the manifest's layers; inline
    it is empty: the image's layer with this diff ID. ``alone``: made on an empty root (COPY
    --link), whatever it is laid on.
    """

    diff_id: Digest
    created: float
    blob: str = ""
    alone: bool = False


class CachedResult(Struct, frozen=True, omit_defaults=True):
    """What ``keys`` stand for: ``layers`` (numbers, lowest first) on the base image ``base``."""

    keys: tuple[str, ...]
    layers: tuple[int, ...]
    base: int = -1


class CacheDocument(Struct, frozen=True, omit_defaults=True):
    """A whole cache; ``bases`` are the diff IDs of base images, -1 stands for none."""

    version: int
    layers: tuple[CachedLayer, ...]
    results: tuple[CachedResult, ...]
    bases: tuple[tuple[Digest, ...], ...] = ()


def decode_cache(data: bytes, what: str) -> CacheDocument:
    """A checked document; ``what`` names it in errors.

    Raises ImageError for anything else, whatever the bytes are.
    """
    document = decode(CacheDocument, data, what)
    if document.version != VERSION:
        raise ImageError(f"{what} has version {document.version}, not {VERSION}")
    for layer in document.layers:
        parse_digest(layer.diff_id)
        if layer.blob:
            parse_digest(layer.blob)
        if not 0 <= layer.created <= _LATEST:
            raise ImageError(f"{what}: a layer of an impossible time")
    for base in document.bases:
        if not 0 < len(base) <= MAX_DEPTH:
            raise ImageError(f"{what}: a base of {len(base)} layers")
        for diff_id in base:
            parse_digest(diff_id)
    for result in document.results:
        _check_result(document, result, what)
    return document


def _check_result(document: CacheDocument, result: CachedResult, what: str) -> None:
    if not all(map(_KEY.fullmatch, result.keys)):
        raise ImageError(f"{what}: a key that is none")
    if len(result.layers) > MAX_DEPTH or not -1 <= result.base < len(document.bases):
        raise ImageError(f"{what}: a result of impossible layers")
    if not all(0 <= number < len(document.layers) for number in result.layers):
        raise ImageError(f"{what}: a result names a layer that is not there")
