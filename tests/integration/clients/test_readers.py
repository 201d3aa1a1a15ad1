"""skopeo, podman and docker read what was built, in every compression they know."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.clients.conftest import OUTPUT
from tests.integration.support.engines import Engine
from tests.integration.support.runner import Jettison, problems

pytestmark = pytest.mark.root

MEDIA_TYPES = {
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "uncompressed": "application/vnd.oci.image.layer.v1.tar",
}
compressions = pytest.mark.parametrize("compression", MEDIA_TYPES)


def skopeo(*arguments: str | Path) -> str:
    done = subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(jettison: Jettison, app: Path, kind: str, out: Path, compression: str) -> Path:
    """``app`` as an archive whose layers, the base's too, have this compression."""
    options = f"type={kind},dest={out},compression={compression},force-compression=true"
    jettison.build(app, "-t", "app:1", "--output", options)
    assert problems(out) == []
    return out


@compressions
def test_skopeo_reads_an_oci_archive(
    jettison: Jettison, app: Path, tmp_path: Path, compression: str
) -> None:
    out = built(jettison, app, "oci", tmp_path / "app.tar", compression)
    manifest = json.loads(skopeo("inspect", "--raw", f"oci-archive:{out}:1"))
    assert {layer["mediaType"] for layer in manifest["layers"]} == {MEDIA_TYPES[compression]}
    seen = json.loads(skopeo("inspect", f"oci-archive:{out}:1"))
    assert "WHO=world" in seen["Env"]
    # A copy has skopeo verify every digest and, uncompressing, every diff ID.
    skopeo("copy", "-q", f"oci-archive:{out}", f"dir:{tmp_path}/dir")
    config = json.loads(skopeo("inspect", "--config", f"dir:{tmp_path}/dir"))
    assert config["rootfs"]["diff_ids"] == jettison.inspect("app:1")["RootFS"]["Layers"]


@pytest.mark.parametrize("compression", ["gzip", "uncompressed"])
def test_skopeo_reads_a_docker_archive(
    jettison: Jettison, app: Path, tmp_path: Path, compression: str
) -> None:
    out = built(jettison, app, "docker", tmp_path / "app.tar", compression)
    skopeo("copy", "-q", f"docker-archive:{out}:app:1", f"oci:{tmp_path}/copy:app")
    assert problems(tmp_path / "copy") == []
    config = json.loads(skopeo("inspect", "--config", f"oci:{tmp_path}/copy:app"))
    assert config["rootfs"]["diff_ids"] == jettison.inspect("app:1")["RootFS"]["Layers"]
    assert config["config"]["Env"] == ["PATH=/bin", "WHO=world"]


def test_skopeo_reads_the_store(jettison: Jettison, app: Path, tmp_path: Path) -> None:
    """By full names: there may be many images with one tag."""
    jettison("tag", "base", "other:1")
    for name in ("app:1", "other:1"):
        seen = json.loads(skopeo("inspect", f"oci:{jettison.store}:docker.io/library/{name}"))
        assert seen["Digest"] == jettison.inspect(name)["Digest"]
    source = f"oci:{jettison.store}:docker.io/library/app:1"
    skopeo("copy", "-q", source, f"docker-archive:{tmp_path}/out.tar:app:1")
    assert problems(tmp_path / "out.tar") == []


