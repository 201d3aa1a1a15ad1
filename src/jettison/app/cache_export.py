"""``--cache-to``: the results of a build for other machines, as an OCI artifact or inline."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jettison.app.packing import BlobMap
from jettison.app.request import CacheTo
from jettison.app.session import Session
from jettison.app.vertices import stopped_by, vertex
from jettison.errors import Cancelled, JettisonError
from jettison.export.layers import in_dialect, layer_blob, recompressed, wants
from jettison.fs.compress import Compression
from jettison.model.cachedoc import CACHE_CONFIG, CachedLayer, CacheDocument
from jettison.model.digest import Digest, sha256_digest
from jettison.model.event import Observer, Silent, Warned
from jettison.model.oci import MAX_DOCUMENT, OCI_MANIFEST, Descriptor, Manifest, encode
from jettison.model.reference import parse_reference
from jettison.model.source import BlobSource
from jettison.plan.steps import BuildPlan, HistoryEntry, ImagePlan, Merge, Step
from jettison.solve.exported import OwnLayer, Solved
from jettison.solve.images import ImageUnpacker

if TYPE_CHECKING:
    from jettison.export.assemble import Layer


class CacheExporter:
    """Exports one build's results; ``compression`` is that of the build's image."""

    def __init__(
        self,
        session: Session,
        plan: BuildPlan,
        solved: Solved,
        observer: Observer,
        cancel: threading.Event,
        compression: Compression | None,
    ) -> None:
        self._session = session
        self._store = session.store
        self._plan = plan
        self._solved = solved
        self._observer = observer
        self._cancel = cancel
        self._compression = compression or Compression()

    def inline(self, image: ImagePlan, layers: Sequence[Layer]) -> bytes:
        """The document of the steps whose ``layers`` an image has, for its config."""
        steps = _with_uppers(image.history)
        snapshot = self._solved.solver.result(image.root) if image.root is not None else ()
        by_id = dict(zip(snapshot or (), layers, strict=True))

        def layer_of(own: OwnLayer) -> CachedLayer:
            layer = by_id[own.id]
            return CachedLayer(layer.diff_id, layer.created or 0.0, alone=own.alone)

        return encode(self._solved.document(steps.__contains__, layer_of))

    def export(self, spec: CacheTo) -> None:
        """Export to a registry or a directory.

        Raises JettisonError, unless that is to be a warning only.
        """
        title = f"exporting cache to {spec.where}"
        try:
            with vertex(self._observer, title) as step:
                self._export(spec, step)
        except JettisonError as error:
            if not spec.ignore_error:
                raise
            message = f"cache {spec.where}: {error.message}"
            self._observer.emit(Warned("CacheExport", message, detail=error.hint))

    def _export(self, spec: CacheTo, step: str) -> None:
        blobs: dict[Digest, Descriptor] = {}
        origins: dict[Digest, BlobSource] = {}

        def layer_of(own: OwnLayer) -> CachedLayer:
            layer, blob, origin = self._blob(own, spec)
            blobs[blob.digest] = blob
            origins[blob.digest] = origin
            return layer

        if spec.mode == "max":
            document = self._solved.document(lambda _: True, layer_of)
        else:
            wanted = set().union(*(_with_uppers(image.history) for image in self._plan.images))
            document = self._solved.document(wanted.__contains__, layer_of)
        if not document.layers:
            message = f"cache {spec.where}: no step has a layer, so nothing is exported"
            self._observer.emit(Warned("CacheExport", message))
            return
        root, documents = _artifact(document, tuple(blobs.values()))
        if spec.type == "local":
            from jettison.export.archive import Package, write_layout

            package = Package(
                roots=[(root, ())],
                documents=documents,
                blobs=[(blob, origins[digest]) for digest, blob in blobs.items()],
                tag=spec.tag,
            )
            write_layout(package, spec.where)
            return
        self._push(spec, BlobMap(documents, origins), root, step)

    def _push(self, spec: CacheTo, source: BlobSource, root: Descriptor, step: str) -> None:
        from jettison.app.registries import registry_client
        from jettison.registry.push import push

        imported = self._solved.imported
        with (
            registry_client(self._session.environ) as client,
            stopped_by(self._cancel, client.cancel),
        ):
            push(
                client,
                source,
                root,
                [parse_reference(spec.where)],
                origins=imported.repositories if imported is not None else None,
                observer=self._observer,
                step=step,
            )

    def _blob(self, own: OwnLayer, spec: CacheTo) -> tuple[CachedLayer, Descriptor, BlobSource]:
        """A layer as it is exported: as an imported cache has it, or made of its directory."""
        kind: Any = spec.compression
        compression = Compression(kind, spec.level) if kind else self._compression
        imported = self._solved.imported
        known = imported.blob(own.id) if imported is not None else None
        origin: BlobSource = self._store.blobs
        if known is not None:
            diff_id, blob, created = known.diff_id, known.descriptor, known.created
            if spec.force and wants(blob, compression):
                with known.open(self._store) as stream:
                    blob = recompressed(self._store, stream, diff_id, compression)
            else:
                origin = known.source(self._store)
        else:
            made = layer_blob(
                self._store,
                own.id,
                own.below,
                compression,
                progress=self._watch,
                prepare=lambda: self._unpack_base(own),
            )
            diff_id, blob = made.diff_id, made.descriptor
            created = self._store.layers.created(own.id) or 0.0
        blob = in_dialect(blob, oci=True)
        return CachedLayer(diff_id, created, blob.digest, own.alone), blob, origin

    def _watch(self, _: int) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _unpack_base(self, own: OwnLayer) -> None:
        """A layer's tar is made with a look at what lies below it."""
        if own.base is None or not self._store.layers.missing(own.below):
            return
        prefix = "user" if self._session.rootless else "trusted"
        unpacker = ImageUnpacker(self._store, Silent(), self._cancel, prefix)
        unpacker.unpack(self._plan.sources[own.base.diff_ids], "base")


def _artifact(
    document: CacheDocument, blobs: tuple[Descriptor, ...]
) -> tuple[Descriptor, dict[Digest, bytes]]:
    """The manifest of a cache, and its documents by digest."""
    config = encode(document)
    if len(config) > MAX_DOCUMENT:
        raise JettisonError(
            f"the cache has {len(document.results)} results; its list takes {len(config)} bytes "
            f"and may take {MAX_DOCUMENT}",
            hint="export less of it with mode=min",
        )
    described = Descriptor(CACHE_CONFIG, sha256_digest(config), len(config))
    manifest = encode(
        Manifest(schemaVersion=2, mediaType=OCI_MANIFEST, config=described, layers=blobs)
    )
    root = Descriptor(OCI_MANIFEST, sha256_digest(manifest), len(manifest))
    return root, {described.digest: config, root.digest: manifest}


def _with_uppers(history: Sequence[HistoryEntry]) -> set[Step]:
    """The steps that make an image's layers; of COPY --link also what is laid on the rest."""
    steps = {entry.step for entry in history if entry.step is not None}
    return steps | {step.upper for step in steps if isinstance(step, Merge)}
