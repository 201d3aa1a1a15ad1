"""Images of the store: pull, push, load, save, list, tag, remove, inspect."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from msgspec import Struct

from jettison.app.registries import registry_client
from jettison.app.session import open_store
from jettison.app.vertices import stopped_by, vertex
from jettison.errors import JettisonError, NotFoundError, StoreError
from jettison.model.event import Observer
from jettison.model.oci import INDEX_TYPES, Descriptor
from jettison.model.platform import Platform
from jettison.model.reference import Reference, parse_reference
from jettison.store.store import Store


class ImageRow(Struct, frozen=True):
    """One line of ``jettison images``. ``size`` is that of the compressed blobs, in bytes."""

    repository: str
    tag: str
    image_id: str
    digest: str
    created: str
    size: int
    platforms: tuple[str, ...]


def pull(
    name: str,
    observer: Observer,
    *,
    environ: Mapping[str, str],
    cancel: threading.Event,
    platform: Platform | None = None,
    all_platforms: bool = False,
) -> str:
    """Bring an image into the store; returns the digest of its manifest (or index).

    ``platform`` None is this host's.
    """
    from jettison.app.planning import build_platform
    from jettison.registry.pull import pull as pull_image

    reference = parse_reference(name)
    wanted = None if all_platforms else platform or build_platform()
    with (
        open_store(environ) as store,
        registry_client(environ) as client,
        stopped_by(cancel, client.cancel),
        vertex(observer, f"pull {reference.familiar}") as step,
    ):
        found = pull_image(
            client,
            reference,
            store.blobs,
            lambda descriptor: store.images.name(descriptor, [str(reference)]),
            platform=wanted,
            observer=observer,
            step=step,
        )
        _note_origin(store, reference, found)
    return found.digest


def push(
    name: str, observer: Observer, *, environ: Mapping[str, str], cancel: threading.Event
) -> str:
    """Send an image of the store to the registry its name says; returns its digest."""
    from jettison.registry.push import push as push_image

    reference = parse_reference(name)
    with open_store(environ) as store, registry_client(environ) as client:
        descriptor = store.images.find(name)
        _check_complete(store, name, descriptor)
        with (
            stopped_by(cancel, client.cancel),
            vertex(observer, f"push {reference.familiar}") as step,
        ):
            push_image(
                client,
                store.blobs,
                descriptor,
                [reference],
                origins=store.origins.of,
                observer=observer,
                step=step,
            )
        _note_origin(store, reference, descriptor)
    return descriptor.digest


def load(stream: IO[bytes], observer: Observer, *, environ: Mapping[str, str]) -> list[str]:
    """Bring every image of an archive (docker save, OCI layout) into the store; returns names."""
    from jettison.image.load import load_archive

    with open_store(environ) as store, store.staging.directory() as scratch:
        return load_archive(stream, store.images, scratch=str(scratch))


def save(
    names: Sequence[str],
    out: IO[bytes],
    *,
    environ: Mapping[str, str],
    format: str = "docker",
) -> None:
    """Write images as one archive that docker, podman and skopeo load."""
    from jettison.app.saving import save_images

    with open_store(environ) as store:
        save_images(store, names, out, format)


def list_images(*, environ: Mapping[str, str]) -> list[ImageRow]:
    """The images of the store, newest first; repository and tag are ``<none>`` without a name."""
    with open_store(environ) as store:
        rows = [
            ImageRow(
                *_repository_and_tag(image.name),
                image.image_id,
                image.descriptor.digest,
                image.created,
                image.size,
                image.platforms,
            )
            for image in store.images.list()
        ]
    return sorted(rows, key=lambda row: row.created, reverse=True)


def tag(source: str, target: str, *, environ: Mapping[str, str]) -> None:
    """Let ``target`` name the image ``source`` names."""
    reference = parse_reference(target)
    if reference.digest is not None:
        raise JettisonError(f"{target}: a tag cannot hold a digest")
    with open_store(environ) as store:
        store.images.name(store.images.find(source), [str(reference)])


def remove(names: Sequence[str], *, environ: Mapping[str, str]) -> list[str]:
    """Take images away by name or id; returns the names that went. Blobs go with ``prune``."""
    with open_store(environ) as store:
        for name in names:
            store.images.find(name)  # all or nothing
        return [gone for name in names for gone in store.images.remove(name)]


def inspect(
    name: str, *, environ: Mapping[str, str], platform: Platform | None = None
) -> dict[str, Any]:
    """What is known of an image, in the words of ``docker image inspect``."""
    from jettison.app.planning import build_platform

    with open_store(environ) as store:
        descriptor = store.images.find(name)
        wanted = platform or build_platform()
        image = store.images.resolve(name, wanted)
        config = json.loads(_config_bytes(store, descriptor, image.digest))
        names = [n for n, d in store.names.list() if n and d.digest == descriptor.digest]
        return {
            "Id": _config_digest(store, image.digest),
            "Digest": descriptor.digest,
            "RepoTags": [parse_reference(n).familiar for n in names],
            "Created": config.get("created", ""),
            "Author": config.get("author", ""),
            "Os": config.get("os", ""),
            "Architecture": config.get("architecture", ""),
            "Variant": config.get("variant", ""),
            "Config": config.get("config", {}),
            "RootFS": {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]},
            "History": config.get("history", []),
            "Size": sum(layer.size for layer in image.layers),
            "Layers": [json.loads(_json(layer)) for layer in image.layers],
        }


def _repository_and_tag(name: str | None) -> tuple[str, str]:
    if name is None:
        return "<none>", "<none>"
    reference = parse_reference(name)
    return reference.familiar.rpartition(":")[0], reference.tag or "<none>"


def _check_complete(store: Store, name: str, descriptor: Descriptor) -> None:
    """Of an index that a build met in a registry, only what the build needed is in the store."""
    parts = store.images.references(descriptor) if descriptor.mediaType in INDEX_TYPES else ()
    if any(store.blobs.size(digest) is None for digest in parts):
        raise NotFoundError(
            f"not all platforms of {name} are in the store",
            hint="fetch them with jettison pull --all-platforms",
        )


def _note_origin(store: Store, reference: Reference, descriptor: Descriptor) -> None:
    """Remember where blobs can be mounted from by a push to the same registry."""
    with contextlib.suppress(StoreError):  # it only saves time
        store.origins.note(reference, store.images.references(descriptor))


def _manifest(store: Store, digest: str) -> dict[str, Any]:
    from jettison.model.digest import parse_digest

    document: dict[str, Any] = json.loads(store.blobs.path(parse_digest(digest)).read_bytes())
    return document


def _config_digest(store: Store, manifest: str) -> str:
    digest: str = _manifest(store, manifest)["config"]["digest"]
    return digest


def _config_bytes(store: Store, descriptor: Descriptor, manifest: str) -> bytes:
    from jettison.model.digest import parse_digest

    assert descriptor.mediaType in INDEX_TYPES or descriptor.digest == manifest
    return store.blobs.path(parse_digest(_config_digest(store, manifest))).read_bytes()


def _json(descriptor: Descriptor) -> bytes:
    from jettison.model.oci import encode

    return encode(descriptor)
