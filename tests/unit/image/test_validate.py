import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.image.imagetools import (
    LAYER_A,
    LAYER_B,
    Blobs,
    MemorySource,
    add,
    add_image,
    add_index,
    config_of,
    tar_of,
)

from jettison.image.validate import validate
from jettison.model.digest import Digest
from jettison.model.oci import (
    DOCKER_LAYER_GZIP,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    Descriptor,
)


def codes(blobs: Blobs, descriptor: Descriptor) -> list[str]:
    return [finding.code for finding in validate(MemorySource(blobs), descriptor)]


@pytest.mark.parametrize("media_type", [OCI_LAYER, OCI_LAYER_GZIP])
def test_a_good_image(media_type: str) -> None:
    blobs: Blobs = {}
    config = config_of([LAYER_A, LAYER_B], history=[{}, {"empty_layer": True}, {}])
    image = add_image(blobs, config=config, media_type=media_type)
    assert codes(blobs, image) == []


def test_zstd_layers() -> None:
    import zstandard

    blobs: Blobs = {}
    packed = zstandard.ZstdCompressor().compress(LAYER_A)

    def repack(manifest: dict[str, Any]) -> None:
        layer = add(blobs, OCI_LAYER_ZSTD, packed)
        manifest["layers"] = [
            {"mediaType": OCI_LAYER_ZSTD, "digest": layer.digest, "size": layer.size}
        ]

    assert codes(blobs, add_image(blobs, [LAYER_A], change=repack)) == []


def test_a_good_index_and_its_platforms() -> None:
    blobs: Blobs = {}
    members = {a: add_image(blobs, architecture=a) for a in ("amd64", "arm64")}
    assert codes(blobs, add_index(blobs, members)) == []
    swapped = {"amd64": members["arm64"], "arm64": members["amd64"]}
    assert codes(blobs, add_index(blobs, swapped)) == ["Platform", "Platform"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m["config"].update(size=3), ["BlobContent"]),
        (lambda m: m["config"].update(digest="sha256:" + "0" * 64), ["BlobMissing"]),
        (lambda m: m["layers"][0].update(digest="sha256:" + "0" * 64), ["BlobMissing"]),
        (lambda m: m["layers"][0].update(size=3), ["BlobContent"]),
        (lambda m: m["layers"][0].update(mediaType=OCI_LAYER), ["MediaType"]),
        (lambda m: m["layers"][0].update(mediaType=OCI_LAYER_ZSTD), ["MediaType"]),
        (lambda m: m["layers"][0].update(mediaType=DOCKER_LAYER_GZIP), ["MediaType"]),
        (lambda m: m["layers"][0].update(mediaType="application/x"), ["MediaType"]),
        (lambda m: m["layers"].pop(), ["LayerCount"]),
        (lambda m: m["layers"].reverse(), ["DiffID", "DiffID"]),
        (lambda m: m["config"].update(mediaType="application/x"), ["MediaType"]),
        (lambda m: m.update(schemaVersion="2"), ["Document"]),
        (lambda m: m.pop("config"), ["Document"]),
        (lambda m: m.update(manifests=[]), ["Document"]),
    ],
)
def test_manifests_that_lie(
    change: Callable[[dict[str, Any]], object], expected: list[str]
) -> None:
    blobs: Blobs = {}
    assert codes(blobs, add_image(blobs, change=change)) == expected


def test_history_that_does_not_fit() -> None:
    blobs: Blobs = {}
    config = config_of([LAYER_A, LAYER_B], history=[{}])
    assert codes(blobs, add_image(blobs, config=config)) == ["HistoryCount"]


def test_blobs_that_changed() -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    layer = Digest(json.loads(blobs[image.digest])["layers"][0]["digest"])
    other = gzip.compress(tar_of({"other": b""}), mtime=0)
    assert codes(blobs | {layer: other}, image) == ["BlobContent", "DiffID"]
    assert codes(blobs | {image.digest: b"{}"}, image) == ["BlobContent"]
    del blobs[image.digest]
    assert codes(blobs, image) == ["BlobMissing"]


@pytest.mark.parametrize(
    "layer", [b"no tar at all, but long enough to be a header" * 20, LAYER_A[:700]]
)
def test_layers_that_are_no_tars(layer: bytes) -> None:
    blobs: Blobs = {}
    assert codes(blobs, add_image(blobs, [layer])) == ["LayerArchive"]


