"""A process that pushes or pulls one image and prints what that took; run with ``python -m``.

mover push LAYOUT-DIR NAME
mover pull STORE-DIR NAME
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import IO

from jettison.model.oci import Descriptor
from jettison.model.reference import parse_reference
from jettison.registry.client import RegistryClient
from jettison.registry.pull import pull
from jettison.registry.push import push
from jettison.registry.settings import Settings
from jettison.store.store import Store
from tests.integration.registry.common import as_descriptor

IMPATIENT = Settings(backoff=0.05, read_timeout=1.5)


class Files:
    """The blobs of a layout, as files."""

    def __init__(self, layout: Path) -> None:
        self._blobs = layout / "blobs" / "sha256"

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        return (self._blobs / descriptor.digest.partition(":")[2]).open("rb")


def main(verb: str, directory: Path, name: str) -> None:
    began = time.monotonic()
    reference = parse_reference(name)
    with RegistryClient(IMPATIENT) as client:
        if verb == "push":
            index = json.loads((directory / "index.json").read_text())
            root = as_descriptor(index["manifests"][0])
            push(client, Files(directory), root, [reference])
        else:
            with Store.open(directory) as store, store.lease():
                pull(client, reference, store.blobs, lambda d: store.images.name(d, [name]))
    print(json.dumps({"seconds": time.monotonic() - began, "peak": peak()}))


def peak() -> int:
    """The most memory this program had, in bytes (getrusage(2) counts what its parent had, too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
