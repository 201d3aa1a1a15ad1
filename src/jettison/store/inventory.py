"""What the store holds, who needs it, how large it is and when it was last used."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator

from msgspec import Struct

from jettison.errors import StoreError
from jettison.model.digest import Digest
from jettison.model.oci import MAX_DOCUMENT, OCI_INDEX, OCI_MANIFEST, Descriptor
from jettison.store.blobs import Blobs
from jettison.store.database import Database
from jettison.store.images import Images
from jettison.store.layers import Layers
from jettison.store.lease import blob_mark, layer_mark
from jettison.store.mounts import CacheMounts
from jettison.store.names import Names
from jettison.store.paths import Paths
from jettison.store.trees import tree_size


class Item(Struct, frozen=True):
    """Something that takes space.

    ``kind`` is ``image`` (its blobs), ``layer`` (unpacked), ``blob`` (one that no named image
    has) or ``mount`` (a cache mount). Sizes are bytes on disk, for layers with every file counted
    in full although layers may share it; times are seconds since the epoch. ``in_use``: a running
    build uses it. ``reclaimable``: pruning everything would take it. ``seconds``: how long
    it took to make, as far as known.
    """

    kind: str
    id: str
    description: str
    size: int
    created: float
    used: float
    in_use: bool = False
    reclaimable: bool = True
    seconds: float = 0.0


class Parts(Struct, frozen=True):
    """The parts of a store that an inventory looks at."""

    paths: Paths
    database: Database
    blobs: Blobs
    layers: Layers
    names: Names
    images: Images
    mounts: CacheMounts


class Record(Struct, frozen=True):
    """A cache record, as far as collecting needs it."""

    key: str
    layers: tuple[str, ...]
    description: str
    created: float
    used: float


class Inventory:
    """One look at the store. ``marks`` are those of all leases, ``sizes`` those of layers."""

    def __init__(self, parts: Parts, marks: set[str], sizes: dict[str, int]) -> None:
        self._parts = parts
        self._sizes = sizes
        self._marks = marks
        self.records = [
            Record(key, tuple(layers.split()), description, created, used)
            for key, layers, description, created, used in parts.database.rows(
                "SELECT key, layers, description, created, used FROM records"
            )
        ]
        self.on_disk = set(os.listdir(parts.paths.layers))
        self._images = parts.names.list()
        self.image_blobs = self._closure(image.descriptor for image in self._images)
        self.leased_blobs = self._closure(map(self._guess, self._marked_blobs()))

    def uses_layer(self, layer: str) -> bool:
        return layer_mark(layer) in self._marks

    def layer_items(self) -> list[Item]:
        """All unpacked layers; those of no record have no description."""
        facts = {
            layer: (created, used, seconds)
            for layer, created, used, seconds in self._parts.database.rows(
                "SELECT id, created, used, seconds FROM layers"
            )
        }
        last_use: dict[str, float] = {}
        names: dict[str, str] = {}
        for record in sorted(self.records, key=lambda r: r.created):
            for layer in record.layers:
                last_use[layer] = max(last_use.get(layer, 0.0), record.used)
            if record.layers:
                names[record.layers[-1]] = record.description
        items = []
        for layer in self.on_disk:
            created, used, seconds = facts.get(layer, (0.0, 0.0, 0.0))
            size = self._sizes.get(layer, 0)
            in_use = self.uses_layer(layer)
            used = max(used, last_use.get(layer, 0.0))
            name = names.get(layer, "")
            items.append(
                Item("layer", layer, name, size, created, used, in_use, not in_use, seconds)
            )
        return items

    def recorded_layers(self) -> set[str]:
        """Layers that some record names."""
        return {layer for record in self.records for layer in record.layers}

    def blob_items(self) -> tuple[list[Item], list[Item]]:
        """Blobs no named image has: those that are remembered for something, and the others."""
        remembered: dict[str, tuple[str, float]] = {}
        for digest, layer, used in self._parts.database.rows(
            "SELECT digest, layer, used FROM layer_blobs"
        ):
            remembered[digest] = (f"of layer {layer}", used)
        for digest, used in self._parts.database.rows("SELECT digest, used FROM results"):
            for member in self._closure([self._guess(Digest(digest))]):
                known = remembered.get(member, ("of a result", 0.0))
                remembered[member] = (known[0], max(known[1], used))
        kept: list[Item] = []
        others: list[Item] = []
        for digest, status in self._all_blobs():
            if digest in self.image_blobs:
                continue
            in_use = digest in self.leased_blobs
            description, used = remembered.get(digest, ("", status.st_mtime))
            size = status.st_blocks * 512
            item = Item(
                "blob", digest, description, size, status.st_mtime, used, in_use, not in_use
            )
            (kept if digest in remembered else others).append(item)
        return kept, others

    def image_items(self) -> list[Item]:
        """Named and dangling images; blobs that several have are counted for each."""
        return [image_item(self._parts, n, d, self._marks) for n, d in self._images]

    def _closure(self, descriptors: Iterable[Descriptor]) -> set[Digest]:
        found: set[Digest] = set()
        for descriptor in descriptors:
            if descriptor.digest not in found:
                found.update(self._parts.images.references(descriptor))
        return found

    def _marked_blobs(self) -> Iterator[Digest]:
        prefix = blob_mark("")
        for mark in self._marks:
            if mark.startswith(prefix):
                yield Digest(mark[len(prefix) :])

    def _guess(self, digest: Digest) -> Descriptor:
        """A descriptor for a blob of which only the digest is known."""
        kind, size = "", 0
        with contextlib.suppress(OSError, ValueError, RecursionError):
            path = self._parts.blobs.path(digest)
            size = path.stat().st_size
            if size <= MAX_DOCUMENT:
                with path.open("rb") as file:
                    data = file.read() if file.read(1) == b"{" else b""
                document = json.loads(b"{" + data) if data else {}
                kind = OCI_INDEX if "manifests" in document else kind
                kind = OCI_MANIFEST if "layers" in document else kind
        return Descriptor(mediaType=kind, digest=digest, size=size)

    def _all_blobs(self) -> Iterator[tuple[Digest, os.stat_result]]:
        for algorithm in os.listdir(self._parts.paths.blobs):
            with os.scandir(self._parts.paths.blobs / algorithm) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        yield Digest(f"{algorithm}:{entry.name}"), entry.stat()


def image_item(parts: Parts, name: str | None, descriptor: Descriptor, marks: set[str]) -> Item:
    """An entry of the index; only what has no name is reclaimable."""
    members = parts.images.references(descriptor)
    size = sum(parts.blobs.size(digest) or 0 for digest in members)
    came = 0.0
    with contextlib.suppress(OSError):
        came = parts.blobs.path(descriptor.digest).stat().st_mtime
    in_use = blob_mark(descriptor.digest) in marks
    free = name is None and not in_use
    return Item("image", descriptor.digest, name or "", size, came, came, in_use, free)


def mount_items(parts: Parts) -> list[Item]:
    """Cache mounts. One in use is found out when it is taken."""
    mounts = parts.mounts
    return [
        Item("mount", str(place), mounts.name(place), mounts.size(place), 0.0, mounts.used(place))
        for place in mounts.all()
    ]


def measure_layers(parts: Parts) -> dict[str, int]:
    """The sizes of all layers; those nobody measured yet (a commit does not look into them) are
    measured and remembered.
    """
    rows = parts.database.rows("SELECT id, size FROM layers WHERE size IS NOT NULL")
    sizes: dict[str, int] = dict(rows)
    for layer in set(os.listdir(parts.paths.layers)) - set(sizes):
        with contextlib.suppress(FileNotFoundError):
            sizes[layer] = _measure(parts, layer)
    return sizes


def _measure(parts: Parts, layer: str) -> int:
    path = parts.layers.path(layer)
    size = tree_size(path)
    seen = path.stat().st_ctime
    with contextlib.suppress(StoreError):  # on a full disk nothing can be remembered
        parts.database.run(
            (
                "INSERT INTO layers (id, created, used, size, boot) VALUES (?, ?, ?, ?, '') "
                "ON CONFLICT (id) DO UPDATE SET size = excluded.size",
                (layer, seen, seen, size),
            )
        )
    return size
