"""Building image archives by hand."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from jettison.errors import NotFoundError
from jettison.model.digest import Digest, hex_of, sha256_digest
from jettison.model.oci import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
)

Blobs = dict[Digest, bytes]


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A layer: an uncompressed tar of regular files (directories end with a slash)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


LAYER_A = tar_of({"etc/": b"", "etc/passwd": b"root"})
LAYER_B = tar_of({"app": b"binary"})


def add(blobs: Blobs, media_type: str, data: bytes) -> Descriptor:
    digest = sha256_digest(data)
    blobs[digest] = data
    return Descriptor(media_type, digest, len(data))


def as_json(descriptor: Descriptor, **more: Any) -> dict[str, Any]:
    return {
        "mediaType": descriptor.mediaType,
        "digest": descriptor.digest,
        "size": descriptor.size,
        **more,
    }


def config_of(layers: Sequence[bytes], architecture: str = "amd64", **more: Any) -> bytes:
    return json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [sha256_digest(x) for x in layers]},
            **more,
        }
    ).encode()


def add_image(
    blobs: Blobs,
    layers: Sequence[bytes] = (LAYER_A, LAYER_B),
    *,
    architecture: str = "amd64",
    change: Callable[[dict[str, Any]], object] = lambda manifest: None,
    config: bytes | None = None,
    media_type: str = OCI_LAYER_GZIP,
) -> Descriptor:
    """Add an image with gzipped (or, by the type, plain) layers; ``change`` alters its manifest."""
    packed = [gzip.compress(x, mtime=0) if "gzip" in media_type else x for x in layers]
    config = config_of(layers, architecture) if config is None else config
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": as_json(add(blobs, OCI_CONFIG, config)),
        "layers": [as_json(add(blobs, media_type, x)) for x in packed],
    }
    change(manifest)
    return add(blobs, OCI_MANIFEST, json.dumps(manifest).encode())


def add_index(blobs: Blobs, members: Mapping[str, Descriptor]) -> Descriptor:
    """Add an index; the keys are architectures."""
    entries = [as_json(d, platform={"architecture": a, "os": "linux"}) for a, d in members.items()]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return add(blobs, OCI_INDEX, json.dumps(document).encode())


def layout_files(blobs: Blobs, images: Iterable[tuple[str | None, Descriptor]]) -> dict[str, bytes]:
    """The files of a layout; names are tags or full names."""
    entries = []
    for name, descriptor in images:
        key = "io.containerd.image.name" if name and "/" in name else (
            "org.opencontainers.image.ref.name"
        )  # fmt: skip
        entries.append(as_json(descriptor, **({"annotations": {key: name}} if name else {})))
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode(),
        **{f"blobs/sha256/{hex_of(digest)}": data for digest, data in blobs.items()},
    }


def write_directory(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_bytes(tar_of(files))
    return path


def docker_files(
    images: Sequence[tuple[Sequence[str], bytes, Mapping[str, bytes]]],
) -> dict[str, bytes]:
    """The files of a docker archive: for each image its names, config, and layers by path."""
    files: dict[str, bytes] = {}
    manifest = []
    for names, config, layers in images:
        path = hex_of(sha256_digest(config)) + ".json"
        files[path] = config
        files.update(layers)
        manifest.append({"Config": path, "RepoTags": list(names) or None, "Layers": list(layers)})
    files["manifest.json"] = json.dumps(manifest).encode()
    return files


@dataclass
class MemorySource:
    """A BlobSource over a dictionary."""

    blobs: Blobs

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        try:
            return io.BytesIO(self.blobs[descriptor.digest])
        except KeyError:
            raise NotFoundError(f"no blob {descriptor.digest}") from None


@dataclass
class MemorySink:
    """An image sink that checks what it is given."""

    blobs: Blobs = field(default_factory=dict)
    named: list[tuple[tuple[str, ...], Descriptor]] = field(default_factory=list)
    moved: list[Digest] = field(default_factory=list)

    def has_blob(self, digest: Digest) -> bool:
        return digest in self.blobs

    def put_blob(
        self,
        stream: IO[bytes],
        descriptor: Descriptor,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        data = stream.read()
        assert sha256_digest(data) == descriptor.digest
        assert len(data) == descriptor.size
        if progress is not None:
            progress(len(data))
        self.blobs[descriptor.digest] = data
        self.moved.append(descriptor.digest)

    def name(self, descriptor: Descriptor, names: Iterable[str]) -> None:
        self.named.append((tuple(names), descriptor))
