import gzip
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.unit.image.imagetools import (
    LAYER_A,
    LAYER_B,
    Blobs,
    add_image,
    config_of,
    docker_files,
    layout_files,
    write_directory,
    write_tar,
)

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.image.archive import open_archive
from jettison.image.validate import validate
from jettison.model.digest import sha256_digest
from jettison.model.oci import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from jettison.model.platform import parse_platform

AMD64 = parse_platform("linux/amd64")
CONFIG = config_of([LAYER_A, LAYER_B])


def test_an_image_with_its_names(tmp_path: Path) -> None:
    layers = {"aa/layer.tar": LAYER_A, "bb/layer.tar": LAYER_B}
    files = docker_files([(["app:1", "app:latest"], CONFIG, layers)])
    with open_archive(str(write_tar(tmp_path / "d.tar", files))) as archive:
        (image,) = archive.images()
        assert image.names == ("app:1", "app:latest")
        found = archive.resolve("app:1", AMD64)
        assert found.digest == image.descriptor.digest
        assert found.layers == (
            Descriptor(OCI_LAYER, sha256_digest(LAYER_A), len(LAYER_A)),
            Descriptor(OCI_LAYER, sha256_digest(LAYER_B), len(LAYER_B)),
        )
        with archive.open_blob(found.layers[1]) as stream:
            assert stream.read() == LAYER_B
        assert validate(archive, image.descriptor) == []


def test_the_made_up_manifest_is_always_the_same(tmp_path: Path) -> None:
    digests = set()
    for number, paths in enumerate((("a.tar", "b.tar"), ("x/layer.tar", "y/layer.tar"))):
        files = docker_files([([], CONFIG, dict(zip(paths, (LAYER_A, LAYER_B), strict=True)))])
        with open_archive(str(write_tar(tmp_path / str(number), files))) as archive:
            digests.add(archive.images()[0].descriptor.digest)
    assert len(digests) == 1


def test_equal_layers_as_links(tmp_path: Path) -> None:
    config = config_of([LAYER_A, LAYER_A])
    files = docker_files([(["x"], config, {"1/layer.tar": LAYER_A, "2/layer.tar": LAYER_A})])
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if name == "2/layer.tar":
                info.type, info.linkname = tarfile.SYMTYPE, "../1/layer.tar"
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (tmp_path / "d.tar").write_bytes(out.getvalue())
    with open_archive(str(tmp_path / "d.tar")) as archive:
        assert len(archive.resolve("x", AMD64).layers) == 2
        assert validate(archive, archive.find("x")) == []


def test_compressed_layers(tmp_path: Path) -> None:
    packed = gzip.compress(LAYER_A, mtime=0)
    files = docker_files([(["x"], config_of([LAYER_A]), {"l": packed})])
    with open_archive(str(write_tar(tmp_path / "d.tar", files))) as archive:
        (layer,) = archive.resolve("x", AMD64).layers
        assert layer == Descriptor(OCI_LAYER_GZIP, sha256_digest(packed), len(packed))
        assert validate(archive, archive.find("x")) == []


def test_two_images(tmp_path: Path) -> None:
    other = config_of([LAYER_A], "arm64")
    files = docker_files(
        [
            (["app:1"], CONFIG, {"a": LAYER_A, "b": LAYER_B}),
            ([], other, {"a": LAYER_A}),
        ]
    )
    with open_archive(str(write_tar(tmp_path / "d.tar", files))) as archive:
        assert [len(i.names) for i in archive.images()] == [1, 0]
        nameless = archive.images()[1].descriptor
        assert archive.resolve(nameless.digest, AMD64).config.architecture == "arm64"
        with pytest.raises(NotFoundError):
            archive.resolve("app:2", AMD64)


def test_a_layout_is_preferred_where_both_are(tmp_path: Path) -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    layout = layout_files(blobs, [("docker.io/library/app:1", image)])
    both = layout | docker_files([(["app:1"], CONFIG, {"a": LAYER_A, "b": LAYER_B})])
    with open_archive(str(write_tar(tmp_path / "d.tar", both))) as archive:
        assert archive.resolve("app:1", AMD64).digest == image.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manifest.json": b"{}"}, "malformed"),
        ({"manifest.json": b"[" * 100_000}, "malformed"),
        ({"manifest.json": b"\xff\xfe"}, "malformed"),
        ({"manifest.json": b'[{"Layers": []}]'}, "malformed"),
        ({"manifest.json": b'[{"Config": "missing.json"}]'}, "missing.json"),
        ({"manifest.json": b'[{"Config": "../../../../etc/hostname"}]'}, "etc/hostname"),
        ({"manifest.json": b'[{"Config": "config", "Layers": ["l"]}]'}, "names 2 layers"),
        ({"manifest.json": b'[{"Config": "config", "Layers": ["l", "no"]}]'}, "lacks the layer no"),
        ({"config": b"{"}, "malformed"),
        ({"config": b" " * (5 << 20)}, "larger than"),
        ({"l": b"BZh9junk"}, "compressed with bzip2"),
    ],
)
def test_malformed_archives(tmp_path: Path, change: dict[str, bytes], message: str) -> None:
    manifest = json.dumps([{"Config": "config", "Layers": ["l", "m"]}]).encode()
    files = {"manifest.json": manifest, "config": CONFIG, "l": LAYER_A, "m": LAYER_B} | change
    for path in (write_tar(tmp_path / "t", files), write_directory(tmp_path / "d", files)):
        with pytest.raises(JettisonError, match=message):
            open_archive(str(path))


def test_a_layer_that_is_not_what_the_config_says(tmp_path: Path) -> None:
    files = docker_files([(["x"], CONFIG, {"a": LAYER_A, "b": LAYER_A + bytes(512)})])
    with open_archive(str(write_tar(tmp_path / "d.tar", files))) as archive:
        codes = {finding.code for finding in validate(archive, archive.find("x"))}
        assert codes == {"BlobContent", "DiffID"}


def test_many_images_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jettison.image.docker_archive.MAX_IMAGES", 2)
    files = docker_files([([], config_of([LAYER_A]), {"a": LAYER_A})] * 3)
    with pytest.raises(ImageError, match="more than 2 images"):
        open_archive(str(write_tar(tmp_path / "d.tar", files)))


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_what_skopeo_writes(tmp_path: Path) -> None:
    blobs: Blobs = {}
    image = add_image(blobs)
    source = write_directory(tmp_path / "l", layout_files(blobs, [("x", image)]))
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{source}:x",
         f"docker-archive:{tmp_path / 'd.tar'}:app:1"],
        check=True,
    )  # fmt: skip
    with open_archive(str(tmp_path / "d.tar")) as archive:
        found = archive.resolve("app:1", AMD64)
        assert list(found.diff_ids) == [sha256_digest(LAYER_A), sha256_digest(LAYER_B)]
        assert validate(archive, archive.find("app:1")) == []