def test_a_gzip_cut_short() -> None:
    blobs: Blobs = {}

    def cut(manifest: dict[str, Any]) -> None:
        whole = gzip.compress(LAYER_A)
        layer = add(blobs, OCI_LAYER_GZIP, whole[: len(whole) // 2])
        manifest["layers"][0].update(digest=layer.digest, size=layer.size)

    assert codes(blobs, add_image(blobs, change=cut)) == ["LayerArchive"]


def layer_with(*members: tuple[str, bytes, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("a", tarfile.REGTYPE, ""), ("./a", tarfile.REGTYPE, "")], ["LayerPath"]),
        ([("d", tarfile.DIRTYPE, ""), ("d/", tarfile.DIRTYPE, "")], ["LayerPath"]),
        ([("/etc/passwd", tarfile.REGTYPE, "")], ["LayerPath"]),
        ([("a/../../b", tarfile.REGTYPE, "")], ["LayerPath"]),
        ([("a", tarfile.REGTYPE, ""), ("b", tarfile.LNKTYPE, "a")], []),
        ([("b", tarfile.LNKTYPE, "a"), ("a", tarfile.REGTYPE, "")], ["LayerLink"]),
        ([("b", tarfile.SYMTYPE, "/anywhere")], []),
        ([("x", b"Q", "")], ["LayerArchive"]),
        ([(".wh.gone", tarfile.REGTYPE, ""), (".wh..wh..opq", tarfile.REGTYPE, "")], []),
    ],
)
def test_names_in_layers(members: list[tuple[str, bytes, str]], expected: list[str]) -> None:
    blobs: Blobs = {}
    assert codes(blobs, add_image(blobs, [layer_with(*members)])) == expected


def test_a_layer_is_read_once_for_all_platforms() -> None:
    blobs: Blobs = {}
    members = {a: add_image(blobs, [LAYER_A], architecture=a) for a in ("amd64", "arm64")}
    index = add_index(blobs, members)
    opened: list[str] = []

    class Counting(MemorySource):
        def open_blob(self, descriptor: Descriptor):  # type: ignore[no-untyped-def]  # as its base
            opened.append(descriptor.mediaType)
            return super().open_blob(descriptor)

    assert validate(Counting(blobs), index) == []
    assert opened.count(OCI_LAYER_GZIP) == 1


def test_a_bomb_is_not_read_to_its_end() -> None:
    import zstandard

    blobs: Blobs = {}
    zeros = zstandard.ZstdCompressor(level=19).compressobj()
    packed = b"".join(zeros.compress(bytes(1 << 20)) for _ in range(300)) + zeros.flush()
    layer = add(blobs, OCI_LAYER_ZSTD, packed)

    def swap(manifest: dict[str, Any]) -> None:
        manifest["layers"] = [
            {"mediaType": OCI_LAYER_ZSTD, "digest": layer.digest, "size": layer.size}
        ]

    assert codes(blobs, add_image(blobs, [LAYER_A], change=swap)) == ["LayerArchive"]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_is_in_the_blobs_there_are_only_findings(data: st.DataObject) -> None:
    blobs: Blobs = {}

    def damage(content: bytes) -> bytes:
        damaged = bytearray(content)
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.integers(0, len(damaged) - 1))
            damaged[place] = data.draw(st.integers(0, 255))
        return bytes(damaged)

    # Everything is damaged before its digest is taken, so that it is looked into.
    config, layer = damage(config_of([LAYER_A])), damage(LAYER_A)
    image = add_image(blobs, [layer], config=config, media_type=OCI_LAYER)
    manifest = add(blobs, image.mediaType, damage(blobs[image.digest]))
    index = add_index(blobs, {"amd64": manifest})
    index = add(blobs, index.mediaType, damage(blobs[index.digest]))
    intact = (config, layer) == (config_of([LAYER_A]), LAYER_A) and manifest == image
    found = codes(blobs, index)
    if intact and index == add_index(blobs, {"amd64": image}):
        assert found == []
    if layer != LAYER_A and config == config_of([LAYER_A]) and manifest == image:
        assert found != []
