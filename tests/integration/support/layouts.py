"""OCI layouts made with the standard library only, so that tests do not rest on jettison."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

BUSYBOX = Path("/bin/busybox")


@dataclass(frozen=True)
class Entry:
    """A member of a layer: a file with content, a directory, or a symbolic link."""

    name: str
    content: bytes | None = None
    link: str = ""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass
class Layout:
    """An OCI image layout in a directory."""

    path: Path
    entries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, media_type: str, data: bytes) -> dict[str, Any]:
        """Store a blob; returns its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs" / "sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def image(
        self,
        layers: list[list[Entry]],
        *,
        arch: str = "amd64",
        config: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Store an image of these layers; returns its manifest's descriptor."""
        tars = [make_tar(entries) for entries in layers]
        document = {
            "architecture": arch,
            "os": "linux",
            "config": config or {},
            "rootfs": {
                "type": "layers",
                "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars],
            },
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(CONFIG, json.dumps(document).encode()),
            "layers": [self.blob(LAYER, gzip.compress(tar, 1, mtime=0)) for tar in tars],
        }
        return self.blob(MANIFEST, json.dumps(manifest).encode())

    def index(self, images: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Store an index of images by architecture; returns its descriptor."""
        manifests = [
            {**descriptor, "platform": {"os": "linux", "architecture": arch}}
            for arch, descriptor in images.items()
        ]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self.blob(INDEX, json.dumps(document).encode())

    def tag(self, name: str, descriptor: dict[str, Any]) -> None:
        """Name an image in the layout's index.json."""
        annotations = {"org.opencontainers.image.ref.name": name}
        self.entries.append({**descriptor, "annotations": annotations})
        index = {"schemaVersion": 2, "manifests": self.entries}
        (self.path / "index.json").write_text(json.dumps(index))

    def read(self, descriptor: dict[str, Any]) -> bytes:
        """The bytes of a blob."""
        digest: str = descriptor["digest"]
        return (self.path / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()


def make_tar(entries: list[Entry]) -> bytes:
    """A deterministic tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
            if entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
                tar.addfile(info)
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(entry.content)
                tar.addfile(info, io.BytesIO(entry.content))
    return out.getvalue()


def busybox_entries() -> list[Entry]:
    """A file system in which shell scripts run: the static busybox with links to it."""
    names = ("sh", "cat", "cp", "echo", "env", "id", "ls", "mkdir", "mv", "rm", "sleep", "touch")
    directories = [Entry(name) for name in ("bin", "etc", "tmp")]
    passwd = Entry("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", mode=0o644)
    return [
        *directories,
        Entry("bin/busybox", BUSYBOX.read_bytes()),
        *(Entry(f"bin/{name}", link="busybox") for name in names),
        passwd,
    ]


def busybox_layout(path: Path) -> Layout:
    """A layout with the tag ``busybox``, an image with a shell for amd64."""
    layout = Layout(path)
    config = {"Env": ["PATH=/bin"], "Cmd": ["sh"]}
    layout.tag("busybox", layout.image([busybox_entries()], config=config))
    return layout


def tiny_image(layout: Layout, text: str, *, arch: str = "amd64") -> dict[str, Any]:
    """An image of two small layers that differ by ``text``; returns its descriptor."""
    return layout.image(
        [[Entry("a", text.encode(), mode=0o644)], [Entry("b", b"b" + text.encode())]], arch=arch
    )


def random_image(layout: Layout, size: int, layers: int = 1) -> dict[str, Any]:
    """An image of ``layers`` layers with ``size`` incompressible bytes each."""
    return layout.image([[Entry(f"random{n}", os.urandom(size))] for n in range(layers)])
