"""OCI and Docker image documents as typed, frozen structures.

Field names are the JSON names (OCI image spec v1.1; Docker image spec v1.2 for the fields that
OCI left out: Healthcheck, OnBuild, Shell, ArgsEscaped). Encoding omits what is unset, so that
documents written by jettison are minimal and stable.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from jettison.errors import ImageError
from jettison.model.digest import Digest, parse_digest
from jettison.model.platform import Platform, make_platform

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

FOREIGN_LAYERS = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
"""Layers that may not be copied freely: they stay where their ``urls`` say, registries need not
have them.
"""

ANNOTATION_REF_NAME = "org.opencontainers.image.ref.name"
ANNOTATION_IMAGE_NAME = "io.containerd.image.name"

MAX_DOCUMENT = 4 << 20
"""Bytes: no manifest or config larger than this is read (the limit registries keep)."""


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a blob is: its media type, digest and size in bytes."""

    mediaType: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    artifactType: str = ""
    data: str = ""


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    schemaVersion: int
    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    mediaType: str = ""
    artifactType: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, omit_defaults=True):
    schemaVersion: int
    manifests: tuple[Descriptor, ...]
    mediaType: str = ""
    artifactType: str = ""
    annotations: dict[str, str] = {}


class Healthcheck(msgspec.Struct, frozen=True, omit_defaults=True):
    """Durations are nanoseconds."""

    Test: tuple[str, ...] = ()
    Interval: int = 0
    Timeout: int = 0
    StartPeriod: int = 0
    StartInterval: int = 0
    Retries: int = 0


class RunConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The ``config`` object of an image: how its containers run."""

    User: str = ""
    ExposedPorts: dict[str, dict[str, Any]] | None = None
    Env: tuple[str, ...] | None = None
    Entrypoint: tuple[str, ...] | None = None
    Cmd: tuple[str, ...] | None = None
    Healthcheck: Healthcheck | None = None
    ArgsEscaped: bool = False
    Volumes: dict[str, dict[str, Any]] | None = None
    WorkingDir: str = ""
    Labels: dict[str, str] | None = None
    StopSignal: str = ""
    OnBuild: tuple[str, ...] | None = None
    Shell: tuple[str, ...] | None = None


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFS(msgspec.Struct, frozen=True):
    type: str = "layers"
    diff_ids: tuple[Digest, ...] = ()


class ImageConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image configuration document. ``created`` is RFC 3339."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: tuple[str, ...] = msgspec.field(default=(), name="os.features")
    created: str = ""
    author: str = ""
    config: RunConfig = RunConfig()
    history: tuple[History, ...] | None = None
    rootfs: RootFS = msgspec.field(default_factory=RootFS)

    @property
    def platform(self) -> Platform:
        return make_platform(self.os, self.architecture, self.variant, self.os_version)


T = TypeVar("T")


def encode(document: msgspec.Struct) -> bytes:
    """The JSON bytes of a document: fields in declaration order, map keys sorted."""
    return msgspec.json.encode(document, order="deterministic")


def decode(kind: type[T], data: bytes, what: str) -> T:
    """Decode and check ``data`` as ``kind``; every digest in it is validated.

    ``what`` names the document in errors. Raises ImageError for anything that is not such a
    document, whatever the bytes are.
    """
    if len(data) > MAX_DOCUMENT:
        raise ImageError(f"{what} has {len(data)} bytes; at most {MAX_DOCUMENT} are read")
    try:
        document = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImageError(f"{what} is malformed: {error}") from None
    _check_digests(document)
    return document


def _check_digests(document: object) -> None:
    descriptors: list[Descriptor] = []
    if isinstance(document, Manifest):
        descriptors = [document.config, *document.layers]
    elif isinstance(document, Index):
        descriptors = list(document.manifests)
    elif isinstance(document, Descriptor):
        descriptors = [document]
    for descriptor in descriptors:
        parse_digest(descriptor.digest)
        if descriptor.size < 0:
            raise ImageError(f"descriptor of {descriptor.digest} has a negative size")
    if isinstance(document, ImageConfig):
        for diff_id in document.rootfs.diff_ids:
            parse_digest(diff_id)
        if "\0" in document.config.WorkingDir:
            raise ImageError("the config has a working directory with a NUL byte")
