"""Content digests as the OCI image specification writes them (``sha256:<64 hex digits>``)."""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from jettison.errors import ImageError

Digest = NewType("Digest", str)
"""A checked digest string, e.g. ``sha256:e3b0…``."""

_LENGTHS = {"sha256": 64, "sha512": 128}
_FORM = re.compile(r"^(sha256|sha512):([0-9a-f]+)$")


def parse_digest(text: str) -> Digest:
    """Check ``text`` and give it back as a Digest.

    Raises ImageError for an unknown algorithm or a value that is not lower-case hex of the
    algorithm's length (OCI image spec, descriptor.md "Digests").
    """
    match = _FORM.match(text)
    if match is None or len(match[2]) != _LENGTHS[match[1]]:
        raise ImageError(f"invalid digest {text[:100]!r}", hint="expected sha256:<64 hex digits>")
    return Digest(text)


def sha256_digest(data: bytes) -> Digest:
    """The sha256 digest of ``data``."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def algorithm_of(digest: Digest) -> str:
    return digest.partition(":")[0]


def hex_of(digest: Digest) -> str:
    return digest.partition(":")[2]


def chain_id(diff_ids: tuple[Digest, ...] | list[Digest]) -> Digest:
    """The identity of a stack of layers (OCI image spec, config.md "Layer ChainID")."""
    if not diff_ids:
        raise ValueError("a chain has at least one layer")
    chain = diff_ids[0]
    for diff in diff_ids[1:]:
        chain = sha256_digest(f"{chain} {diff}".encode())
    return chain
