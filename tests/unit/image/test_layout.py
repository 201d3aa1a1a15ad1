import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.image.imagetools import (
    LAYER_A,
    Blobs,
    add,
    add_image,
    add_index,
    as_json,
    layout_files,
    write_directory,
    write_tar,
)

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.image.archive import open_archive
from jettison.image.layout import open_layout
from jettison.model.digest import Digest
from jettison.model.oci import OCI_INDEX, OCI_MANIFEST
from jettison.model.platform import parse_platform

AMD64 = parse_platform("linux/amd64")
ARM64 = parse_platform("linux/arm64")


@pytest.mark.parametrize("write", [write_directory, write_tar])
def test_the_only_image_needs_no_name(
    tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    with open_layout(str(write(tmp_path / "l", layout_files(blobs, [(None, image)])))) as layout:
        found = layout.resolve("", AMD64)
        assert found.digest == image.digest
        assert [len(layer.digest) for layer in found.layers] == [71, 71]
        with found.origin.open_blob(found.layers[0]) as stream:
            assert stream.read() == blobs[found.layers[0].digest]


def names_layout(tmp_path: Path) -> tuple[Path, dict[str, Digest]]:
    blobs: Blobs = {}
    one, two = add_image(blobs, [LAYER_A]), add_image(blobs)
    inner = add_image(blobs, [LAYER_A], architecture="arm64")
    multi = add_index(blobs, {"amd64": one, "arm64": inner})
    images = [("1", one), ("docker.io/library/app:2", two), ("latest", multi)]
    digests = {"one": one.digest, "two": two.digest, "multi": multi.digest, "inner": inner.digest}
    return write_directory(tmp_path / "l", layout_files(blobs, images)), digests


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("1", "one"),
        ("docker.io/library/app:2", "two"),
        ("app:2", "two"),
        ("2", "two"),
        ("latest", "one"),
        ("", "one"),
    ],
)
def test_images_by_name(tmp_path: Path, name: str, wanted: str) -> None:
    path, digests = names_layout(tmp_path)
    with open_layout(str(path)) as layout:
        assert layout.resolve(name, AMD64).digest == digests[wanted]


def test_images_by_digest(tmp_path: Path) -> None:
    path, digests = names_layout(tmp_path)
    with open_layout(str(path)) as layout:
        assert layout.resolve(digests["two"], AMD64).digest == digests["two"]
        assert layout.resolve(digests["multi"], ARM64).digest == digests["inner"]
        assert layout.resolve(digests["inner"], AMD64).digest == digests["inner"]
        for missing in ("sha256:" + "0" * 64, "3", "other/app:2"):
            with pytest.raises(NotFoundError) as caught:
                layout.resolve(missing, AMD64)
            assert caught.value.hint == "it has 1, docker.io/library/app:2, latest"
        with pytest.raises(NotFoundError, match="no image for linux/s390x"):
            layout.resolve("latest", parse_platform("linux/s390x"))
        with pytest.raises(ImageError, match="invalid digest"):
            layout.resolve("sha256:../../x", AMD64)


def test_a_manifest_only_the_blobs_hold(tmp_path: Path) -> None:
    blobs: Blobs = {}
    named, other = add_image(blobs), add_image(blobs, [LAYER_A])
    config = json.loads(blobs[other.digest])["config"]["digest"]
    path = write_directory(tmp_path / "l", layout_files(blobs, [("x", named)]))
    with open_layout(str(path)) as layout:
        assert layout.resolve(other.digest, AMD64).digest == other.digest
        with pytest.raises(NotFoundError):
            layout.resolve(config, AMD64)


def test_several_images_without_a_name(tmp_path: Path) -> None:
    blobs: Blobs = {}
    images = [("a", add_image(blobs)), ("b", add_image(blobs, [LAYER_A]))]
    with open_layout(str(write_directory(tmp_path / "l", layout_files(blobs, images)))) as layout:
        with pytest.raises(NotFoundError, match="no image to choose") as caught:
            layout.resolve("", AMD64)
        assert caught.value.hint == "it has a, b"


