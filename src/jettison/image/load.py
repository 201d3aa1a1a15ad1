"""Importing every image of an archive into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, Protocol

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.image.archive import ImageArchive, archive_of
from jettison.image.files import read_files
from jettison.model.digest import Digest
from jettison.model.oci import INDEX_TYPES, Descriptor
from jettison.model.reference import parse_reference
from jettison.model.resolve import read_index, read_manifest

_MAX_DEPTH = 4


class ImageSink(Protocol):
    """Where images go; the store's ``images`` is one."""

    def has_blob(self, digest: Digest) -> bool: ...

    def put_blob(
        self,
        stream: IO[bytes],
        descriptor: Descriptor,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Take a blob in, after verifying it. Raises ImageError."""
        ...

    def name(self, descriptor: Descriptor, names: Iterable[str]) -> None: ...


def load_archive(
    stream: IO[bytes],
    sink: ImageSink,
    *,
    scratch: str | None = None,
    progress: Callable[[Descriptor, int], None] | None = None,
) -> list[str]:
    """Bring all images of an archive in; returns their names, or the digests of nameless ones.

    ``stream`` may be a pipe and may be compressed (``scratch`` says where it is spooled then).
    Nothing is named before all is there. Raises ArchiveError or ImageError for archives that are
    malformed, incomplete or lie about digests.
    """
    with archive_of(read_files(stream, "the archive", scratch=scratch)) as archive:
        return load(archive, sink, progress=progress)


def load(
    archive: ImageArchive,
    sink: ImageSink,
    *,
    progress: Callable[[Descriptor, int], None] | None = None,
) -> list[str]:
    """Bring all images of an open archive in; as `load_archive`."""
    images = archive.images()
    if not images:
        raise ImageError(f"{archive.name} has no images")
    loader = _Loader(archive, sink, progress)
    for image in images:
        loader.load(image.descriptor)
    loaded: list[str] = []
    for image in images:
        names = list(filter(None, map(_full_name, image.names)))
        sink.name(image.descriptor, names)
        loaded += names or [image.descriptor.digest]
    return loaded


class _Loader:
    def __init__(
        self,
        archive: ImageArchive,
        sink: ImageSink,
        progress: Callable[[Descriptor, int], None] | None,
    ) -> None:
        self._archive = archive
        self._sink = sink
        self._progress = progress
        self._done: set[Digest] = set()

    def load(self, descriptor: Descriptor, depth: int = 0) -> None:
        """A manifest or index, after everything it refers to."""
        if descriptor.digest in self._done:
            return
        if depth == _MAX_DEPTH:
            raise ImageError(f"{self._archive.name}: indexes within indexes, too deep")
        if descriptor.mediaType in INDEX_TYPES:
            self._load_members(descriptor, depth)
        else:
            manifest = read_manifest(self._archive, descriptor)
            for blob in (*manifest.layers, manifest.config):
                self._move(blob)
        self._move(descriptor)
        self._done.add(descriptor.digest)

    def _load_members(self, descriptor: Descriptor, depth: int) -> None:
        """Those members of an index that are there: archives often have one platform only."""
        present = 0
        members = read_index(self._archive, descriptor).manifests
        for member in members:
            if self._has(member):
                self.load(member, depth + 1)
                present += 1
        if members and not present:
            raise ImageError(f"{self._archive.name} has nothing of index {descriptor.digest}")

    def _has(self, descriptor: Descriptor) -> bool:
        try:
            self._archive.open_blob(descriptor).close()
        except NotFoundError:
            return False
        return True

    def _move(self, blob: Descriptor) -> None:
        if blob.digest in self._done or self._sink.has_blob(blob.digest):
            return
        progress = self._progress

        def report(count: int) -> None:
            if progress is not None:
                progress(blob, count)

        try:
            stream = self._archive.open_blob(blob)
        except NotFoundError as error:
            raise ImageError(f"{self._archive.name} is incomplete: {error.message}") from None
        with stream:
            self._sink.put_blob(stream, blob, report)
        self._done.add(blob.digest)


def _full_name(name: str) -> str | None:
    """What the store may call the image; None for what is no name, or just the usual tag."""
    if name == "latest":
        return None
    try:
        reference = parse_reference(name)
    except JettisonError:
        return None
    return f"{reference.repository}:{reference.tag or 'latest'}"
