"""OCI image layouts (OCI image spec, image-layout.md), in a directory or a tar."""

from __future__ import annotations

import json
from typing import IO

from jettison.errors import ImageError, NotFoundError
from jettison.image.archive import MAX_IMAGES, ArchiveImage, ImageArchive
from jettison.image.files import Files, open_files
from jettison.model.digest import Digest, algorithm_of, hex_of, parse_digest
from jettison.model.oci import (
    ANNOTATION_IMAGE_NAME,
    ANNOTATION_REF_NAME,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_DOCUMENT,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    decode,
)


def open_layout(path: str, *, scratch: str | None = None) -> ImageArchive:
    """The layout in a directory or a tar. Raises NotFoundError, ArchiveError or ImageError."""
    files = open_files(path, scratch=scratch)
    try:
        return ImageArchive(files, LayoutContent(files))
    except BaseException:
        files.close()
        raise


class LayoutContent:
    """A layout as the content of an archive."""

    def __init__(self, files: Files) -> None:
        self._files = files
        _check_version(files)
        index = decode(Index, read_small(files, "index.json"), f"{files.name}/index.json")
        if len(index.manifests) > MAX_IMAGES:
            raise ImageError(f"{files.name} has more than {MAX_IMAGES} images")
        self._entries = [d for d in index.manifests if d.mediaType in INDEX_TYPES | MANIFEST_TYPES]

    def images(self) -> list[ArchiveImage]:
        """One image for each digest, with all its names."""
        names: dict[Digest, list[str]] = {}
        descriptors: dict[Digest, Descriptor] = {}
        for entry in self._entries:
            descriptors.setdefault(entry.digest, entry)
            written = entry.annotations.get(ANNOTATION_IMAGE_NAME) or entry.annotations.get(
                ANNOTATION_REF_NAME
            )
            if written:
                names.setdefault(entry.digest, []).append(written)
        return [ArchiveImage(tuple(names.get(d, ())), e) for d, e in descriptors.items()]

    def find(self, digest: Digest) -> Descriptor | None:
        """A manifest or index among the blobs that the layout's index does not mention."""
        path = _blob_path(digest)
        size = self._files.size(path)
        if size is None or size > MAX_DOCUMENT:
            return None
        try:
            document = json.loads(read_small(self._files, path))
        except (ValueError, RecursionError):
            return None
        kind = document.get("mediaType") if isinstance(document, dict) else None
        if kind not in INDEX_TYPES | MANIFEST_TYPES:
            if not isinstance(document, dict) or not {"layers", "manifests"} & set(document):
                return None
            kind = OCI_INDEX if "manifests" in document else OCI_MANIFEST
        return Descriptor(kind, digest, size)

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        digest = parse_digest(descriptor.digest)
        try:
            return self._files.open(_blob_path(digest))
        except NotFoundError:
            raise NotFoundError(f"{self._files.name} does not have blob {digest}") from None


def read_small(files: Files, path: str) -> bytes:
    """All of a file that must be small. Raises NotFoundError or ImageError."""
    with files.open(path) as stream:
        data = stream.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise ImageError(f"{files.name}/{path} is larger than {MAX_DOCUMENT} bytes")
    return data


def _blob_path(digest: Digest) -> str:
    return f"blobs/{algorithm_of(digest)}/{hex_of(digest)}"


def _check_version(files: Files) -> None:
    """Only version 1 of the layout exists; its minor versions are compatible."""
    try:
        document = json.loads(read_small(files, "oci-layout"))
    except NotFoundError:
        raise ImageError(f"{files.name} is no OCI layout", hint="it has no oci-layout") from None
    except (ValueError, RecursionError):
        document = None
    version = document.get("imageLayoutVersion") if isinstance(document, dict) else None
    if not isinstance(version, str) or not version.startswith("1."):
        raise ImageError(f"{files.name} is an OCI layout of an unknown version: {version!r}")
