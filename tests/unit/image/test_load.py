import gzip
import io
from pathlib import Path

import pytest
from tests.unit.image.imagetools import (
    LAYER_A,
    LAYER_B,
    Blobs,
    MemorySink,
    add_image,
    add_index,
    config_of,
    docker_files,
    layout_files,
    tar_of,
)

from jettison.errors import ArchiveError, ImageError, JettisonError
from jettison.image.load import load_archive
from jettison.model.digest import Digest
from jettison.model.platform import parse_platform
from jettison.store.store import Store


def load(files: dict[str, bytes], sink: MemorySink) -> list[str]:
    return load_archive(io.BytesIO(gzip.compress(tar_of(files))), sink)


def test_a_layout_with_several_images() -> None:
    blobs: Blobs = {}
    one, two = add_image(blobs), add_image(blobs, [LAYER_A])
    sink = MemorySink()
    names = load(layout_files(blobs, [("app:1", one), ("ghcr.io/a/b:2", one), (None, two)]), sink)
    assert names == ["docker.io/library/app:1", "ghcr.io/a/b:2", two.digest]
    assert sink.blobs == blobs
    assert [(n, d.digest) for n, d in sink.named] == [
        (("docker.io/library/app:1", "ghcr.io/a/b:2"), one.digest),
        ((), two.digest),
    ]


def test_a_tag_alone_is_a_name_unless_it_says_nothing() -> None:
    blobs: Blobs = {}
    one, two = add_image(blobs), add_image(blobs, [LAYER_A])
    names = load(layout_files(blobs, [("tool", one), ("latest", two)]), MemorySink())
    assert names == ["docker.io/library/tool:latest", two.digest]


def test_parts_come_before_what_refers_to_them() -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    index = add_index(blobs, {"amd64": image})
    sink = MemorySink()
    load(layout_files(blobs, [("x", index)]), sink)
    assert sink.moved[-2:] == [image.digest, index.digest]


def test_what_is_there_is_not_moved() -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    sink = MemorySink(blobs=dict(blobs))
    load(layout_files(blobs, [("x", image)]), sink)
    assert sink.moved == []
    assert len(sink.named) == 1


def test_progress_counts_bytes_of_each_blob() -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    told: dict[Digest, int] = {}
    stream = io.BytesIO(tar_of(layout_files(blobs, [("x", image)])))
    load_archive(
        stream, MemorySink(), progress=lambda blob, count: told.update({blob.digest: count})
    )
    assert told == {digest: len(data) for digest, data in blobs.items()}


def test_an_index_of_which_one_platform_is_there() -> None:
    blobs: Blobs = {}
    here = add_image(blobs)
    elsewhere: Blobs = {}
    absent = add_image(elsewhere, architecture="arm64")
    index = add_index(blobs, {"amd64": here, "arm64": absent})
    sink = MemorySink()
    assert load(layout_files(blobs, [("x", index)]), sink) == ["docker.io/library/x:latest"]
    assert sink.blobs == blobs


def test_an_index_of_which_nothing_is_there() -> None:
    blobs: Blobs = {}
    index = add_index(blobs, {"arm64": add_image({}, architecture="arm64")})
    sink = MemorySink()
    with pytest.raises(ImageError, match="has nothing of index"):
        load(layout_files(blobs, [("x", index)]), sink)
    assert sink.named == []


def test_a_missing_layer_names_nothing() -> None:
    blobs: Blobs = {}
    good, bad = add_image(blobs), add_image(blobs, [LAYER_A, LAYER_B, LAYER_A, tar_of({"z": b""})])
    lost = gzip.compress(tar_of({"z": b""}), mtime=0)
    (digest,) = [d for d, data in blobs.items() if data == lost]
    del blobs[digest]
    sink = MemorySink()
    with pytest.raises(ImageError, match="incomplete"):
        load(layout_files(blobs, [("good", good), ("bad", bad)]), sink)
    assert sink.named == []


def test_archives_without_images() -> None:
    for files in (layout_files({}, []), {"manifest.json": b"[]"}):
        with pytest.raises(ImageError, match="has no images"):
            load(files, MemorySink())
    with pytest.raises(ImageError, match="holds no images"):
        load({"letter": b""}, MemorySink())
    with pytest.raises(ArchiveError):
        load_archive(io.BytesIO(b"no tar"), MemorySink())


def test_docker_archives_into_a_real_store(tmp_path: Path) -> None:
    config = config_of([LAYER_A, LAYER_B])
    files = docker_files([(["app:1"], config, {"a/layer.tar": LAYER_A, "b/layer.tar": LAYER_B})])
    archive = tmp_path / "d.tar"
    archive.write_bytes(tar_of(files))
    with Store.open(tmp_path / "s") as store:
        for _ in range(2):
            with archive.open("rb") as stream, store.staging.directory() as scratch:
                names = load_archive(stream, store.images, scratch=str(scratch))
            assert names == ["docker.io/library/app:1"]
        found = store.images.resolve("app:1", parse_platform("linux/amd64"))
        with found.origin.open_blob(found.layers[1]) as blob:
            assert blob.read() == LAYER_B
        assert len(store.names.list()) == 1


def test_lying_archives_leave_no_blob_in_the_store(tmp_path: Path) -> None:
    config = config_of([LAYER_A, LAYER_B])
    files = docker_files([(["app:1"], config, {"a": LAYER_B, "b": LAYER_A})])
    with Store.open(tmp_path / "s") as store:
        with pytest.raises(JettisonError):
            load_archive(io.BytesIO(tar_of(files)), store.images)
        assert list((store.root / "blobs/sha256").iterdir()) == []
        assert store.names.list() == []
