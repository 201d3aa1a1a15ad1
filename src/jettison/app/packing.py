"""From solved snapshots to images: documents assembled, layers made into blobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from msgspec import Struct, field, structs

from jettison.app.session import Session
from jettison.errors import Cancelled, JettisonError, NotFoundError
from jettison.export.assemble import Image, Layer, NewEntry, assemble, index_of
from jettison.export.layers import in_dialect, layer_blob, recompressed, wants
from jettison.fs.compress import Compression
from jettison.model.digest import Digest, parse_digest, sha256_digest
from jettison.model.oci import Descriptor
from jettison.model.platform import Platform
from jettison.model.source import BlobSource, ResolvedImage, ResumableSource
from jettison.plan.steps import BuildPlan, ImagePlan, Merge, Step
from jettison.solve.images import layers_of, remember_layers

if TYPE_CHECKING:
    from jettison.app.annotations import Annotation
    from jettison.app.attestations import Attestations
    from jettison.attest.statement import Attached, Predicate
    from jettison.export.archive import Package
    from jettison.fs.stack import Stack
    from jettison.solve.imported import CachedBlob, Imported
    from jettison.store.store import Store


class PackOptions(Struct, frozen=True):
    """What decides the bytes of an image besides its files."""

    compression: Compression = field(default_factory=Compression)
    force: bool = False
    oci: bool = True
    rewrite_timestamp: bool = False
    annotations: tuple[Annotation, ...] = ()
    inline_cache: bool = False
    attested: Attested | None = None


Inline = Callable[[ImagePlan, Sequence[Layer]], bytes]
"""The inline cache of an image with these layers, as JSON."""


class Attested(Struct, frozen=True):
    """What decides the attestations of an image: its names, as ``artifact`` of the OCI or as an
    image (``oci-artifact=false``), and whether those for image outputs alone are wanted.
    """

    names: tuple[str, ...]
    artifact: bool = True
    inline: bool = True


class Packed(Struct, frozen=True):
    """Images as documents and blobs. ``root`` is the manifest, or the index of several.

    ``origins`` says where each blob is read; the store holds the new ones.
    """

    images: tuple[Image, ...]
    root: Descriptor
    index: bytes | None
    origins: Mapping[Digest, BlobSource] = field(default_factory=dict)
    attached: tuple[Attached, ...] = ()

    def documents(self) -> dict[Digest, bytes]:
        found = {sha256_digest(i.config): i.config for i in self.images}
        found |= {i.descriptor.digest: i.manifest for i in self.images}
        for attached in self.attached:
            found |= attached.documents
        if self.index is not None:
            found[self.root.digest] = self.index
        return found

    def package(self, names: tuple[str, ...], *, docker: bool) -> Package:
        """What an archive or layout of these images holds."""
        from jettison.export.archive import DockerImage, Package

        return Package(
            roots=[(self.root, names)],
            documents=self.documents(),
            blobs=[(b, self.origins[b.digest]) for i in self.images for b in i.layers],
            docker=[
                DockerImage(i.image_id, tuple(parse_digest(b.digest) for b in i.layers), names)
                for i in self.images
            ]
            if docker
            else (),
        )

    def blobs(self) -> BlobSource:
        """All blobs and documents as one source."""
        return BlobMap(self.documents(), self.origins)

    def keep(self, store: Store, names: Sequence[str]) -> None:
        """Have the images in the store, under ``names`` (dangling without any)."""
        for image in self.images:
            for blob in image.layers:
                if not store.blobs.has(blob.digest, blob.size):
                    store.blobs.fetch(blob, self.origins[blob.digest])
        for image in self.images:
            store.blobs.ingest_bytes(image.config)
            store.blobs.ingest_bytes(image.manifest)
        for attached in self.attached:
            for document in attached.documents.values():
                store.blobs.ingest_bytes(document)
        if self.index is not None:
            store.blobs.ingest_bytes(self.index)
        store.images.name(self.root, names)


class Packer:
    """Packs the images of one build, once for each set of options."""

    def __init__(
        self,
        session: Session,
        plan: BuildPlan,
        snapshots: Mapping[Step, tuple[str, ...]],
        cancel: threading.Event,
        *,
        imported: Imported | None = None,
        inline: Inline | None = None,
        attestations: Attestations | None = None,
    ) -> None:
        self._attestations = attestations
        self._session = session
        self._store = session.store
        self._plan = plan
        self._snapshots = snapshots
        self._cancel = cancel
        self._imported = imported
        self._inline = inline
        self._packed: dict[PackOptions, Packed] = {}

    def pack(self, options: PackOptions) -> Packed:
        """The images with these options; layers that have no such blob yet get one."""
        known = self._packed.get(options)
        if known is None:
            known = self._packed[options] = self._pack(options)
        return known

    def trees(self) -> list[tuple[Platform, Stack, int | None]]:
        """The file system of each image, with all layers on disk, and the epoch for its times."""
        from jettison.fs.stack import Stack

        trees = []
        for image in self._plan.images:
            layers = self._layers(image)
            self._unpack_base(image)
            paths = [str(self._store.layers.path(layer)) for layer in layers]
            trees.append((image.platform, Stack(paths), image.epoch))
        return trees

    def _layers(self, image: ImagePlan) -> tuple[str, ...]:
        return self._snapshots[image.root] if image.root is not None else ()

    def _pack(self, options: PackOptions) -> Packed:
        origins: dict[Digest, BlobSource] = {}
        indexed = self.indexed
        attesting = self._attests(options)
        if options.annotations:
            from jettison.app.annotations import check

            platforms = [image.platform for image in self._plan.images]
            check(options.annotations, platforms, oci=options.oci, index=indexed or attesting)
        images = tuple(self._image(image, options, origins) for image in self._plan.images)
        attached = self._attached(images, options) if attesting else ()
        if len(images) == 1 and not attached:
            return Packed(images, images[0].descriptor, None, origins)
        members = [*(i.descriptor for i in images), *(a.descriptor for a in attached)]
        index, root = index_of(members, annotations=_annotated("index", options), oci=options.oci)
        root = structs.replace(root, annotations=_annotated("index-descriptor", options))
        return Packed(images, root, index, origins, attached)

    @property
    def indexed(self) -> bool:
        """Whether the result is an index also without attestations."""
        return len(self._plan.images) > 1 or self._plan.multi_platform

    def _attests(self, options: PackOptions) -> bool:
        found, wanted = self._attestations, options.attested
        return found is not None and wanted is not None and found.wanted(inline=wanted.inline)

    def _attached(self, images: tuple[Image, ...], options: PackOptions) -> tuple[Attached, ...]:
        wanted = options.attested
        assert self._attestations is not None and wanted is not None
        found = (
            self._attestations.attach(
                plan, image, wanted.names, inline=wanted.inline, artifact=wanted.artifact
            )
            for plan, image in zip(self._plan.images, images, strict=True)
        )
        return tuple(found)

    def statements(self) -> list[tuple[ImagePlan, list[Predicate]]]:
        """What is stated of each image's tree, for outputs that are files."""
        found = self._attestations
        return [
            (plan, found.predicates(plan, None, inline=False) if found is not None else [])
            for plan in self._plan.images
        ]

    def _image(
        self,
        plan: ImagePlan,
        options: PackOptions,
        origins: dict[Digest, BlobSource],
    ) -> Image:
        snapshot = self._layers(plan)
        base = plan.base
        count = len(base.layers) if base is not None else 0
        layers = self._base_layers(base, options, origins) if base is not None else []
        for number in range(count, len(snapshot)):
            layers.append(self._new_layer(snapshot, number, plan, options, origins))
        if not options.rewrite_timestamp:
            remember_layers(self._store, tuple(layer.diff_id for layer in layers), snapshot)
        entries = [
            NewEntry(entry.created_by, entry.comment, entry.step is None) for entry in plan.history
        ]
        image = assemble(
            plan.config,
            plan.platform,
            layers,
            entries,
            epoch=plan.epoch,
            annotations=_annotated("manifest", options, plan.platform),
            oci=options.oci,
            inline_cache=self._inline(plan, layers)
            if options.inline_cache and self._inline is not None
            else None,
        )
        on_descriptor = _annotated("manifest-descriptor", options, plan.platform)
        return structs.replace(
            image, descriptor=structs.replace(image.descriptor, annotations=on_descriptor)
        )

    def _new_layer(
        self,
        snapshot: tuple[str, ...],
        number: int,
        plan: ImagePlan,
        options: PackOptions,
        origins: dict[Digest, BlobSource],
    ) -> Layer:
        def progress(_: int) -> None:
            if self._cancel.is_set():
                raise Cancelled

        if options.rewrite_timestamp and plan.epoch is None:
            raise JettisonError(
                "rewrite-timestamp needs SOURCE_DATE_EPOCH",
                hint="pass --build-arg SOURCE_DATE_EPOCH=SECONDS",
            )
        known = self._imported.blob(snapshot[number]) if self._imported is not None else None
        if known is not None and not options.rewrite_timestamp:
            return self._cached_layer(known, options, origins)
        made = layer_blob(
            self._store,
            snapshot[number],
            _made_on(snapshot, number, plan),
            options.compression,
            clamp=plan.epoch if options.rewrite_timestamp else None,
            progress=progress,
            prepare=lambda: self._unpack_base(plan),
        )
        blob = in_dialect(made.descriptor, oci=options.oci)
        origins[blob.digest] = self._store.blobs
        return Layer(made.diff_id, blob, self._store.layers.created(snapshot[number]))

    def _cached_layer(
        self, known: CachedBlob, options: PackOptions, origins: dict[Digest, BlobSource]
    ) -> Layer:
        """A layer as an imported cache has it, which may be the only one that does."""
        source = _StoreFirst(self._store, known.cache.origin)
        blob = self._taken_over(known.descriptor, known.diff_id, source, options, origins)
        return Layer(known.diff_id, blob, known.created)

    def _taken_over(
        self,
        blob: Descriptor,
        diff_id: Digest,
        source: BlobSource,
        options: PackOptions,
        origins: dict[Digest, BlobSource],
    ) -> Descriptor:
        """A blob that was made elsewhere; in another compression only if that is forced."""
        if options.force and wants(blob, options.compression):
            with source.open_blob(blob) as stream:
                blob = recompressed(self._store, stream, diff_id, options.compression)
            source = self._store.blobs
        blob = in_dialect(blob, oci=options.oci)
        origins[blob.digest] = source
        return blob

    def _base_layers(
        self, base: ResolvedImage, options: PackOptions, origins: dict[Digest, BlobSource]
    ) -> list[Layer]:
        layers = []
        for diff_id, blob in zip(base.diff_ids, base.layers, strict=True):
            source = _StoreFirst(self._store, base.origin)
            blob = self._taken_over(blob, diff_id, source, options, origins)
            layers.append(Layer(diff_id, blob))
        return layers

    def _unpack_base(self, plan: ImagePlan) -> None:
        """A layer's tar is made with a look at what lies below it."""
        if plan.base is None:
            return
        layers = layers_of(self._store, plan.base.diff_ids)
        if self._store.layers.missing(layers):
            from jettison.model.event import Silent
            from jettison.solve.images import ImageUnpacker

            prefix = "user" if self._session.rootless else "trusted"
            ImageUnpacker(self._store, Silent(), self._cancel, prefix).unpack(plan.base, "base")


