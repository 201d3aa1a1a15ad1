"""Images as one tar: an OCI layout, with Docker's manifest.json in it if asked for.

Docker reads manifest.json and takes its layers from wherever it says, so one archive serves
docker, podman, skopeo and containerd (moby, image/tarexport; buildx writes the same).
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from jettison.model.digest import Digest, algorithm_of, hex_of, parse_digest
from jettison.model.oci import (
    ANNOTATION_IMAGE_NAME,
    ANNOTATION_REF_NAME,
    OCI_INDEX,
    Descriptor,
    Index,
    encode,
)
from jettison.model.reference import parse_reference
from jettison.model.source import BlobSource

if TYPE_CHECKING:
    import tarfile

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class DockerImage:
    """An image as manifest.json lists it."""

    config: Digest
    layers: tuple[Digest, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """What goes into an archive or layout: ``roots`` with their names, and all blobs they need.

    ``documents`` are blobs held in memory, ``blobs`` those read from their source.
    """

    roots: Sequence[tuple[Descriptor, tuple[str, ...]]]
    documents: Mapping[Digest, bytes]
    blobs: Sequence[tuple[Descriptor, BlobSource]]
    docker: Sequence[DockerImage] = ()


def write_archive(package: Package, out: IO[bytes]) -> None:
    """Write ``package`` as a tar: blobs in the order of their digests, dated 1970."""
    import tarfile

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for directory in ("blobs", "blobs/sha256"):
            info = tarfile.TarInfo(directory)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for digest, data in sorted(package.documents.items()):
            _add(tar, blob_path(digest), data)
        for blob, source in _unique(package):
            info = _info(blob_path(blob.digest), blob.size)
            with source.open_blob(blob) as stream:
                tar.addfile(info, stream)
        _add(tar, "index.json", index_json(package))
        if package.docker:
            _add(tar, "manifest.json", _docker_json(package.docker))
        _add(tar, "oci-layout", _LAYOUT)


def write_layout(package: Package, directory: str) -> None:
    """Write ``package`` as an OCI layout directory; an existing layout is added to."""
    import shutil

    for digest, data in package.documents.items():
        _write(os.path.join(directory, blob_path(digest)), io.BytesIO(data))
    for blob, source in _unique(package):
        path = os.path.join(directory, blob_path(blob.digest))
        if not os.path.exists(path):
            with source.open_blob(blob) as stream:
                _write(path, stream)
    _write(os.path.join(directory, "oci-layout"), io.BytesIO(_LAYOUT))
    _write(os.path.join(directory, "index.json"), io.BytesIO(index_json(package)))
    shutil.rmtree(os.path.join(directory, "ingest"), ignore_errors=True)


def blob_path(digest: str) -> str:
    checked = parse_digest(digest)
    return f"blobs/{algorithm_of(checked)}/{hex_of(checked)}"


def index_json(package: Package) -> bytes:
    """The layout's index: each root once for every name it has."""
    entries: list[Descriptor] = []
    for root, names in package.roots:
        for name in names or ("",):
            entries.append(_named(root, name))
    return encode(Index(schemaVersion=2, mediaType=OCI_INDEX, manifests=tuple(entries)))


def _named(root: Descriptor, name: str) -> Descriptor:
    import msgspec

    if not name:
        return root
    annotations = {
        **root.annotations,
        ANNOTATION_IMAGE_NAME: name,
        ANNOTATION_REF_NAME: parse_reference(name).tag or "latest",
    }
    return msgspec.structs.replace(root, annotations=annotations)


def _docker_json(images: Iterable[DockerImage]) -> bytes:
    listing = [
        {
            "Config": blob_path(image.config),
            "RepoTags": [parse_reference(name).familiar for name in image.names],
            "Layers": [blob_path(layer) for layer in image.layers],
        }
        for image in images
    ]
    return json.dumps(listing).encode()


def _unique(package: Package) -> list[tuple[Descriptor, BlobSource]]:
    found = {blob.digest: (blob, source) for blob, source in package.blobs}
    return [found[digest] for digest in sorted(found)]


def _info(name: str, size: int) -> tarfile.TarInfo:
    import tarfile

    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_info(name, len(data)), io.BytesIO(data))


def _write(path: str, stream: IO[bytes]) -> None:
    import shutil

    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.partial"
    with open(draft, "wb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)
    os.replace(draft, path)
