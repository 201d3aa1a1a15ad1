"""--output and the files beside it: what is written, where, and in which form."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.runner import Jettison, problems

pytestmark = pytest.mark.root

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
EPOCH = 1_000_000_000

DOCKERFILE = """\
FROM base
RUN mkdir /made && echo made > /made/file && busybox ln -s file /made/link
COPY note /made/note
"""
TREE = ["bin", "dev", "etc", "made", "proc", "sys", "tmp"]


@pytest.fixture
def image(context: Callable[..., Path]) -> Path:
    return context(DOCKERFILE, note="a note\n" * 100)


class Archive:
    """An OCI layout in a tar, read with the standard library only."""

    def __init__(self, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            self.files = {m.name: tar.extractfile(m) for m in tar if m.isfile()}
            self.data = {name: file.read() for name, file in self.files.items() if file}

    def json(self, name: str) -> Any:
        return json.loads(self.data[name])

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        data = self.data["blobs/" + descriptor["digest"].replace(":", "/")]
        assert "sha256:" + hashlib.sha256(data).hexdigest() == descriptor["digest"]
        assert len(data) == descriptor["size"]
        return data

    @property
    def root(self) -> dict[str, Any]:
        (found,) = self.json("index.json")["manifests"]
        return dict(found)

    @property
    def manifest(self) -> Any:
        return json.loads(self.blob(self.root))

    @property
    def config(self) -> Any:
        return json.loads(self.blob(self.manifest["config"]))


def exported(jettison: Jettison, image: Path, tmp_path: Path, options: str, *flags: str) -> Archive:
    out = tmp_path / "out.tar"
    jettison.build(image, "--output", f"{options},dest={out}", *flags)
    assert problems(out) == []
    return Archive(out.read_bytes())


def test_oci(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    archive = exported(jettison, image, tmp_path, "type=oci", "-t", "app:1")
    assert archive.json("oci-layout") == {"imageLayoutVersion": "1.0.0"}
    assert archive.root["mediaType"] == f"{OCI}manifest.v1+json"
    assert archive.root["annotations"] == {
        "io.containerd.image.name": "docker.io/library/app:1",
        "org.opencontainers.image.ref.name": "1",
    }
    assert archive.root["platform"] == {"architecture": "amd64", "os": "linux"}
    assert [layer["mediaType"] for layer in archive.manifest["layers"]] == [
        f"{OCI}layer.v1.tar+gzip"
    ] * 3
    plain = [gzip.decompress(archive.blob(layer)) for layer in archive.manifest["layers"]]
    digests = ["sha256:" + hashlib.sha256(data).hexdigest() for data in plain]
    assert archive.config["rootfs"]["diff_ids"] == digests
    with tarfile.open(fileobj=io.BytesIO(plain[1])) as tar:
        assert tar.getnames() == ["made", "made/file", "made/link"]
    assert "manifest.json" not in archive.data
    # Only what was asked for was written: the store knows no such name.
    assert jettison("inspect", "app:1", check=False).returncode == 1


def test_docker(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    archive = exported(jettison, image, tmp_path, "type=docker", "-t", "a:1", "-t", "b.example/c")
    (entry,) = archive.json("manifest.json")
    assert entry["RepoTags"] == ["a:1", "b.example/c:latest"]
    config = archive.data[entry["Config"]]
    assert json.loads(config)["config"]["Env"] == ["PATH=/bin"]
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    for path, diff_id in zip(entry["Layers"], diff_ids, strict=True):
        data = gzip.decompress(archive.data[path])
        assert "sha256:" + hashlib.sha256(data).hexdigest() == diff_id


@pytest.mark.parametrize(
    "options", ["type=oci,dest=-", "type=oci", "type=docker,dest=-"], ids=["oci", "bare", "docker"]
)
def test_an_image_on_standard_output(jettison: Jettison, image: Path, options: str) -> None:
    done = jettison.raw("build", "--progress", "plain", "-o", options, "-t", "out", image)
    assert Archive(done.stdout).config["rootfs"]["type"] == "layers"
    assert b"exporting" in done.stderr


@pytest.mark.parametrize("output", ["-", "type=tar", "type=tar,dest=-", "type=tar,dest={out}"])
def test_the_tree_as_a_tar(jettison: Jettison, image: Path, tmp_path: Path, output: str) -> None:
    out = tmp_path / "out.tar"
    done = jettison.raw("build", "-o", output.format(out=out), image)
    data = out.read_bytes() if "{out}" in output else done.stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        assert sorted({name.split("/")[0] for name in names}) == TREE
        assert [n for n in names if n.startswith("made")] == [
            "made", "made/file", "made/link", "made/note"
        ]  # fmt: skip
        assert tar.getmember("tmp").mode == 0o1777
        assert tar.getmember("made/link").linkname == "file"


@pytest.mark.parametrize("output", ["{out}", "type=local,dest={out}"])
def test_the_tree_as_a_directory(
    jettison: Jettison, image: Path, tmp_path: Path, output: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "kept").write_text("was there")
    jettison.build(image, "-o", output.format(out=out))
    assert sorted(os.listdir(out)) == sorted([*TREE, "kept"])
    assert (out / "made/file").read_text() == "made\n"
    assert os.readlink(out / "made/link") == "file"
    assert (out / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_several_outputs_at_once(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    jettison.build(
        image, "-t", "several",
        "-o", f"type=oci,dest={tmp_path}/a.tar",
        "-o", f"type=docker,dest={tmp_path}/b.tar,name=other:2",
        "-o", f"type=oci,tar=false,dest={tmp_path}/layout,compression=zstd",
        "-o", f"type=tar,dest={tmp_path}/tree.tar",
        "-o", f"type=local,dest={tmp_path}/tree",
        "-o", "type=image",
    )  # fmt: skip
    for name in ("a.tar", "b.tar", "layout"):
        assert problems(tmp_path / name) == []
    first = Archive((tmp_path / "a.tar").read_bytes())
    second = Archive((tmp_path / "b.tar").read_bytes())
    assert first.config == second.config
    assert second.json("manifest.json")[0]["RepoTags"] == ["other:2"]
    assert jettison.inspect("several")["Digest"] == first.root["digest"]
    assert (tmp_path / "tree/made/file").read_text() == "made\n"
    assert tarfile.is_tarfile(tmp_path / "tree.tar")


@pytest.mark.parametrize(
    ("options", "media_type"),
    [
        ("compression=gzip", "tar+gzip"),
        ("compression=gzip,compression-level=9", "tar+gzip"),
        ("compression=gzip,compression-level=0", "tar+gzip"),
        ("compression=zstd", "tar+zstd"),
        ("compression=zstd,compression-level=19", "tar+zstd"),
        ("compression=uncompressed", "tar"),
    ],
)
def test_compression(
    jettison: Jettison, image: Path, tmp_path: Path, options: str, media_type: str
) -> None:
    """New layers are compressed as asked; the base's, which exist, only if that is forced."""
    wanted = f"{OCI}layer.v1.{media_type}"
    archive = exported(jettison, image, tmp_path, f"type=oci,{options}")
    base, *new = (layer["mediaType"] for layer in archive.manifest["layers"])
    assert base == f"{OCI}layer.v1.tar+gzip"
    assert new == [wanted] * 2
    forced = exported(jettison, image, tmp_path, f"type=oci,{options},force-compression=true")
    assert [layer["mediaType"] for layer in forced.manifest["layers"]] == [wanted] * 3
    assert forced.config["rootfs"] == archive.config["rootfs"]


