from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from jettison.errors import ImageError
from jettison.export.layers import in_dialect, layer_blob, recompressed
from jettison.fs.compress import Compression
from jettison.fs.decompress import open_decompressed
from jettison.model.digest import Digest, sha256_digest
from jettison.model.oci import (
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    Descriptor,
)
from jettison.store.store import Store
from tests.unit.fs.layertrees import make

EMPTY = Digest("sha256:" + "0" * 64)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "store")
    with made.lease():
        yield made


def commit(store: Store, name: str, files: dict[str, str | None]) -> str:
    with store.layers.staging() as staging:
        make(staging.upper, files)
        store.layers.commit(staging, name)
    return name


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.getnames()


@pytest.mark.parametrize(
    ("compression", "media_type"),
    [
        (Compression(), OCI_LAYER_GZIP),
        (Compression("gzip", 9), OCI_LAYER_GZIP),
        (Compression("zstd"), OCI_LAYER_ZSTD),
        (Compression("uncompressed"), OCI_LAYER),
    ],
)
def test_a_layer_becomes_a_blob(store: Store, compression: Compression, media_type: str) -> None:
    layer = commit(store, "s1", {"a/f": "x"})
    made = layer_blob(store, layer, (), compression)
    with store.blobs.open_blob(made.descriptor) as stream:
        data = stream.read()
    plain = open_decompressed(io.BytesIO(data)).read()
    assert names(plain) == ["a", "a/f"]
    assert made.diff_id == sha256_digest(plain)
    assert made.descriptor == Descriptor(media_type, sha256_digest(data), len(data))


def test_what_lies_below_is_left_out(store: Store) -> None:
    below = commit(store, "s1", {"a/f": "x", "b/g": "y"})
    layer = commit(store, "s2", {"a/f": "x", "b/h": "z", "b/g": "whiteout", "c/n": "whiteout"})
    made = layer_blob(store, layer, (below,), Compression("uncompressed"))
    with store.blobs.open_blob(made.descriptor) as stream:
        assert names(stream.read()) == ["b", "b/.wh.g", "b/h", "c"]


def test_a_blob_is_made_once(store: Store) -> None:
    layer = commit(store, "s1", {"f": "x"})
    prepared: list[str] = []
    first = layer_blob(store, layer, (), Compression(), prepare=lambda: prepared.append("x"))
    again = layer_blob(store, layer, (), Compression(), prepare=lambda: prepared.append("y"))
    other = layer_blob(store, layer, (), Compression("gzip", 9))
    assert first == again
    assert prepared == ["x"]
    assert other.diff_id == first.diff_id


def test_a_blob_that_is_gone_is_made_again(store: Store) -> None:
    layer = commit(store, "s1", {"f": "x"})
    first = layer_blob(store, layer, (), Compression())
    os.unlink(store.blobs.path(first.descriptor.digest))
    assert layer_blob(store, layer, (), Compression()) == first
    assert store.blobs.has(first.descriptor.digest)


def test_times_are_clamped_apart_from_the_others(store: Store) -> None:
    layer = commit(store, "s1", {"f": "x"})  # of 1970-01-01 00:16:40
    plain = Compression("uncompressed")
    as_it_is = layer_blob(store, layer, (), plain)
    clamped = layer_blob(store, layer, (), plain, clamp=7)
    assert clamped.diff_id != as_it_is.diff_id
    with (
        store.blobs.open_blob(clamped.descriptor) as stream,
        tarfile.open(fileobj=stream) as archive,
    ):
        assert [info.mtime for info in archive] == [7]


def test_progress_is_told_and_can_end_it(store: Store) -> None:
    layer = commit(store, "s1", {"f": "x" * 5000})

    def stop(size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layer_blob(store, layer, (), Compression(), progress=stop)
    assert list(store.paths.tmp.iterdir()) == []
    sizes: list[int] = []
    layer_blob(store, layer, (), Compression(), progress=sizes.append)
    assert sizes[-1] == 512 + 5120 + 1024


def test_a_layer_is_recompressed(store: Store) -> None:
    layer = commit(store, "s1", {"f": "x"})
    first = layer_blob(store, layer, (), Compression())
    with store.blobs.open_blob(first.descriptor) as stream:
        made = recompressed(store, stream, first.diff_id, Compression("zstd"))
    assert made.mediaType == OCI_LAYER_ZSTD
    with store.blobs.open_blob(made) as stream:
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(stream.read())
    assert sha256_digest(plain) == first.diff_id
    assert recompressed(store, io.BytesIO(), first.diff_id, Compression("zstd")) == made


def test_a_blob_of_another_layer_is_not_recompressed(store: Store) -> None:
    with pytest.raises(ImageError, match="not sha256:0000"):
        recompressed(store, io.BytesIO(gzip.compress(b"x")), EMPTY, Compression())
    assert [p for p in store.paths.blobs.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("oci", "docker"),
    [
        (OCI_LAYER, DOCKER_LAYER),
        (OCI_LAYER_GZIP, DOCKER_LAYER_GZIP),
        (OCI_LAYER_ZSTD, "application/vnd.docker.image.rootfs.diff.tar.zstd"),
        (
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ),
    ],
)
def test_media_types_in_both_dialects(oci: str, docker: str) -> None:
    # containerd, core/images/mediatypes.go
    for given in (oci, docker):
        layer = Descriptor(given, EMPTY, 1)
        assert in_dialect(layer, oci=True).mediaType == oci
        assert in_dialect(layer, oci=False).mediaType == docker


def test_internal_annotations_go() -> None:
    annotations = {
        "containerd.io/uncompressed": "x",
        "containerd.io/distribution.source.docker.io": "y",
        "org.example": "kept",
    }
    layer = Descriptor(OCI_LAYER, EMPTY, 1, annotations=annotations)
    assert in_dialect(layer, oci=True).annotations == {"org.example": "kept"}
    assert in_dialect(layer, oci=False).annotations == {}


def test_the_same_files_make_the_same_blob(tmp_path: Path) -> None:
    digests = set()
    for number in (1, 2):
        store = Store.open(tmp_path / str(number))
        with store.lease():
            layer = commit(store, "s1", {f"d/{n}": "text" * n for n in range(50)})
            digests.add(layer_blob(store, layer, (), Compression()).descriptor.digest)
    assert len(digests) == 1
