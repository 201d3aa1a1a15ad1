"""In-toto statements, and the manifest that holds those about one image.

As BuildKit stores them (docs/attestations/attestation-storage.md): one more manifest in the index,
for the platform unknown/unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from jettison.model.digest import Digest, algorithm_of, hex_of, parse_digest, sha256_digest
from jettison.model.oci import (
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    RootFS,
    encode,
)
from jettison.model.platform import Platform
from jettison.model.reference import parse_reference
from jettison.packages.purl import make_purl

STATEMENT = "https://in-toto.io/Statement/v1"
SPDX_PREDICATE = "https://spdx.dev/Document"
_IN_TOTO = "application/vnd.in-toto+json"
_ARTIFACT = "application/vnd.docker.attestation.manifest.v1+json"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_EMPTY = b"{}"
_UNKNOWN = Platform(architecture="unknown", os="unknown")


class Predicate(Struct, frozen=True):
    """What is stated, and the name of the file it becomes beside a tree."""

    type: str
    content: Mapping[str, Any]
    filename: str


class Attached(Struct, frozen=True):
    """An attestation manifest: its descriptor for the index, and the blobs it consists of."""

    descriptor: Descriptor
    documents: Mapping[Digest, bytes]


Subject = tuple[str, Digest]
"""Something by its name and digest."""


def statement(predicate: Predicate, subjects: Sequence[Subject], *, indent: bool = False) -> bytes:
    """The JSON of an in-toto statement about ``subjects``."""
    document = {
        "_type": STATEMENT,
        "predicateType": predicate.type,
        "subject": [
            {"name": printable(name), "digest": digest_set(digest)} for name, digest in subjects
        ],
        "predicate": predicate.content,
    }
    separators = None if indent else (",", ":")
    text = json.dumps(
        document, ensure_ascii=False, indent=2 if indent else None, separators=separators
    )
    return text.encode()


def image_subjects(names: Sequence[str], image: Descriptor) -> list[Subject]:
    """An image under each of its names; none if it has no name, as with BuildKit."""
    return [(image_purl("docker", name, image.platform), image.digest) for name in names]


def image_purl(type: str, name: str, platform: Platform | None) -> str:
    """An image as ``pkg:docker/debian@bookworm?platform=linux%2Famd64`` (BuildKit, util/purl)."""
    reference = parse_reference(name)
    shown = reference.familiar.partition("@")[0]
    path = shown.rpartition(":")[0] if reference.tag else shown
    namespace, _, last = path.rpartition("/")
    qualifiers = {
        "digest": reference.digest or "",
        "platform": str(platform) if platform is not None else "",
    }
    tag = reference.tag or ("" if reference.digest else "latest")
    return make_purl(type, last, tag, namespace=namespace, qualifiers=qualifiers)


def digest_set(digest: str) -> dict[str, str]:
    checked = parse_digest(digest)
    return {algorithm_of(checked): hex_of(checked)}


def attached(
    image: Descriptor, statements: Sequence[tuple[str, bytes]], *, artifact: bool = True
) -> Attached:
    """The manifest of the statements (each after its predicate type) about ``image``.

    ``artifact`` False: with an image config and no subject, for registries that want no artifacts.
    """
    documents = {sha256_digest(data): data for _, data in statements}
    layers = tuple(
        Descriptor(
            _IN_TOTO,
            sha256_digest(data),
            len(data),
            annotations={"in-toto.io/predicate-type": kind},
        )
        for kind, data in statements
    )
    if artifact:
        config = Descriptor(_EMPTY_TYPE, sha256_digest(_EMPTY), len(_EMPTY), data="e30=")
        documents[config.digest] = _EMPTY
    else:
        data = encode(_image_config(layers))
        config = Descriptor(OCI_CONFIG, sha256_digest(data), len(data))
        documents[config.digest] = data
    manifest = encode(
        Manifest(
            schemaVersion=2,
            mediaType=OCI_MANIFEST,
            artifactType=_ARTIFACT if artifact else "",
            config=config,
            layers=layers,
            subject=Descriptor(image.mediaType, image.digest, image.size) if artifact else None,
        )
    )
    digest = sha256_digest(manifest)
    documents[digest] = manifest
    descriptor = Descriptor(
        OCI_MANIFEST,
        digest,
        len(manifest),
        annotations={
            "vnd.docker.reference.digest": image.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
        platform=_UNKNOWN,
    )
    return Attached(descriptor, documents)


def _image_config(layers: Sequence[Descriptor]) -> ImageConfig:
    return ImageConfig(
        architecture="unknown",
        os="unknown",
        rootfs=RootFS(diff_ids=tuple(layer.digest for layer in layers)),
    )


def printable(text: str) -> str:
    """A file name as JSON can hold it: bytes that are not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