def test_levels_differ(jettison: Jettison, context: Callable[..., Path], tmp_path: Path) -> None:
    image = context("FROM scratch\nCOPY text /\n", text=Path(tarfile.__file__).read_text())
    sizes = {}
    for level in (0, 1, 9):
        options = f"type=oci,compression=gzip,compression-level={level}"
        archive = exported(jettison, image, tmp_path, options)
        sizes[level] = archive.manifest["layers"][0]["size"]
    assert sizes[0] > sizes[1] > sizes[9]


def test_docker_media_types(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    archive = exported(jettison, image, tmp_path, "type=oci,oci-mediatypes=false")
    assert archive.root["mediaType"] == f"{DOCKER}distribution.manifest.v2+json"
    assert archive.manifest["config"]["mediaType"] == f"{DOCKER}container.image.v1+json"
    assert {layer["mediaType"] for layer in archive.manifest["layers"]} == {
        f"{DOCKER}image.rootfs.diff.tar.gzip"
    }


def test_rewrite_timestamp(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    options = ("type=oci,rewrite-timestamp=true", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}")
    first = exported(jettison, image, tmp_path, *options)
    assert first.config["created"] == "2001-09-09T01:46:40Z"
    for layer in first.manifest["layers"][1:]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first.blob(layer)))) as tar:
            assert {member.mtime for member in tar} == {EPOCH}
    by_environment = jettison.having({"SOURCE_DATE_EPOCH": str(EPOCH)})
    again = exported(by_environment, image, tmp_path, options[0], "--no-cache")
    assert again.root["digest"] == first.root["digest"]


