"""Pulling an image: from a registry into a store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import BytesIO

from jettison.model.event import Observer, Silent
from jettison.model.oci import Descriptor
from jettison.model.platform import Platform
from jettison.model.reference import Reference
from jettison.model.resolve import resolve_image
from jettison.registry.client import RegistryClient
from jettison.registry.documents import collect
from jettison.registry.source import RepositoryBlobs
from jettison.registry.transfer import BlobSink, Job, Progress, run_all


def pull(
    client: RegistryClient,
    reference: Reference,
    sink: BlobSink,
    record: Callable[[Descriptor], None],
    *,
    platform: Platform | None = None,
    observer: Observer | None = None,
    step: str = "",
) -> Descriptor:
    """Pull ``reference`` into ``sink``: the image for ``platform``, or for None all there is.

    Blobs that are there already are not moved; the others are moved in parallel, and checked by
    the sink, which may go on where an earlier pull was cut off. A manifest enters the sink after
    everything it refers to, and ``record`` is called at the very end with the descriptor, which is
    also returned: the platform's manifest, or the index. ``observer`` gets a StepProgress of
    ``step`` for each blob (``part`` is its digest).

    Raises NotFoundError, ImageError, AuthError, RegistryError, and what the sink raises.
    """
    watcher = observer or Silent()
    origin = RepositoryBlobs(client, reference, sink)

    def job(blob: Descriptor) -> Job:
        def move(stop: threading.Event) -> None:
            progress = Progress(watcher, step, blob, stop)
            sink.fetch(blob, origin, progress=progress)

        return move

    root = client.resolve(reference)
    if platform is not None:
        image = resolve_image(origin, str(reference), root, platform)
        root = origin.documents[image.digest][0]
    contents = collect(origin.document, root, str(reference))
    missing = [blob for blob in contents.blobs.values() if not sink.has(blob.digest)]
    missing.sort(key=lambda blob: -blob.size)  # the largest takes longest: begin with it
    run_all(map(job, missing), client.settings.parallel, client.cancel)
    for descriptor, data in contents.documents.values():
        if not sink.has(descriptor.digest):
            sink.ingest(BytesIO(data), digest=descriptor.digest, size=len(data))
    record(root)
    return root
