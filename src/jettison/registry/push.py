"""Pushing an image: from any BlobSource into registries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from jettison.model.digest import Digest
from jettison.model.event import Observer, Silent
from jettison.model.oci import FOREIGN_LAYERS, Descriptor
from jettison.model.reference import Reference
from jettison.model.resolve import read_document
from jettison.model.source import BlobSource
from jettison.registry.client import RegistryClient
from jettison.registry.documents import Contents, collect
from jettison.registry.transfer import Job, Progress, run_all

_MOST_MOUNTS = 3
"""Repositories to try for one blob: each one in vain is a request."""

Origins = Callable[[Digest], Iterable[Reference]]
"""Repositories that are known to have a blob."""


def push(
    client: RegistryClient,
    source: BlobSource,
    root: Descriptor,
    references: Sequence[Reference],
    *,
    origins: Origins | None = None,
    observer: Observer | None = None,
    step: str = "",
) -> Digest:
    """Push the manifest or index ``root``, with all it refers to, as every one of ``references``.

    Blobs that a repository has already are not moved; those that another repository of the same
    registry has (one of ``references``, or by ``origins``) are mounted from there; the others are
    uploaded in parallel. Foreign layers stay where they are. Manifests follow, inner ones first;
    then ``root`` under each tag, so that a tag never names what is not there. ``observer`` gets
    StepProgress of ``step`` for each blob uploaded (``part`` is its digest). Returns the digest of
    ``root``.

    Raises NotFoundError if ``source`` lacks a part, ImageError, AuthError or RegistryError.
    """
    contents = collect(lambda descriptor: read_document(source, descriptor), root, str(root.digest))
    work = _Push(client, source, contents, root, origins or _nowhere, observer or Silent(), step)
    tags: dict[Reference, list[str | None]] = {}
    for reference in references:
        tags.setdefault(Reference(reference.host, reference.path), []).append(reference.tag)
    for repository, names in tags.items():
        work.blobs(repository)
        work.documents(repository, names)
        work.pushed.append(repository)
    return root.digest


def _nowhere(_: Digest) -> Iterable[Reference]:
    return ()


@dataclass
class _Push:
    client: RegistryClient
    source: BlobSource
    contents: Contents
    root: Descriptor
    origins: Origins
    observer: Observer
    step: str
    pushed: list[Reference] = field(default_factory=list)

    def blobs(self, repository: Reference) -> None:
        def job(blob: Descriptor) -> Job:
            def move(stop: threading.Event) -> None:
                self.client.push_blob(
                    repository,
                    blob,
                    lambda: self.source.open_blob(blob),
                    mount_from=self._mounts(blob.digest, repository),
                    progress=Progress(self.observer, self.step, blob, stop),
                )

            return move

        ours = (b for b in self.contents.blobs.values() if b.mediaType not in FOREIGN_LAYERS)
        largest_first = sorted(ours, key=lambda blob: -blob.size)
        run_all(map(job, largest_first), self.client.settings.parallel, self.client.cancel)

    def documents(self, repository: Reference, tags: Iterable[str | None]) -> None:
        for descriptor, data in self.contents.documents.values():
            if descriptor.digest != self.root.digest:
                kind = descriptor.mediaType
                self.client.put_manifest(repository, data, kind, descriptor.digest)
        _, data = self.contents.documents[self.root.digest]
        for tag in dict.fromkeys(tags):
            self.client.put_manifest(repository, data, self.root.mediaType, tag or self.root.digest)

    def _mounts(self, digest: Digest, repository: Reference) -> list[str]:
        """The other repositories of the same registry that have the blob, each once."""
        known = [*self.pushed, *self.origins(digest)]
        same = (r.path for r in known if r.host == repository.host and r.path != repository.path)
        return list(dict.fromkeys(same))[:_MOST_MOUNTS]