def test_one_tag_of_two_images(tmp_path: Path) -> None:
    blobs: Blobs = {}
    images = [("a/x:1", add_image(blobs)), ("b/x:1", add_image(blobs, [LAYER_A]))]
    with open_layout(str(write_directory(tmp_path / "l", layout_files(blobs, images)))) as layout:
        with pytest.raises(ImageError, match="several images 1"):
            layout.resolve("1", AMD64)
        assert layout.resolve("a/x:1", AMD64).digest == images[0][1].digest


def test_entries_that_are_no_images_are_left_out(tmp_path: Path) -> None:
    blobs: Blobs = {}
    chart = add(blobs, "application/vnd.cncf.helm.chart", b"chart")
    with open_layout(
        str(write_directory(tmp_path / "l", layout_files(blobs, [("chart", chart)])))
    ) as layout:
        assert layout.images() == []
        with pytest.raises(NotFoundError, match="has no image"):
            layout.resolve("", AMD64)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("oci-layout", b'{"imageLayoutVersion": "2.0.0"}', "unknown version"),
        ("oci-layout", b"[" * 100_000, "unknown version"),
        ("oci-layout", b"\xff", "unknown version"),
        ("oci-layout", b"[]", "unknown version"),
        ("index.json", b"{}", "malformed"),
        ("index.json", b"[" * 100_000, "malformed"),
        ("index.json", b'"' + b"x" * (5 << 20) + b'"', "larger than"),
        (
            "index.json",
            b'{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../..","size":1}]}',
            "invalid digest",
        ),
        (
            "index.json",
            b'{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:%b","size":-1}]}'
            % (b"a" * 64),
            "negative size",
        ),
    ],
)
def test_malformed_layouts(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    blobs: Blobs = {}
    files = layout_files(blobs, [("x", add_image(blobs))]) | {file: content}
    with pytest.raises(ImageError, match=message):
        open_layout(str(write_directory(tmp_path / "l", files)))


def test_what_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_layout(str(tmp_path / "missing"))
    with pytest.raises(ImageError, match="no OCI layout"):
        open_layout(str(tmp_path))
    with pytest.raises(ImageError, match="holds no images"):
        open_archive(str(tmp_path))


def broken(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> JettisonError:
    blobs: Blobs = {}
    image = add_image(blobs, change=change)
    path = write_directory(tmp_path / "l", layout_files(blobs, [("x", image)]))
    with open_layout(str(path)) as layout, pytest.raises(JettisonError) as caught:
        layout.resolve("x", AMD64)
    return caught.value


def test_manifests_that_lie(tmp_path: Path) -> None:
    size = broken(tmp_path, lambda m: m["config"].update(size=5))
    assert isinstance(size, ImageError)
    assert "bytes it should have" in size.message
    huge = broken(tmp_path / "h", lambda m: m["config"].update(size=1 << 40))
    assert "at most" in huge.message
    missing = broken(tmp_path / "m", lambda m: m["config"].update(digest="sha256:" + "0" * 64))
    assert isinstance(missing, NotFoundError)
    fewer = broken(tmp_path / "f", lambda m: m["layers"].pop())
    assert "1 layers but its config names 2" in fewer.message
    other = broken(tmp_path / "o", lambda m: m.update(mediaType=OCI_INDEX))
    assert "is not the" in other.message


def test_an_index_that_names_itself_in_a_ring(tmp_path: Path) -> None:
    # Digests make rings impossible, but a hostile layout may have wrong content.
    blobs: Blobs = {}
    index = add_index(blobs, {"amd64": add_image(blobs)})
    blobs[index.digest] = json.dumps(
        {"schemaVersion": 2, "manifests": [as_json(index, platform={"architecture": "amd64",
         "os": "linux"})]}
    ).encode()  # fmt: skip
    path = write_directory(tmp_path / "l", layout_files(blobs, [("x", index)]))
    with open_layout(str(path)) as layout, pytest.raises(ImageError):
        layout.resolve("x", AMD64)


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_what_skopeo_writes(tmp_path: Path) -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    source = write_directory(tmp_path / "l", layout_files(blobs, [("x", image)]))
    for kind, name in (("oci-archive", "a.tar"), ("oci", "copy")):
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{source}:x",
             f"{kind}:{tmp_path / name}:tagged"],
            check=True,
        )  # fmt: skip
        with open_archive(str(tmp_path / name)) as archive:
            assert archive.resolve("tagged", AMD64).digest == image.digest
            assert archive.images()[0].descriptor.mediaType == OCI_MANIFEST