def _annotated(kind: str, options: PackOptions, platform: Platform | None = None) -> dict[str, str]:
    if not options.annotations:
        return {}
    from jettison.app.annotations import of

    return of(kind, options.annotations, platform)


def _made_on(snapshot: tuple[str, ...], number: int, plan: ImagePlan) -> tuple[str, ...]:
    """The layers below layer ``number`` when it was made: none for what COPY --link made."""
    steps = [entry.step for entry in plan.history if entry.step is not None]
    step = steps[number - len(snapshot)] if len(snapshot) - number <= len(steps) else None
    return () if isinstance(step, Merge) else snapshot[:number]


class _StoreFirst(Struct, frozen=True):
    """Blobs made elsewhere: from the store if they are there, else from where it was found."""

    store: Store
    origin: BlobSource

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        if self.store.blobs.has(descriptor.digest, descriptor.size):
            return self.store.blobs.open_blob(descriptor)
        return self.origin.open_blob(descriptor)

    def open_blob_from(self, descriptor: Descriptor, offset: int) -> IO[bytes]:
        if isinstance(self.origin, ResumableSource):
            return self.origin.open_blob_from(descriptor, offset)
        stream = self.open_blob(descriptor)
        while offset and (data := stream.read(min(offset, 1 << 18))):
            offset -= len(data)
        return stream

    def may_differ(self) -> bool:
        return isinstance(self.origin, ResumableSource) and self.origin.may_differ()


class BlobMap(Struct, frozen=True):
    """Documents held in memory and blobs where they are, as one source."""

    documents: Mapping[Digest, bytes]
    origins: Mapping[Digest, BlobSource]

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        import io

        document = self.documents.get(descriptor.digest)
        if document is not None:
            return io.BytesIO(document)
        origin = self.origins.get(descriptor.digest)
        if origin is None:
            raise NotFoundError(f"blob {descriptor.digest} is not part of the image")
        return origin.open_blob(descriptor)
