"""Making small images and layers in a store, and showing what it holds."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

from jettison.model.digest import Digest, chain_id, sha256_digest
from jettison.model.oci import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    RootFS,
    encode,
)
from jettison.store.store import Store


def make_layer(store: Store, content: str = "x", layer: str | None = None) -> str:
    """Commit a layer with one file ``f``; returns its id."""
    with store.layers.staging() as staging:
        (staging.upper / "f").write_text(content)
        layer = layer or store.layers.new_id()
        store.layers.commit(staging, layer)
    return layer


def base_id(store: Store, word: str) -> str:
    """The id of a base image's layer; another for each word."""
    return store.layers.id_for_chain(chain_id([sha256_digest(word.encode())]))


def make_image(
    store: Store,
    *names: str,
    content: bytes = b"layer",
    architecture: str = "amd64",
    variant: str = "",
) -> Descriptor:
    """Put an image of one layer (which is no real tar); returns its manifest's descriptor."""
    blob = store.blobs.ingest(BytesIO(content))
    config = encode(
        ImageConfig(
            architecture=architecture,
            os="linux",
            variant=variant,
            created="2024-05-06T07:08:09Z",
            rootfs=RootFS(diff_ids=(blob.digest,)),
        )
    )
    manifest = Manifest(
        schemaVersion=2,
        mediaType=OCI_MANIFEST,
        config=Descriptor(OCI_CONFIG, sha256_digest(config), len(config)),
        layers=(Descriptor(OCI_LAYER, blob.digest, blob.size),),
    )
    return store.images.put_image(encode(manifest), config, names)


def blobs_of(store: Store) -> set[Digest]:
    """The digests of all blobs on disk."""
    root = store.paths.blobs
    return {Digest(f"{path.parent.name}:{path.name}") for path in root.glob("*/*")}


def layers_of(store: Store) -> set[str]:
    return {path.name for path in store.paths.layers.iterdir()}


def leftovers(store: Store) -> list[str]:
    return sorted(path.name for path in store.paths.tmp.iterdir())


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Another process that runs ``code``; ``sys.argv[1:]`` are the arguments."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process that must succeed; returns what it wrote."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


HOLDER_OF_A_LAYER = """
import sys
from pathlib import Path
from jettison.store.store import Store
store = Store.open(Path(sys.argv[1]))
with store.lease():
    assert store.layers.has(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.read()
"""
"""A process that holds a lease on a layer until its standard input ends."""
