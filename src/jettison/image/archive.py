"""An archive of images: an OCI layout or what ``docker save`` writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Protocol, Self

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.image.files import Files, open_files
from jettison.model.digest import Digest, parse_digest
from jettison.model.oci import INDEX_TYPES, Descriptor
from jettison.model.platform import Platform
from jettison.model.reference import Reference, parse_reference
from jettison.model.resolve import read_index, resolve_image
from jettison.model.source import ResolvedImage

MAX_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """An image of an archive: the names it has there (as written), and what it is."""

    names: tuple[str, ...]
    descriptor: Descriptor


class Content(Protocol):
    """What an archive's format knows: which images there are, and where their blobs."""

    def images(self) -> list[ArchiveImage]: ...

    def find(self, digest: Digest) -> Descriptor | None:
        """The descriptor of a manifest or index that is no image of its own."""
        ...

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]: ...


class ImageArchive:
    """An `ImageSource` and `BlobSource` over an archive; a context manager."""

    def __init__(self, files: Files, content: Content) -> None:
        self.name = files.name
        self._files = files
        self._content = content

    def images(self) -> list[ArchiveImage]:
        """All images of the archive."""
        return self._content.images()

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """Raises NotFoundError if the archive does not have the blob."""
        return self._content.open_blob(descriptor)

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        """The image called ``name`` (a full name, a tag, a digest; ``""`` for the only one)."""
        what = f"{self.name}:{name}" if name else self.name
        return resolve_image(self, what, self.find(name), platform)

    def find(self, name: str) -> Descriptor:
        """What ``name`` stands for. Raises NotFoundError, naming what there is."""
        images = self.images()
        if name.startswith(("sha256:", "sha512:")):
            found = self._by_digest(images, parse_digest(name))
        elif name:
            wanted = _normalised(name)
            found = [
                image.descriptor
                for image in images
                if any(n == name or _normalised(n) == wanted for n in image.names)
            ] or [i.descriptor for i in images if any(_tag_of(n) == name for n in i.names)]
        else:
            found = [image.descriptor for image in images]
            if len({d.digest for d in found}) > 1:  # several: the one a bare name would mean
                found = [
                    i.descriptor for i in images if any(_tag_of(n) == "latest" for n in i.names)
                ]
        if len({d.digest for d in found}) > 1:
            raise ImageError(f"{self.name} has several images {name}", hint=_listing(images))
        if not found:
            what = f"image {name}" if name else "image to choose" if images else "image"
            raise NotFoundError(f"{self.name} has no {what}", hint=_listing(images))
        return found[0]

    def _by_digest(self, images: list[ArchiveImage], digest: Digest) -> list[Descriptor]:
        for image in images:
            if image.descriptor.digest == digest:
                return [image.descriptor]
            if image.descriptor.mediaType in INDEX_TYPES:
                for member in read_index(self, image.descriptor).manifests:
                    if member.digest == digest:
                        return [member]
        found = self._content.find(digest)
        return [found] if found is not None else []

    def close(self) -> None:
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_archive(path: str, *, scratch: str | None = None) -> ImageArchive:
    """The archive in a directory or a tar (compressed or not).

    Raises NotFoundError if there is nothing at ``path``, ArchiveError if it is not even a tar,
    ImageError if it holds no images.
    """
    return archive_of(open_files(path, scratch=scratch))


def archive_of(files: Files) -> ImageArchive:
    """The archive these files are; takes them over. Raises ImageError."""
    from jettison.image.docker_archive import DockerContent
    from jettison.image.layout import LayoutContent

    try:
        # `docker save` writes both since Docker 25; the layout says more.
        if files.size("oci-layout") is not None:
            return ImageArchive(files, LayoutContent(files))
        if files.size("manifest.json") is not None:
            return ImageArchive(files, DockerContent(files))
        raise ImageError(
            f"{files.name} holds no images",
            hint="it has neither oci-layout (an OCI layout) nor manifest.json (docker save)",
        )
    except BaseException:
        files.close()
        raise


def _normalised(name: str) -> str | None:
    try:
        reference = parse_reference(name)
    except JettisonError:
        return None
    return str(Reference(reference.host, reference.path, reference.tag))


def _tag_of(name: str) -> str | None:
    """The tag in a name; layouts often have the tag alone for a name."""
    if not {"/", ":"} & set(name):
        return name
    try:
        return parse_reference(name).tag
    except JettisonError:
        return None


def _listing(images: list[ArchiveImage]) -> str | None:
    names = [name for image in images for name in image.names or (image.descriptor.digest,)]
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"it has {shown}" if names else None
