"""What the builder needs of an image it builds on, wherever the image lives."""

from __future__ import annotations

from typing import IO, Protocol, runtime_checkable

from msgspec import Struct

from jettison.model.digest import Digest
from jettison.model.oci import Descriptor, ImageConfig
from jettison.model.platform import Platform


class ResolvedImage(Struct, frozen=True):
    """An image of one platform, pinned by digest: its documents, not its layers.

    ``layers`` are the compressed blobs, bottom first; ``diff_ids`` (from the config) have the
    same length. ``origin`` reads the blobs when somebody needs them. ``root`` is what the name
    stands for there: the manifest, or an index that holds it.
    """

    name: str
    digest: Digest
    config: ImageConfig
    layers: tuple[Descriptor, ...]
    origin: BlobSource
    root: Descriptor | None = None

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        return self.config.rootfs.diff_ids


class BlobSource(Protocol):
    """Somewhere blobs can be read from: a registry, a layout, an archive, the store."""

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """A stream of the blob's bytes; the caller verifies size and digest, and closes it.

        Raises NotFoundError or RegistryError.
        """
        ...


@runtime_checkable
class ResumableSource(BlobSource, Protocol):
    """A source that can begin in the middle of a blob: worth it where reading is slow."""

    def open_blob_from(self, descriptor: Descriptor, offset: int) -> IO[bytes]:
        """A stream of the blob's bytes from ``offset`` on; as `open_blob` otherwise."""
        ...

    def may_differ(self) -> bool:
        """Whether to open a blob again after it was wrong may give other bytes: from elsewhere."""
        ...


class ImageSource(Protocol):
    """Somewhere images are found by name."""

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        """The image ``name`` stands for, for ``platform``.

        Raises NotFoundError if there is none, ImageError if it is malformed, RegistryError if
        asking failed.
        """
        ...
