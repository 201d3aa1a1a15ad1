"""What ``docker save`` writes (Docker image spec v1.2): a tar with ``manifest.json``.

Layers lie there uncompressed, in old archives as ``<id>/layer.tar``, where equal ones may be links
to each other. The manifest that images have elsewhere is made up here, always the same one.
"""

from __future__ import annotations

import hashlib
import io
from typing import IO

import msgspec

from jettison.errors import ImageError, NotFoundError
from jettison.image.archive import MAX_IMAGES, ArchiveImage
from jettison.image.files import Files
from jettison.image.layout import read_small
from jettison.model.digest import Digest, sha256_digest
from jettison.model.oci import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    decode,
    encode,
)

_CHUNK = 1 << 20
_MAX_MANIFESTS = 64 << 20
"""Bytes of made-up manifests, which are kept in memory."""
_TYPES = {"plain": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


class _Entry(msgspec.Struct, frozen=True):
    Config: str
    Layers: tuple[str, ...] = ()
    RepoTags: tuple[str, ...] | None = None


class DockerContent:
    """A docker archive as the content of an archive."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._documents: dict[Digest, bytes] = {}
        self._paths: dict[Digest, str] = {}
        self._layers: dict[str, Descriptor] = {}
        self._made: dict[_Entry, Descriptor] = {}
        self._bytes = 0
        self._images = [self._image(entry) for entry in self._entries()]

    def images(self) -> list[ArchiveImage]:
        return self._images

    def find(self, digest: Digest) -> Descriptor | None:
        """There are no manifests but those of the images."""
        del digest
        return None

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        document = self._documents.get(descriptor.digest)
        if document is not None:
            return io.BytesIO(document)
        path = self._paths.get(descriptor.digest)
        if path is None:
            raise NotFoundError(f"{self._files.name} does not have blob {descriptor.digest}")
        return self._files.open(path)

    def _entries(self) -> list[_Entry]:
        data = read_small(self._files, "manifest.json")
        try:
            entries = msgspec.json.decode(data, type=list[_Entry])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ImageError(f"{self._files.name}/manifest.json is malformed: {error}") from None
        if len(entries) > MAX_IMAGES:
            raise ImageError(f"{self._files.name} has more than {MAX_IMAGES} images")
        return entries

    def _image(self, entry: _Entry) -> ArchiveImage:
        content = _Entry(entry.Config, entry.Layers)  # read once, however many share it
        if content not in self._made:
            self._made[content] = self._manifest(content)
        return ArchiveImage(entry.RepoTags or (), self._made[content])

    def _manifest(self, entry: _Entry) -> Descriptor:
        data = read_small(self._files, entry.Config)
        config = decode(ImageConfig, data, f"{self._files.name}/{entry.Config}")
        diff_ids = config.rootfs.diff_ids
        if len(diff_ids) != len(entry.Layers):
            raise ImageError(
                f"{self._files.name}: {entry.Config} names {len(diff_ids)} layers, "
                f"manifest.json {len(entry.Layers)}"
            )
        digest = sha256_digest(data)
        self._paths[digest] = entry.Config
        manifest = encode(
            Manifest(
                schemaVersion=2,
                mediaType=OCI_MANIFEST,
                config=Descriptor(OCI_CONFIG, digest, len(data)),
                layers=tuple(map(self._layer, entry.Layers, diff_ids)),
            )
        )
        descriptor = Descriptor(
            OCI_MANIFEST, sha256_digest(manifest), len(manifest), platform=config.platform
        )
        self._documents[descriptor.digest] = manifest
        self._bytes += len(manifest)
        if self._bytes > _MAX_MANIFESTS:
            raise ImageError(f"{self._files.name} has too many images")
        return descriptor

    def _layer(self, path: str, diff_id: Digest) -> Descriptor:
        """An uncompressed layer has its diff ID for its digest; of another it must be computed."""
        from jettison.fs.decompress import detect

        size = self._files.size(path)
        if size is None:
            raise ImageError(f"{self._files.name} lacks the layer {path}")
        with self._files.open(path) as stream:
            kind = detect(stream.read(16))
            if kind == "plain":
                self._paths[diff_id] = path
                return Descriptor(OCI_LAYER, diff_id, size)
        if kind not in _TYPES:
            raise ImageError(f"{self._files.name}: the layer {path} is compressed with {kind}")
        if path not in self._layers:
            with self._files.open(path) as stream:
                hashed = hashlib.sha256()
                while chunk := stream.read(_CHUNK):
                    hashed.update(chunk)
            digest = Digest("sha256:" + hashed.hexdigest())
            self._paths[digest] = path
            self._layers[path] = Descriptor(_TYPES[kind], digest, size)
        return self._layers[path]
