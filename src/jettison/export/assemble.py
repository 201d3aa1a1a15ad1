"""An image's documents from its plan and its layers: config, manifest, index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from jettison.errors import InternalError
from jettison.model.cachedoc import INLINE_MEMBER
from jettison.model.digest import Digest, sha256_digest
from jettison.model.oci import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    History,
    ImageConfig,
    Index,
    Manifest,
    RootFS,
    encode,
)
from jettison.model.platform import Platform


class Layer(Struct, frozen=True):
    """A layer as the image names it; ``created`` in seconds since the epoch, None in a base."""

    diff_id: Digest
    blob: Descriptor
    created: float | None = None


class NewEntry(Struct, frozen=True):
    """A line of history that this build adds; ``empty``: it has no layer."""

    created_by: str
    comment: str
    empty: bool


class Image(Struct, frozen=True):
    """The documents of one image, ready to be stored."""

    platform: Platform
    config: bytes
    manifest: bytes
    descriptor: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def image_id(self) -> Digest:
        return sha256_digest(self.config)


def assemble(
    config: ImageConfig,
    platform: Platform,
    layers: Sequence[Layer],
    entries: Sequence[NewEntry],
    *,
    epoch: int | None,
    annotations: dict[str, str],
    oci: bool = True,
    inline_cache: bytes | None = None,
) -> Image:
    """The image of ``layers`` with ``config``, whose history is the base image's.

    ``epoch`` (SOURCE_DATE_EPOCH, seconds) is the time of everything new; without it a layer's
    entry has the layer's time, and ``created`` is the time of the last layer (BuildKit,
    exporter/containerimage/writer.go). ``inline_cache`` is JSON that the config carries along.
    """
    base = list(config.history or ())
    filled = _filled([*_padded(base, layers, entries), *_new_entries(layers, entries, epoch)])
    created = rfc3339(epoch) if epoch is not None else _last_time(filled)
    document = encode(
        msgspec.structs.replace(
            config,
            created=created,
            history=tuple(filled) or None,
            rootfs=RootFS(diff_ids=tuple(layer.diff_id for layer in layers)),
        )
    )
    if inline_cache is not None:
        document = document[:-1] + b',"%s":%s}' % (INLINE_MEMBER.encode(), inline_cache)
    blobs = tuple(layer.blob for layer in layers)
    manifest = encode(
        Manifest(
            schemaVersion=2,
            mediaType=OCI_MANIFEST if oci else DOCKER_MANIFEST,
            config=Descriptor(
                OCI_CONFIG if oci else DOCKER_CONFIG, sha256_digest(document), len(document)
            ),
            layers=blobs,
            annotations=annotations,
        )
    )
    descriptor = Descriptor(
        OCI_MANIFEST if oci else DOCKER_MANIFEST,
        sha256_digest(manifest),
        len(manifest),
        platform=platform,
    )
    return Image(platform, document, manifest, descriptor, blobs)


def index_of(
    members: Iterable[Descriptor], *, annotations: dict[str, str], oci: bool = True
) -> tuple[bytes, Descriptor]:
    """The index of several manifests: one entry each, and nothing else."""
    media_type = OCI_INDEX if oci else DOCKER_INDEX
    data = encode(
        Index(
            schemaVersion=2,
            mediaType=media_type,
            manifests=tuple(members),
            annotations=annotations,
        )
    )
    return data, Descriptor(media_type, sha256_digest(data), len(data))


def rfc3339(seconds: float) -> str:
    """A time as Go writes it: UTC, the fraction without trailing zeros."""
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def _padded(
    base: list[History], layers: Sequence[Layer], entries: Sequence[NewEntry]
) -> list[History]:
    """The base's history with as many lines for layers as it has layers.

    Images exist whose history is too short or too long; BuildKit mends them in the same way.
    """
    count = len(layers) - sum(not entry.empty for entry in entries)
    if count < 0:
        raise InternalError(f"{len(layers)} layers for {len(entries)} new lines of history")
    lines = []
    for line in base:
        if not line.empty_layer and count == 0:
            line = msgspec.structs.replace(line, empty_layer=True)
        count -= not line.empty_layer
        lines.append(line)
    return lines + [History(comment="buildkit.exporter.image.v0")] * count


def _new_entries(
    layers: Sequence[Layer], entries: Sequence[NewEntry], epoch: int | None
) -> list[History]:
    own = iter(layers[len(layers) - sum(not entry.empty for entry in entries) :])
    lines = []
    for entry in entries:
        created = epoch if entry.empty else next(own).created
        if epoch is not None:
            created = epoch
        lines.append(
            History(
                created="" if created is None else rfc3339(created),
                created_by=entry.created_by,
                comment=entry.comment,
                empty_layer=entry.empty,
            )
        )
    return lines


def _filled(lines: list[History]) -> list[History]:
    """Lines without a time get that of the first new layer, later ones of the layer before."""
    created, gap = "", False
    for line in lines:
        if line.created:
            created = line.created
            if gap:
                break
        else:
            gap = True
    filled, gap = [], False
    for line in lines:
        if line.created:
            created = line.created if gap else created
            filled.append(line)
        else:
            gap = True
            filled.append(msgspec.structs.replace(line, created=created))
    return filled


def _last_time(lines: Sequence[History]) -> str:
    return next((line.created for line in reversed(lines) if line.created), "")
