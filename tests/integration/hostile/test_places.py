"""The worst archives where else they can come from: archives of images, registries, URLs, git."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hostile.corpus import CASES, lower
from tests.integration.hostile.lab import TAR, Lab, compressed_type, digest
from tests.integration.hostile.rawtar import member, symlink
from tests.integration.hostile.test_archives import DOCKERFILE, IN_CONTEXT, check, diff_id
from tests.integration.support.hostile import Hostile, run_hostile
from tests.integration.support.layouts import CONFIG, MANIFEST
from tests.integration.support.web import Git, Web, run_web

pytestmark = pytest.mark.root

WORST = [
    "paths: dot-dot",
    "paths: through an absolute link",
    "paths: a cycle",
    "paths: control characters in an error",
    "links: out of the root",
    "links: to a symbolic link",
    "whiteouts: out of the root",
    "whiteouts: a device 0:0",
    "kinds: a device of negative numbers",
    "kinds: overlay's attributes",
    "headers: truncated in data",
    "headers: pax: a header of 1 GB",
    "sparse: 1.0: 8 EB",
    "compressed: gzip cut off",
    "compressed: zstd with a window of 2 GiB",
]


def _config(layers: list[bytes]) -> bytes:
    ids = [diff_id(layer) for layer in layers]
    rootfs = {"type": "layers", "diff_ids": ids}
    return json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()


@pytest.mark.parametrize("name", WORST)
def test_in_a_docker_archive(lab: Lab, name: str) -> None:
    layers = [lower(1000 + lab.count), CASES[name].data]
    entry = {"Config": "c.json", "RepoTags": [f"d{lab.count}:1"], "Layers": ["0.tar", "1.tar"]}
    files = {
        "manifest.json": json.dumps([entry]).encode(),
        "c.json": _config(layers),
        "0.tar": layers[0],
        "1.tar": layers[1],
    }
    archive = lab.out()
    with tarfile.open(archive, "w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    lab.run("load", "-i", archive, fails=False)
    found = lab.build(f"FROM d{lab.count - 1}:1\n", keeps=1)
    check(found, CASES[name].layer)


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with run_hostile() as running:
        yield running


@pytest.mark.parametrize("name", WORST)
def test_in_a_registry(lab: Lab, server: Hostile, name: str) -> None:
    layers = [lower(2000 + lab.count), CASES[name].data]
    config = _config(layers)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
            "layers": [
                {"mediaType": kind, "digest": digest(data), "size": len(data)}
                for kind, data in ((TAR, layers[0]), (compressed_type(layers[1]), layers[1]))
            ],
        }
    ).encode()
    part = f"p{lab.count}"
    for method in ("HEAD", "GET"):
        for tag in ("latest", digest(manifest)):
            path = f"/v2/{part}/manifests/{tag}"
            server.gives(method, path, manifest, Content_Type=MANIFEST)
    for blob in (config, *layers):
        server.gives("GET", f"/v2/{part}/blobs/{digest(blob)}", blob)
    check(lab.build(f"FROM {server.host}/{part}\n", keeps=1), CASES[name].layer)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with run_web(tmp_path_factory.mktemp("web")) as running:
        yield running


@pytest.mark.parametrize("name", [n for n in WORST if n in IN_CONTEXT])
def test_at_a_url(lab: Lab, web: Web, name: str) -> None:
    """As ADD --unpack takes it, and as a context."""
    file = f"{lab.count}.tar"
    (web.root / file).write_bytes(CASES[name].data)
    found = lab.build(f"FROM scratch\nADD --unpack=true {web.url}/{file} /\n")
    assert not isinstance(found, str), found
    assert sorted(found) == sorted(CASES[name].added)
    (web.root / file).write_bytes(DOCKERFILE + CASES[name].data)
    found = lab.build("", context=f"{web.url}/{file}")
    assert not isinstance(found, str), found
    assert sorted(found) == sorted(CASES[name].added)


def test_a_repository(lab: Lab, web: Web, tmp_path: Path) -> None:
    """Links of a repository lead nowhere, be it a context or ADD's source."""
    git = Git(tmp_path / "work", web.root / "evil.git")
    (git.work / "out").symlink_to("/canary")
    (git.work / "passwd").symlink_to("../../../../../../../../etc/passwd")
    (git.work / "Dockerfile").symlink_to("/etc/passwd")
    git.commit(good="FROM scratch\nCOPY good /\n", bad="FROM scratch\nCOPY out/secret /\n")
    git.publish()
    url = f"{web.url}/evil.git"
    for flags in ((), ("-f", "passwd"), ("-f", "bad"), ("-f", "../../../../etc/passwd")):
        found = lab.build("", *flags, context=url)
        assert isinstance(found, str)
        assert "root:x:0:0" not in found
    found = lab.build("", "-f", "good", context=url)
    assert not isinstance(found, str), found
    assert [line.split(":")[0] for line in found] == ["/good"]
    found = lab.build(f"FROM scratch\nADD {url}#main /r/\n")
    assert not isinstance(found, str), found
    assert "/r/out: link /canary" in found


def test_a_dockerfile_that_is_a_link(lab: Lab) -> None:
    """Of a context that is somebody else's, it is followed inside; so is the ignore file."""
    dockerfile = member("d/it", b"FROM scratch\nCOPY x /\n") + member("x", b"x")
    links = symlink("Dockerfile", "/d/it") + symlink(".dockerignore", "/etc/passwd")
    archive = lab.out()
    archive.write_bytes(dockerfile + links)
    assert lab.build("", context=archive) == {"/x: file 0644 0:0 'x'"}
    archive.write_bytes(symlink("Dockerfile", "/etc/passwd") + links[512:])
    found = lab.build("", context=archive)
    assert "failed to read dockerfile" in found
    assert "root:x:0:0" not in found