def test_skopeo_reads_a_layout_directory(jettison: Jettison, app: Path, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    for tag in ("one", "two"):
        options = f"type=oci,tar=false,dest={layout},name=app:{tag}"
        jettison.build(app, "--label", f"tag={tag}", "--output", options)
    assert problems(layout) == []
    for tag in ("one", "two"):
        seen = json.loads(skopeo("inspect", f"oci:{layout}:{tag}"))
        assert seen["Labels"] == {"tag": tag}


@compressions
def test_podman_loads_and_runs(
    jettison: Jettison, app: Path, podman: Engine, tmp_path: Path, compression: str
) -> None:
    out = built(jettison, app, "oci", tmp_path / "app.tar", compression)
    assert "docker.io/library/app:1" in podman("load", "-i", out)
    assert podman.run("docker.io/library/app:1") == OUTPUT


def test_podman_loads_a_docker_archive(
    jettison: Jettison, app: Path, podman: Engine, tmp_path: Path
) -> None:
    jettison.build(app, "-o", f"type=docker,dest={tmp_path}/a.tar,name=from-docker:1")
    podman("load", "-i", tmp_path / "a.tar")
    assert podman.run("docker.io/library/from-docker:1") == OUTPUT


@pytest.mark.parametrize("compression", ["gzip", "uncompressed"])  # zstd came with Docker 23
def test_docker_loads_and_runs(
    jettison: Jettison, app: Path, docker: Engine, tmp_path: Path, compression: str
) -> None:
    out = built(jettison, app, "docker", tmp_path / "app.tar", compression)
    assert docker("load", "-i", out) == "Loaded image: app:1\n"
    seen = json.loads(docker("image", "inspect", "app:1"))[0]
    assert seen["Id"] == jettison.inspect("app:1")["Id"]
    assert docker.run("app:1") == OUTPUT
    docker("rmi", "app:1")


def test_docker_loads_what_save_writes(jettison: Jettison, app: Path, docker: Engine,
                                       tmp_path: Path) -> None:  # fmt: skip
    jettison("tag", "app:1", "saved:2")
    jettison("save", "-o", tmp_path / "saved.tar", "saved:2", "base")
    assert sorted(docker("load", "-i", tmp_path / "saved.tar").splitlines()) == [
        "Loaded image: base:latest",
        "Loaded image: saved:2",
    ]
    assert docker.run("saved:2") == OUTPUT
    docker("rmi", "saved:2", "base")


def test_podman_and_skopeo_read_what_save_writes(
    jettison: Jettison, app: Path, podman: Engine, tmp_path: Path
) -> None:
    jettison("tag", "app:1", "saved:3")
    jettison("save", "--format", "oci", "-o", tmp_path / "saved.tar", "saved:3")
    assert problems(tmp_path / "saved.tar") == []
    podman("load", "-i", tmp_path / "saved.tar")
    assert podman.run("docker.io/library/saved:3") == OUTPUT
    seen = json.loads(skopeo("inspect", f"oci-archive:{tmp_path}/saved.tar"))
    assert seen["Digest"] == jettison.inspect("saved:3")["Digest"]


def test_what_docker_saves_is_loaded_and_run(
    jettison: Jettison, app: Path, docker: Engine, tmp_path: Path
) -> None:
    archive = tmp_path / "in.tar"
    jettison("save", "-o", archive, "app:1")
    docker("load", "-i", archive)
    docker("tag", "app:1", "registry.example/from-docker:7")
    docker("save", "-o", tmp_path / "out.tar", "registry.example/from-docker:7")
    docker("rmi", "app:1", "registry.example/from-docker:7")
    done = jettison("load", "-i", tmp_path / "out.tar")
    assert done.stdout.split()[-1] == "registry.example/from-docker:7"
    assert jettison("run", "registry.example/from-docker:7").stdout == OUTPUT
    layers = jettison.inspect("registry.example/from-docker:7")["RootFS"]["Layers"]
    assert layers == jettison.inspect("app:1")["RootFS"]["Layers"]


def test_what_skopeo_writes_is_loaded_and_run(
    jettison: Jettison, app: Path, tmp_path: Path
) -> None:
    source = f"oci:{jettison.store}:docker.io/library/app:1"
    skopeo("copy", "-q", source, f"docker-archive:{tmp_path}/d.tar:from-skopeo:d")
    skopeo("copy", "-q", source, f"oci-archive:{tmp_path}/o.tar:from-skopeo:o")
    subprocess.run(["gzip", "-k", tmp_path / "d.tar"], check=True)
    for archive, tag in (("d.tar", "d"), ("o.tar", "o"), ("d.tar.gz", "d")):
        done = jettison("load", stdin=(tmp_path / archive).read_bytes())
        assert f"from-skopeo:{tag}" in done.stdout
        assert jettison("run", f"from-skopeo:{tag}").stdout == OUTPUT
        jettison("rm", f"from-skopeo:{tag}")