def test_files_are_dated_by_the_epoch(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    jettison.build(image, "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}", "-o", tmp_path / "out")
    assert (tmp_path / "out/made/file").stat().st_mtime == EPOCH


def test_rewrite_timestamp_needs_an_epoch(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    output = f"type=oci,rewrite-timestamp=true,dest={tmp_path}/out.tar"
    done = jettison.build(image, "-o", output, check=False)
    assert done.returncode == 1
    assert "SOURCE_DATE_EPOCH" in done.stderr
    assert not (tmp_path / "out.tar").exists()


def test_annotations_of_a_manifest(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    archive = exported(
        jettison, image, tmp_path, '"type=oci","annotation.one=1, first",annotation-manifest.two=2',
        "--annotation", "three=a:b", "--annotation", "manifest-descriptor:four=4",
        "--annotation", "manifest[linux/amd64],manifest-descriptor:five=5",
    )  # fmt: skip
    annotations = {"one": "1, first", "two": "2", "three": "a:b", "five": "5"}
    assert archive.manifest["annotations"] == annotations
    assert archive.root["annotations"] == {"four": "4", "five": "5"}


def test_annotations_of_an_index(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    archive = exported(
        jettison, context("FROM scratch\nCOPY Dockerfile /\n"), tmp_path, "type=oci",
        "--platform", "linux/amd64,linux/arm64",
        "--annotation", "index:on=index", "--annotation", "index-descriptor:on=root",
        "--annotation", "manifest[linux/arm64]:on=arm", "--annotation", "all=both",
        "--annotation", "manifest-descriptor[linux/amd64]:on=entry",
    )  # fmt: skip
    index = archive.manifest
    assert archive.root["annotations"] == {"on": "root"}
    assert index["annotations"] == {"on": "index"}
    amd, arm = index["manifests"]
    assert (amd["annotations"], arm.get("annotations")) == ({"on": "entry"}, None)
    assert json.loads(archive.blob(amd))["annotations"] == {"all": "both"}
    assert json.loads(archive.blob(arm))["annotations"] == {"all": "both", "on": "arm"}


def test_files_beside_the_output(jettison: Jettison, image: Path, tmp_path: Path) -> None:
    iidfile, metadata = tmp_path / "iid", tmp_path / "metadata.json"
    names = ("-t", "meta:1", "-t", "meta:2")
    jettison.build(image, *names, "--iidfile", iidfile, "--metadata-file", metadata)
    seen = jettison.inspect("meta:1")
    assert iidfile.read_text() == seen["Id"]
    document = json.loads(metadata.read_text())
    descriptor = document["containerimage.descriptor"]
    assert document["containerimage.digest"] == descriptor["digest"] == seen["Digest"]
    assert document["containerimage.config.digest"] == seen["Id"]
    assert document["image.name"] == "docker.io/library/meta:1,docker.io/library/meta:2"
    assert descriptor["mediaType"] == f"{OCI}manifest.v1+json"
    assert descriptor["platform"] == {"architecture": "amd64", "os": "linux"}
    assert descriptor["size"] > 100
    quiet = jettison("build", "-q", *names, image)
    assert quiet.stdout == f"{seen['Id']}\n"


def test_files_beside_several_platforms(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    image = context("FROM scratch\nCOPY Dockerfile /\n")
    flags = ("--platform", "linux/amd64,linux/arm64", "-t", "two")
    files = ("--iidfile", tmp_path / "iid", "--metadata-file", tmp_path / "metadata.json")
    jettison.build(image, *flags, *files)
    document = json.loads((tmp_path / "metadata.json").read_text())
    assert document["containerimage.descriptor"]["mediaType"] == f"{OCI}index.v1+json"
    assert "containerimage.config.digest" not in document
    assert (tmp_path / "iid").read_text() == document["containerimage.digest"]
    jettison.build(image, *flags[:2], "-o", tmp_path / "trees")
    assert sorted(os.listdir(tmp_path / "trees")) == ["linux_amd64", "linux_arm64"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("type=oci,dest={out},compression=lzma", "compression 'lzma'"),
        ("type=oci,dest={out},compression-level=fast", "compression-level must be a number"),
        ("type=oci,dest={out},compression-level=99", "out of range"),
        ("type=oci,dest={out},compression=zstd,oci-mediatypes=false", "zstd"),
        ("type=oci,dest={out},annotation-foo.a=b", "unknown annotation type"),
        ("type=oci,dest={out},annotation-index.a=b", "has no index"),
        ("type=oci,dest={out},annotation[linux/s390x].a=b", "linux/s390x"),
        ("type=oci,dest={out},oci-mediatypes=false,annotation.a=b", "annotations need OCI"),
        ("type=oci,dest={out},tar=maybe", "true or false"),
        ("type=oci,dest=-,tar=false", "standard output"),
        ("type=oci,dest={out},compresion=zstd", "compresion"),
        ("type=image,push=true", "needs a name"),
        ("type=image,unpack=true", "unknown option 'unpack'"),
        ("type=registry", "needs a name"),
        ("type=cacheonly", "cacheonly"),
        ("type=oci,dest={out}/no/such/directory", "cannot write"),
    ],
)
def test_what_cannot_be(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, output: str, said: str
) -> None:
    out = tmp_path / "out"
    image = context("FROM scratch\nCOPY Dockerfile /\n")
    done = jettison.build(image, "-o", output.format(out=out), check=False)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_an_annotation_needs_an_image(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    image = context("FROM scratch\nCOPY Dockerfile /\n")
    done = jettison.build(image, "--annotation", "a=b", "-o", tmp_path / "out", check=False)
    assert done.returncode == 2
    assert "--annotation" in done.stderr
    assert not (tmp_path / "out").exists()
