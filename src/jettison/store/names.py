"""``index.json``: the images of the store, by name.

An image's full name stands in the annotation ``io.containerd.image.name``, and in
``org.opencontainers.image.ref.name`` too, the only one that skopeo and podman look for: the tag
alone, as layouts with one image have it there, says little among many. An entry without either
is a dangling image: one that lost its name to a newer one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from jettison.errors import ImageError, JettisonError, StoreError
from jettison.model.digest import Digest
from jettison.model.oci import (
    ANNOTATION_IMAGE_NAME,
    ANNOTATION_REF_NAME,
    OCI_INDEX,
    Descriptor,
    Index,
    decode,
    encode,
)
from jettison.model.reference import Reference, parse_reference
from jettison.store.faults import store_faults
from jettison.store.locks import locked
from jettison.store.paths import Paths

_MAX_INDEX = 256 << 20


class NamedImage(NamedTuple):
    """An entry of the index; ``name`` is None for a dangling image."""

    name: str | None
    descriptor: Descriptor


_Entries = list[Descriptor]
_Images = list[NamedImage]
_Words = list[str]


def full_name(name: str) -> str:
    """``host/path:tag``, normalised; a digest in ``name`` is left out."""
    reference = parse_reference(name)
    return str(Reference(reference.host, reference.path, reference.tag or "latest"))


class Names:
    """The names of a store. Readers see the index before or after a change, never between."""

    def __init__(self, paths: Paths) -> None:
        self._index = paths.index
        self._lock = paths.lock("index")
        self._draft = paths.locks / "index.json.new"
        self._directories = (paths.blobs / "sha256", paths.root)
        self._threads = threading.Lock()
        self._known: tuple[tuple[int, int, int], tuple[Descriptor, ...]] | None = None

    def get(self, name: str) -> Descriptor | None:
        """The manifest or index that ``name`` (normalised first) stands for."""
        wanted = full_name(name)
        return next((d for n, d in self.list() if n == wanted), None)

    def list(self) -> _Images:
        """All images, in the order they were added; an image with two names comes twice."""
        return [NamedImage(_name_of(d), _bare(d)) for d in self._read()]

    def set(self, name: str, descriptor: Descriptor) -> None:
        """Let ``name`` stand for an image; the one it stood for is left dangling."""
        name = full_name(name)
        annotations = {ANNOTATION_IMAGE_NAME: name, ANNOTATION_REF_NAME: name}
        named = msgspec.structs.replace(
            descriptor, annotations={**_bare(descriptor).annotations, **annotations}
        )

        def change(entries: _Entries) -> _Entries:
            if named in entries:
                return entries
            others = [_bare(d) if _name_of(d) == name else d for d in entries]
            return _tidy([*others, named])

        self._change(change)

    def add(self, descriptor: Descriptor) -> None:
        """Keep an image that has no name."""
        self._change(lambda entries: _tidy([*entries, _bare(descriptor)]))

    def remove(self, name: str) -> bool:
        """Take the name away; its image goes with its last name. False if there is no such."""
        name = full_name(name)
        found = False

        def change(entries: _Entries) -> _Entries:
            nonlocal found
            kept = [d for d in entries if _name_of(d) != name]
            found = len(kept) != len(entries)
            return kept

        self._change(change)
        return found

    def remove_image(self, digest: Digest) -> _Words:
        """Take an image out, with all its names; returns these."""
        gone: _Words = []

        def change(entries: _Entries) -> _Entries:
            gone.extend(n for d in entries if d.digest == digest and (n := _name_of(d)))
            return [d for d in entries if d.digest != digest]

        self._change(change)
        return gone

    def remove_dangling(self, digests: Iterable[Digest]) -> None:
        """Take out those of the images that have no name."""
        gone = set(digests)
        self._change(lambda es: [d for d in es if d.digest not in gone or _name_of(d)])

    def problem(self) -> str:
        """What is wrong with the index as a whole; empty if it can be read."""
        try:
            self._read()
        except StoreError as error:
            return error.message
        return ""

    def renew(self) -> None:
        """Put an empty index in place of one that cannot be read, which stays as
        ``locks/index.json.broken``. Raises StoreError.
        """
        with store_faults("cannot replace the index"), locked(self._lock):
            os.replace(self._index, self._draft.with_name("index.json.broken"))
            self._write(())

    def _read(self) -> tuple[Descriptor, ...]:
        with store_faults("cannot read the index"), open(self._index, "rb") as file:
            status = os.fstat(file.fileno())
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            with self._threads:
                if self._known is not None and self._known[0] == version:
                    return self._known[1]
            if status.st_size > _MAX_INDEX:
                raise StoreError(f"{self._index} has {status.st_size} bytes")
            data = file.read()
        try:
            entries = decode(Index, data, str(self._index)).manifests
        except ImageError as error:
            raise StoreError(error.message, hint="it names the images of the store") from None
        with self._threads:
            self._known = (version, entries)
        return entries

    def _change(self, change: Callable[[_Entries], _Entries]) -> None:
        with store_faults("cannot write the index"), locked(self._lock):
            before = [*self._read()]
            after = change(before)
            if after == before:
                return
            self._write(after)

    def _write(self, entries: Iterable[Descriptor]) -> None:
        """Only the holder of the lock writes the draft. First the blobs' names are on the disk,
        then the index that mentions them.
        """
        index = Index(schemaVersion=2, mediaType=OCI_INDEX, manifests=tuple(entries))
        blobs, root = self._directories
        _sync_directory(blobs)
        with open(self._draft, "wb") as file:
            file.write(encode(index))
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._draft, self._index)
        _sync_directory(root)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _name_of(descriptor: Descriptor) -> str | None:
    """The full name; other tools (skopeo, for one) write only the short annotation."""
    written = descriptor.annotations.get(ANNOTATION_IMAGE_NAME) or descriptor.annotations.get(
        ANNOTATION_REF_NAME
    )
    if not written:
        return None
    try:
        return full_name(written)
    except JettisonError:
        return None


def _bare(descriptor: Descriptor) -> Descriptor:
    """The descriptor without its name."""
    kept = {
        key: value
        for key, value in descriptor.annotations.items()
        if key not in (ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME)
    }
    return msgspec.structs.replace(descriptor, annotations=kept)


def _tidy(entries: list[Descriptor]) -> list[Descriptor]:
    """Without dangling entries of images that have a name, and without repetitions."""
    named = {d.digest for d in entries if _name_of(d)}
    result: list[Descriptor] = []
    for entry in entries:
        if _name_of(entry) is None and entry.digest in named:
            continue
        if entry not in result:
            result.append(entry)
    return result
