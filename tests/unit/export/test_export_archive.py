from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.export.archive import DockerImage, Package, index_json, write_archive, write_layout
from jettison.export.assemble import Image, Layer, NewEntry, assemble, index_of
from jettison.export.layers import layer_blob
from jettison.fs.compress import Compression, Kind
from jettison.model.digest import parse_digest, sha256_digest
from jettison.model.oci import Descriptor, ImageConfig, RunConfig
from jettison.model.platform import make_platform
from jettison.store.store import Store
from tests.unit.fs.layertrees import make

NAMES = ("docker.io/library/app:1", "registry.example:5000/team/app:latest")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "store")
    with made.lease():
        yield made


def build(store: Store, *, arch: str = "amd64", kind: Kind = "gzip", oci: bool = True) -> Image:
    """An image of two layers; the second removes a file of the first."""
    contents: list[dict[str, str | None]] = [
        {"bin/app": f"program for {arch}", "etc/gone": "x"},
        {"etc/gone": "whiteout", "etc/new": "y"},
    ]
    ids: tuple[str, ...] = ()
    layers = []
    for number, files in enumerate(contents):
        with store.layers.staging() as staging:
            make(staging.upper, dict(files))
            store.layers.commit(staging, f"s{arch}{number}")
        made = layer_blob(store, f"s{arch}{number}", ids, Compression(kind))
        ids = (*ids, f"s{arch}{number}")
        layers.append(Layer(made.diff_id, made.descriptor, 1000.0))
    config = ImageConfig(arch, "linux", config=RunConfig(Cmd=("/bin/app",)))
    return assemble(
        config,
        make_platform("linux", arch, "", ""),
        layers,
        [NewEntry("COPY one", "", False), NewEntry("RUN two", "", False)],
        epoch=None,
        annotations={},
        oci=oci,
    )


def package(
    store: Store, *images: Image, names: tuple[str, ...] = NAMES, docker: bool = False
) -> Package:
    documents = {sha256_digest(d): d for i in images for d in (i.config, i.manifest)}
    root = images[0].descriptor
    if len(images) > 1:
        index, root = index_of([image.descriptor for image in images], annotations={})
        documents[root.digest] = index
    listed = [
        DockerImage(i.image_id, tuple(parse_digest(b.digest) for b in i.layers), names)
        for i in images
    ]
    return Package(
        [(root, names)],
        documents,
        [(blob, store.blobs) for i in images for blob in i.layers],
        listed if docker else (),
    )


def archive(what: Package, path: Path) -> Path:
    with path.open("wb") as out:
        write_archive(what, out)
    return path


