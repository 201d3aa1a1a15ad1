"""``--cache-from``: caches in registries and directories, read before the build.

Only documents are read here; what is wrong with a cache is a warning, and the build goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from jettison.app.request import CacheFrom
from jettison.app.session import Session
from jettison.app.vertices import stopped_by, vertex
from jettison.errors import ImageError, JettisonError, NotFoundError, StoreError
from jettison.model.cachedoc import CACHE_CONFIG, INLINE_MEMBER, CacheDocument, decode_cache
from jettison.model.event import Observer
from jettison.model.oci import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    decode,
)
from jettison.model.reference import Reference, parse_reference
from jettison.model.resolve import read_document
from jettison.model.source import BlobSource
from jettison.registry.client import RegistryClient
from jettison.solve.imported import Cache, Imported, warn

_MAX_PLATFORMS = 100


_NONE = msgspec.Raw()


class _Config(msgspec.Struct):
    """An image's config, as far as its inline cache goes."""

    cache: msgspec.Raw = msgspec.field(name=INLINE_MEMBER, default=_NONE)


def import_caches(
    specs: tuple[CacheFrom, ...],
    session: Session,
    stack: ExitStack,
    observer: Observer,
    cancel: threading.Event,
) -> Imported:
    """The caches that could be read; connections and files stay open as long as ``stack``.

    Raises Cancelled, and StoreError if the store cannot be used.
    """
    importer = _Importer(session, stack, cancel)
    caches: list[Cache] = []
    for spec in specs:
        with vertex(observer, f"importing cache from {spec.where}"):
            try:
                caches += importer.read(spec)
            except StoreError:
                raise
            except JettisonError as error:
                warn(observer, spec.where, error)
    prefix = "user" if session.rootless else "trusted"
    return Imported(session.store, caches, observer, cancel, xattr_prefix=prefix)


class _Importer:
    def __init__(self, session: Session, stack: ExitStack, cancel: threading.Event) -> None:
        self._session = session
        self._stack = stack
        self._cancel = cancel
        self._client: RegistryClient | None = None

    def read(self, spec: CacheFrom) -> list[Cache]:
        if spec.type == "local":
            return self._local(spec)
        reference = parse_reference(spec.where)
        return self._registry(spec.where, reference)

    def _registry(self, name: str, reference: Reference) -> list[Cache]:
        from jettison.registry.source import RepositoryBlobs

        client = self._connected()
        root = client.resolve(reference)
        origin = RepositoryBlobs(client, reference)
        return _caches(
            name, root, origin, lambda blob: client.has_blob(reference, blob.digest), reference
        )

    def _connected(self) -> RegistryClient:
        if self._client is None:
            from jettison.app.registries import registry_client

            self._client = self._stack.enter_context(registry_client(self._session.environ))
            self._stack.enter_context(stopped_by(self._cancel, self._client.cancel))
        return self._client

    def _local(self, spec: CacheFrom) -> list[Cache]:
        from jettison.image.layout import open_layout

        layout = self._stack.enter_context(open_layout(spec.where))
        root = layout.find(spec.digest or spec.tag)

        def offers(blob: Descriptor) -> bool:
            try:
                layout.open_blob(blob).close()
            except NotFoundError:
                return False
            return True

        return _caches(spec.where, root, layout, offers, None)


def _caches(
    name: str,
    root: Descriptor,
    origin: BlobSource,
    offers: Callable[[Descriptor], bool],
    reference: Reference | None,
) -> list[Cache]:
    """The cache that ``root`` is, or the inline ones of the images it leads to."""
    found = []
    for manifest in _manifests(name, root, origin):
        config = read_document(origin, manifest.config)
        if manifest.config.mediaType == CACHE_CONFIG:
            document = decode_cache(config, f"cache {name}")
            blobs: dict[str, Descriptor] = {d.digest: d for d in manifest.layers}
            found.append(Cache(name, document, blobs, origin, offers, reference))
        elif (inline := _inline(name, config, manifest)) is not None:
            document, layers = inline
            found.append(Cache(name, document, layers, origin, offers, reference))
    if not found:
        raise ImageError(
            f"{name} holds no cache of jettison",
            hint="export one with --cache-to, or build the image with --cache-to type=inline",
        )
    return found


def _manifests(name: str, root: Descriptor, origin: BlobSource) -> list[Manifest]:
    data = read_document(origin, root)
    if root.mediaType not in INDEX_TYPES:
        return [decode(Manifest, data, name)]
    entries = [d for d in decode(Index, data, name).manifests if d.mediaType in MANIFEST_TYPES]
    return [
        decode(Manifest, read_document(origin, entry), f"{name}: {entry.digest}")
        for entry in entries[:_MAX_PLATFORMS]
    ]


def _inline(
    name: str, data: bytes, manifest: Manifest
) -> tuple[CacheDocument, dict[str, Descriptor]] | None:
    """The cache in an image's config, and the image's layers by diff ID."""
    try:
        member = msgspec.json.decode(data, type=_Config).cache
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImageError(f"config of {name} is malformed: {error}") from None
    if not bytes(member):
        return None
    document = decode_cache(bytes(member), f"inline cache of {name}")
    diff_ids = decode(ImageConfig, data, f"config of {name}").rootfs.diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise ImageError(f"{name} has {len(manifest.layers)} layers and {len(diff_ids)} diff IDs")
    return document, {str(d): blob for d, blob in zip(diff_ids, manifest.layers, strict=True)}
