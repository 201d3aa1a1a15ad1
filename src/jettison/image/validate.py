"""Checking that an image is what its documents say: digests, sizes, types, layers."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from jettison.errors import ArchiveError, ImageError, NotFoundError
from jettison.model.digest import Digest, algorithm_of, parse_digest
from jettison.model.finding import Finding
from jettison.model.oci import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
)
from jettison.model.platform import matches
from jettison.model.resolve import (
    is_attestation,
    read_config,
    read_document,
    read_index,
    read_manifest,
)
from jettison.model.source import BlobSource

if TYPE_CHECKING:
    from jettison.fs.decompress import Readable

_COMPRESSION = {
    OCI_LAYER: "plain",
    OCI_LAYER_GZIP: "gzip",
    OCI_LAYER_ZSTD: "zstd",
    DOCKER_LAYER: "plain",
    DOCKER_LAYER_GZIP: "gzip",
}
_OCI = frozenset({OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD})
_DOCKER = frozenset({DOCKER_INDEX, DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP})
_MAX_DEPTH = 4
_MAX_RATIO = 2000
_MAX_PATHS = 4_000_000
"""Paths of one layer that are compared; a hash of 8 bytes is kept of each."""
_KINDS = frozenset(b"%c" % kind for kind in b"0123456")


def validate(source: BlobSource, descriptor: Descriptor) -> list[Finding]:
    """Everything that is wrong with the image (manifest or index) ``descriptor``.

    Codes: BlobMissing, BlobContent (size or digest), Document (malformed), MediaType, Platform,
    LayerCount, HistoryCount, LayerArchive (no tar, or a damaged one), DiffID, LayerPath
    (duplicate, absolute or leading out), LayerLink (a hard link to what is not in the layer before
    it). Reads every blob once, in bounded memory. Raises only what ``source`` raises besides
    NotFoundError and ImageError.
    """
    check = _Check(source)
    check.image(descriptor, 0)
    return check.findings


@dataclass
class _Check:
    source: BlobSource
    findings: list[Finding] = field(default_factory=list)
    _seen: set[Digest] = field(default_factory=set)
    _diff_ids: dict[Digest, Digest | None] = field(default_factory=dict)

    def find(self, code: str, message: str, evidence: str = "") -> None:
        self.findings.append(Finding(code, "error", message, evidence=evidence))

    def image(self, descriptor: Descriptor, depth: int) -> None:
        if descriptor.digest in self._seen:
            return
        self._seen.add(descriptor.digest)
        if depth == _MAX_DEPTH:
            self.find("Document", f"indexes are nested more than {_MAX_DEPTH} deep")
            return
        if descriptor.mediaType not in INDEX_TYPES | MANIFEST_TYPES:
            self.find("MediaType", f"{descriptor.digest} is neither manifest nor index",
                      descriptor.mediaType)  # fmt: skip
            return
        if not self.has_content(descriptor):
            return
        try:
            if descriptor.mediaType in INDEX_TYPES:
                self.index(descriptor, depth)
            else:
                self.manifest(descriptor)
        except ImageError as error:
            self.find("Document", error.message)

    def has_content(self, descriptor: Descriptor) -> bool:
        """Whether a document is there and is what its descriptor says."""
        try:
            read_document(self.source, descriptor)
        except NotFoundError as error:
            self.find("BlobMissing", error.message)
        except ImageError as error:
            self.find("BlobContent", error.message)
        else:
            return True
        return False

    def index(self, descriptor: Descriptor, depth: int) -> None:
        for member in read_index(self.source, descriptor).manifests:
            self.dialect(descriptor, member)
            self.image(member, depth + 1)

    def manifest(self, descriptor: Descriptor) -> None:
        manifest = read_manifest(self.source, descriptor)
        if is_attestation(descriptor):
            for part in (manifest.config, *manifest.layers):
                self.blob(part)
            return
        for part in (manifest.config, *manifest.layers):
            self.dialect(descriptor, part)
        for layer in manifest.layers:
            if layer.mediaType not in _COMPRESSION:
                self.find("MediaType", f"layer {layer.digest} is of no known type", layer.mediaType)
        if manifest.config.mediaType not in (OCI_CONFIG, DOCKER_CONFIG):
            self.find("MediaType", "the config is no image config", manifest.config.mediaType)
            return
        if not self.has_content(manifest.config):
            return
        config = read_config(self.source, manifest)
        self.counts(descriptor, manifest, config)
        for number, layer in enumerate(manifest.layers):
            diff_id = self.layer(layer)
            named = config.rootfs.diff_ids[number : number + 1]
            if diff_id is not None and named and diff_id != named[0]:
                self.find(
                    "DiffID",
                    f"layer {number + 1} is {diff_id} uncompressed, the config says {named[0]}",
                )

    def blob(self, blob: Descriptor) -> None:
        """Read a blob through that is no layer: a statement, or the config of statements."""
        try:
            with self.source.open_blob(blob) as stream:
                read = _Hashed(stream, algorithm_of(parse_digest(blob.digest)))
                read.drain()
        except NotFoundError as error:
            self.find("BlobMissing", error.message)
            return
        if (read.size, read.digest) != (blob.size, blob.digest):
            self.find("BlobContent", f"{blob.digest} of {blob.size} bytes has other content")

    def dialect(self, parent: Descriptor, part: Descriptor) -> None:
        """OCI and Docker types are not to be mixed: some registries refuse that."""
        wrong = _DOCKER if parent.mediaType in _OCI else _OCI
        if part.mediaType in wrong:
            self.find("MediaType", f"{part.digest} is of the other format than {parent.digest}",
                      part.mediaType)  # fmt: skip

    def counts(self, descriptor: Descriptor, manifest: Manifest, config: ImageConfig) -> None:
        layers, diff_ids = len(manifest.layers), len(config.rootfs.diff_ids)
        if layers != diff_ids:
            self.find("LayerCount", f"{layers} layers, but {diff_ids} diff IDs in the config")
        if config.history is not None:
            lines = sum(not line.empty_layer for line in config.history)
            if lines != diff_ids:
                self.find("HistoryCount", f"{diff_ids} layers, but {lines} in the history")
        if descriptor.platform is not None and not matches(descriptor.platform, config.platform):
            self.find(
                "Platform",
                f"{descriptor.digest} is listed for {descriptor.platform}, its config says "
                f"{config.platform}",
            )

    def layer(self, layer: Descriptor) -> Digest | None:
        """Read a layer through; returns its diff ID, None if it could not be told."""
        if layer.digest in self._diff_ids:
            return self._diff_ids[layer.digest]
        self._diff_ids[layer.digest] = None
        try:
            with self.source.open_blob(layer) as stream:
                packed = _Hashed(stream, algorithm_of(parse_digest(layer.digest)))
                diff_id = self.unpack(layer, packed)
                packed.drain()
        except NotFoundError as error:
            self.find("BlobMissing", error.message)
            return None
        except ImageError as error:
            self.find("BlobContent", error.message)
            return None
        if (packed.size, packed.digest) != (layer.size, layer.digest):
            self.find(
                "BlobContent",
                f"layer {layer.digest} of {layer.size} bytes has other content",
                f"{packed.digest}, {packed.size} bytes",
            )
        self._diff_ids[layer.digest] = diff_id
        return diff_id

    def unpack(self, layer: Descriptor, packed: _Hashed) -> Digest | None:
        from jettison.fs.decompress import open_decompressed

        try:
            with open_decompressed(packed, max_ratio=_MAX_RATIO) as stream:
                expected = _COMPRESSION.get(layer.mediaType, stream.kind)
                if stream.kind != expected:
                    self.find("MediaType", f"layer {layer.digest} is {stream.kind}",
                              layer.mediaType)  # fmt: skip
                plain = _Hashed(stream, "sha256")
                for code, message in _path_faults(plain):
                    self.find(code, f"layer {layer.digest}: {message}")
                plain.drain()
                return plain.digest
        except ArchiveError as error:
            self.find("LayerArchive", f"layer {layer.digest}: {error.message}")
            return None


class _Hashed:
    """Passes a stream through, counting and hashing."""

    def __init__(self, stream: IO[bytes] | Readable, algorithm: str) -> None:
        self._stream = stream
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    def drain(self) -> None:
        while self.read(1 << 20):
            pass

    @property
    def digest(self) -> Digest:
        return Digest(f"{self._algorithm}:{self._hash.hexdigest()}")


def _path_faults(stream: _Hashed) -> Iterator[tuple[str, str]]:
    """What is wrong with the names in a layer's tar. Raises ArchiveError."""
    from jettison.fs.tarread import TarReader

    reader = TarReader(stream)
    seen: set[bytes] = set()
    while (member := reader.next()) is not None:
        name = member.name.decode("utf-8", "surrogateescape")
        clean = posixpath.normpath("/" + name)
        key = _short(clean)
        if name.startswith("/") or ".." in name.split("/"):
            yield "LayerPath", f"the path {name!r} leads out of the image"
        if key in seen:
            yield "LayerPath", f"the path {clean!r} comes twice"
        if member.type == b"1":
            target = posixpath.normpath("/" + member.target.decode("utf-8", "surrogateescape"))
            if _short(target) not in seen:
                yield "LayerLink", f"{clean!r} is a link to {target!r}, which is not before it"
        if member.type not in _KINDS:
            yield "LayerArchive", f"{clean!r} is of the unknown type {member.type!r}"
        if len(seen) < _MAX_PATHS:
            seen.add(key)


def _short(path: str) -> bytes:
    return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()