def skopeo(*words: str) -> str:
    result = subprocess.run(
        ["skopeo", "--insecure-policy", *words], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def inspect(reference: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(skopeo("inspect", "--config", reference))
    return found


@pytest.mark.parametrize("kind", ["gzip", "zstd", "uncompressed"])
def test_skopeo_reads_the_oci_archive(store: Store, tmp_path: Path, kind: Kind) -> None:
    image = build(store, kind=kind)
    path = archive(package(store, image), tmp_path / "a.tar")
    assert inspect(f"oci-archive:{path}:1")["rootfs"] == json.loads(image.config)["rootfs"]
    skopeo("copy", f"oci-archive:{path}:latest", f"dir:{tmp_path / 'copy'}")
    assert (tmp_path / "copy/manifest.json").read_bytes() == image.manifest


@pytest.mark.parametrize("kind", ["gzip", "zstd", "uncompressed"])
def test_skopeo_reads_the_docker_archive(store: Store, tmp_path: Path, kind: Kind) -> None:
    image = build(store, kind=kind, oci=False)
    path = archive(package(store, image, docker=True), tmp_path / "a.tar")
    for tag in ("app:1", "registry.example:5000/team/app:latest"):
        assert (
            inspect(f"docker-archive:{path}:{tag}")["rootfs"] == json.loads(image.config)["rootfs"]
        )
    skopeo("copy", f"docker-archive:{path}", f"oci:{tmp_path / 'copy'}:x")


def test_gnu_tar_and_python_list_the_archive(store: Store, tmp_path: Path) -> None:
    image = build(store)
    path = archive(package(store, image, docker=True), tmp_path / "a.tar")
    blobs = [image.image_id, image.descriptor.digest, *(b.digest for b in image.layers)]
    names = [
        "blobs/",
        "blobs/sha256/",
        *sorted("blobs/" + digest.replace(":", "/") for digest in blobs),
        "index.json",
        "manifest.json",
        "oci-layout",
    ]
    listing = subprocess.run(["tar", "-tf", path], capture_output=True, text=True, check=True)
    assert listing.stdout.split() == names
    with tarfile.open(path) as tar:
        assert {info.mtime for info in tar} == {0}
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        assert json.load(listed) == [
            {
                "Config": "blobs/" + image.image_id.replace(":", "/"),
                "RepoTags": ["app:1", "registry.example:5000/team/app:latest"],
                "Layers": ["blobs/" + blob.digest.replace(":", "/") for blob in image.layers],
            }
        ]


def test_the_index_has_an_entry_for_each_name(store: Store) -> None:
    image = build(store)
    document = json.loads(index_json(package(store, image)))
    assert [entry["annotations"] for entry in document["manifests"]] == [
        {
            "io.containerd.image.name": "docker.io/library/app:1",
            "org.opencontainers.image.ref.name": "1",
        },
        {
            "io.containerd.image.name": "registry.example:5000/team/app:latest",
            "org.opencontainers.image.ref.name": "latest",
        },
    ]
    unnamed = json.loads(index_json(package(store, image, names=())))
    assert unnamed["manifests"] == [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": image.descriptor.digest,
            "size": image.descriptor.size,
            "platform": {"architecture": "amd64", "os": "linux"},
        }
    ]


def test_several_platforms_in_one_archive(store: Store, tmp_path: Path) -> None:
    images = [build(store), build(store, arch="arm64")]
    path = archive(package(store, *images, names=NAMES[:1]), tmp_path / "a.tar")
    for arch, image in zip(("amd64", "arm64"), images, strict=True):
        config = json.loads(
            skopeo("--override-arch", arch, "inspect", "--config", f"oci-archive:{path}:1")
        )
        assert config["rootfs"] == json.loads(image.config)["rootfs"]
    skopeo("copy", "--all", f"oci-archive:{path}:1", f"dir:{tmp_path / 'copy'}")


def test_the_archive_is_the_same_each_time(store: Store, tmp_path: Path) -> None:
    what = package(store, build(store), docker=True)
    first, second = io.BytesIO(), io.BytesIO()
    write_archive(what, first)
    write_archive(what, second)
    assert first.getvalue() == second.getvalue()


def test_skopeo_reads_the_layout(store: Store, tmp_path: Path) -> None:
    image = build(store)
    write_layout(package(store, image), str(tmp_path / "new/layout"))
    assert inspect(f"oci:{tmp_path / 'new/layout'}:1")["architecture"] == "amd64"
    assert sorted(p.name for p in (tmp_path / "new/layout").iterdir()) == [
        "blobs", "index.json", "oci-layout",
    ]  # fmt: skip


def listed(layout: Path) -> list[str]:
    document = json.loads((layout / "index.json").read_bytes())
    lines = []
    for entry in document["manifests"]:
        name = entry.get("annotations", {}).get("io.containerd.image.name")
        lines.append(f"{name} {entry['platform']['architecture']}")
    return lines


def test_a_layout_is_added_to(store: Store, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    amd, arm = build(store), build(store, arch="arm64")
    write_layout(package(store, amd, names=()), str(layout))
    write_layout(package(store, amd, names=()), str(layout))
    assert listed(layout) == ["None amd64"]
    write_layout(
        package(store, amd, names=("docker.io/library/a:1", "docker.io/library/b:1")), str(layout)
    )
    assert listed(layout) == ["docker.io/library/a:1 amd64", "docker.io/library/b:1 amd64"]
    write_layout(package(store, arm, names=("docker.io/library/a:1",)), str(layout))
    assert listed(layout) == ["docker.io/library/b:1 amd64", "docker.io/library/a:1 arm64"]
    for entry in json.loads((layout / "index.json").read_bytes())["manifests"]:
        assert (layout / "blobs" / entry["digest"].replace(":", "/")).stat().st_size == entry[
            "size"
        ]


def test_a_malformed_layout_is_not_overwritten(store: Store, tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ImageError, match=r"index.json is malformed"):
        write_layout(package(store, build(store)), str(tmp_path))
    assert (tmp_path / "index.json").read_text() == "{"


class Lying:
    """A source that gives other bytes than it should."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        return io.BytesIO(self.data)


@pytest.mark.parametrize("data", [b"", b"short", b"long" * 10, b"wrong12345"])
def test_blobs_are_verified(tmp_path: Path, data: bytes) -> None:
    blob = Descriptor("x", sha256_digest(b"right12345"), 10)
    what = Package([], {}, [(blob, Lying(data))])
    with pytest.raises(ImageError, match=r"has digest|does not have the 10 bytes"):
        write_archive(what, io.BytesIO())
    with pytest.raises(ImageError):
        write_layout(what, str(tmp_path / "layout"))
    assert [p for p in (tmp_path / "layout").rglob("*") if p.is_file()] == []


def test_a_missing_blob_is_an_error(store: Store) -> None:
    image = build(store)
    os.unlink(store.blobs.path(parse_digest(image.layers[0].digest)))
    with pytest.raises(NotFoundError):
        write_archive(package(store, image), io.BytesIO())


def test_a_layout_that_cannot_be_written_is_an_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JettisonError, match=r"cannot write .*file"):
        write_layout(package(store, build(store)), str(tmp_path / "file"))
