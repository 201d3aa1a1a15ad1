"""Images as one tar or directory: an OCI layout, with Docker's manifest.json in it if asked for.

Docker reads manifest.json and takes its layers from wherever it says, so one archive serves
docker, podman, skopeo and containerd (moby, image/tarexport; buildx writes the same).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
from msgspec import Struct

from jettison.errors import ImageError, JettisonError
from jettison.fs.compress import Writable
from jettison.fs.tarformat import DIRECTORY, Member
from jettison.fs.tarwrite import TarWriter
from jettison.model.digest import Digest, algorithm_of, hex_of, parse_digest
from jettison.model.oci import (
    ANNOTATION_IMAGE_NAME,
    ANNOTATION_REF_NAME,
    MAX_DOCUMENT,
    OCI_INDEX,
    Descriptor,
    Index,
    decode,
    encode,
)
from jettison.model.reference import parse_reference
from jettison.model.source import BlobSource

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_CHUNK = 1 << 20


class DockerImage(Struct, frozen=True):
    """An image as manifest.json lists it."""

    config: Digest
    layers: tuple[Digest, ...]
    names: tuple[str, ...]


class Package(Struct, frozen=True):
    """What goes into an archive or layout: ``roots`` with their names, and all blobs they need.

    ``documents`` are blobs held in memory, ``blobs`` those read from their source.
    """

    roots: Sequence[tuple[Descriptor, tuple[str, ...]]]
    documents: Mapping[Digest, bytes]
    blobs: Sequence[tuple[Descriptor, BlobSource]]
    docker: Sequence[DockerImage] = ()
    tag: str = ""
    """What a layout calls a root that is no image (``org.opencontainers.image.ref.name``)."""


def write_archive(package: Package, out: Writable) -> None:
    """Write ``package`` as a tar: blobs in the order of their digests, dated 1970.

    Every blob is verified on its way; raises ImageError if one is not what its digest says, and
    what its source raises.
    """
    tar = TarWriter(out)
    sources = {blob.digest: (blob, source) for blob, source in package.blobs}
    digests = sorted(sources.keys() | package.documents.keys())
    for directory in ("blobs/", *sorted({f"blobs/{algorithm_of(d)}/" for d in digests})):
        tar.add(Member(directory.encode(), DIRECTORY, 0o755))
    for digest in digests:
        document = package.documents.get(digest)
        if document is not None:
            _add(tar, blob_path(digest), document)
        else:
            blob, source = sources[digest]
            tar.add_chunks(_member(blob_path(digest), blob.size), _verified(blob, source))
    _add(tar, "index.json", index_json(package))
    if package.docker:
        _add(tar, "manifest.json", _docker_json(package.docker))
    _add(tar, "oci-layout", _LAYOUT)
    tar.close()


def write_layout(package: Package, directory: str) -> None:
    """Write ``package`` as an OCI layout directory; an existing layout is added to.

    The names given here move from other images of the layout, as tags do; everything else in it
    stays. Files get their names once they are complete, index.json last. Raises JettisonError if
    the directory cannot be written, ImageError if it holds a malformed index or a blob is not
    what its digest says.
    """
    try:
        for digest, data in package.documents.items():
            _write(os.path.join(directory, blob_path(digest)), [data])
        for blob, source in package.blobs:
            path = os.path.join(directory, blob_path(blob.digest))
            if not (os.path.isfile(path) and os.path.getsize(path) == blob.size):
                _write(path, _verified(blob, source))
        _write(os.path.join(directory, "oci-layout"), [_LAYOUT])
        with _locked(directory):
            index = _added_to(_existing(directory), package)
            _write(os.path.join(directory, "index.json"), [encode(index)])
    except OSError as error:
        raise JettisonError(f"cannot write {directory}: {error.strerror}") from None


def blob_path(digest: str) -> str:
    checked = parse_digest(digest)
    return f"blobs/{algorithm_of(checked)}/{hex_of(checked)}"


def index_json(package: Package) -> bytes:
    """The layout's index: each root once for every name it has."""
    return encode(_added_to((), package))


def _added_to(existing: Iterable[Descriptor], package: Package) -> Index:
    """An index of what was there and of the package, which takes over its names.

    An image without a name is listed once; one that was listed without a name and has one now is
    not listed without any more.
    """
    new = tuple(_named(root, name) for root, names in package.roots for name in (names or (None,)))
    taken = {name for entry in new if (name := entry.annotations.get(ANNOTATION_IMAGE_NAME))}
    digests = {entry.digest for entry in new}
    kept = []
    if package.tag:
        new = tuple(
            msgspec.structs.replace(root, annotations={ANNOTATION_REF_NAME: package.tag})
            for root, _ in package.roots
        )
    for entry in existing:
        name = entry.annotations.get(ANNOTATION_IMAGE_NAME)
        if package.tag:
            if name or entry.annotations.get(ANNOTATION_REF_NAME) != package.tag:
                kept.append(entry)
            continue
        if name not in taken and (name or entry.digest not in digests):
            kept.append(entry)
    return Index(schemaVersion=2, mediaType=OCI_INDEX, manifests=(*kept, *new))


def _named(root: Descriptor, name: str | None) -> Descriptor:
    if name is None:
        return root
    annotations = {
        **root.annotations,
        ANNOTATION_IMAGE_NAME: name,
        ANNOTATION_REF_NAME: parse_reference(name).tag or "latest",
    }
    return msgspec.structs.replace(root, annotations=annotations)


def _existing(directory: str) -> tuple[Descriptor, ...]:
    path = os.path.join(directory, "index.json")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except FileNotFoundError:
        return ()
    return decode(Index, data, path).manifests


def _docker_json(images: Iterable[DockerImage]) -> bytes:
    listing = [
        {
            "Config": blob_path(image.config),
            "RepoTags": [parse_reference(name).familiar for name in image.names],
            "Layers": [blob_path(layer) for layer in image.layers],
        }
        for image in images
    ]
    return json.dumps(listing).encode()


def _member(name: str, size: int) -> Member:
    return Member(name.encode(), mode=0o644, size=size)


def _add(tar: TarWriter, name: str, data: bytes) -> None:
    tar.add(_member(name, len(data)), data)


def _verified(blob: Descriptor, source: BlobSource) -> Iterator[bytes]:
    """The bytes of a blob; raises ImageError as soon as they are not what they should be."""
    digest = parse_digest(blob.digest)
    left = blob.size
    running = hashlib.new(algorithm_of(digest))
    with source.open_blob(blob) as stream:
        while data := stream.read(_CHUNK):
            left -= len(data)
            if left < 0:
                break
            running.update(data)
            yield data
    if left:
        raise ImageError(f"blob {digest} does not have the {blob.size} bytes it should have")
    if running.hexdigest() != hex_of(digest):
        raise ImageError(f"blob {digest} has digest {running.name}:{running.hexdigest()}")


def _write(path: str, parts: Iterable[bytes]) -> None:
    """Write a file that takes its name only once it is complete."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.partial-{os.getpid()}"
    try:
        with open(draft, "wb") as out:
            for part in parts:
                out.write(part)
        os.replace(draft, path)
    except BaseException:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise


@contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Let one process at a time add to the index of a layout."""
    import fcntl

    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
