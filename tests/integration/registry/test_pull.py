"""Pulling from a real registry into a real store."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jettison.errors import ImageError, NotFoundError, RegistryError
from jettison.model.oci import Descriptor
from jettison.model.platform import parse_platform
from jettison.registry.client import RegistryClient
from jettison.registry.pull import pull
from jettison.registry.settings import Settings
from jettison.registry.source import RegistrySource
from jettison.store.store import Store
from tests.integration.registry.common import Recorder, as_descriptor, ref
from tests.integration.support.faults import Fault, FaultProxy
from tests.integration.support.layouts import (
    INDEX,
    LAYER,
    MANIFEST,
    Layout,
    random_image,
    tiny_image,
)
from tests.integration.support.server import Registry

AMD64, ARM64 = parse_platform("linux/amd64"), parse_platform("linux/arm64")


@pytest.fixture
def multi(tmp_path: Path, registry: Registry) -> Layout:
    """``multi:1`` on the registry, for amd64 and arm64."""
    layout = Layout(tmp_path / "multi")
    images = {arch: tiny_image(layout, arch, arch=arch) for arch in ("amd64", "arm64")}
    layout.tag("1", layout.index(images))
    registry.load(layout.path, "1", "multi:1")
    return layout


def blobs_of(store: Store) -> set[str]:
    return {f"sha256:{path.name}" for path in store.paths.blobs.rglob("*") if path.is_file()}


def blobs_in(layout: Layout) -> set[str]:
    return {f"sha256:{path.name}" for path in (layout.path / "blobs").rglob("*") if path.is_file()}


def test_resolve_gives_the_descriptor_of_the_index(
    client: RegistryClient, registry: Registry, multi: Layout
) -> None:
    index = multi.entries[0]
    found = client.resolve(ref(registry.name("multi:1")))
    assert (found.mediaType, found.digest, found.size) == (INDEX, index["digest"], index["size"])
    assert client.resolve(ref(registry.name(f"multi@{index['digest']}"))) == found


def test_source_resolves_the_platform(
    client: RegistryClient, registry: Registry, multi: Layout
) -> None:
    image = RegistrySource(client).resolve(registry.name("multi:1"), ARM64)
    assert str(image.config.platform) == "linux/arm64"
    assert len(image.layers) == len(image.diff_ids) == 2
    with image.origin.open_blob(image.layers[0]) as stream:
        assert stream.read() == multi.read({"digest": image.layers[0].digest})


def test_source_says_which_platforms_there_are(
    client: RegistryClient, registry: Registry, multi: Layout
) -> None:
    with pytest.raises(NotFoundError, match="has no image for linux/s390x") as caught:
        RegistrySource(client).resolve(registry.name("multi:1"), parse_platform("linux/s390x"))
    assert caught.value.hint == "it has linux/amd64, linux/arm64"


def test_resolving_a_known_image_again_is_one_request(
    client: RegistryClient, faulty: FaultProxy, multi: Layout, store: Store
) -> None:
    name = f"{faulty.host}/multi:1"
    first = RegistrySource(client, store.blobs).resolve(name, AMD64)
    faulty.requests.clear()
    second = RegistrySource(client, store.blobs).resolve(name, AMD64)
    assert [(r.method, r.path) for r in faulty.requests] == [("HEAD", "/v2/multi/manifests/1")]
    assert (second.digest, second.config, second.layers) == (
        first.digest, first.config, first.layers,
    )  # fmt: skip


def test_pull_of_all_platforms_brings_every_blob_once(
    client: RegistryClient, faulty: FaultProxy, multi: Layout, store: Store
) -> None:
    name = f"{faulty.host}/multi:1"
    recorder = Recorder()
    pull(client, ref(name), store.blobs, lambda d: store.names.set(name, d), observer=recorder)
    assert blobs_of(store) == blobs_in(multi)
    assert store.names.get(name) is not None
    gets = [r.path for r in faulty.requests if r.method == "GET"]
    assert len(gets) == len(set(gets))
    parts = recorder.last()
    assert parts and all(current == total for current, total in parts.values())


def test_pull_of_one_platform_records_its_manifest(
    client: RegistryClient, registry: Registry, multi: Layout, store: Store
) -> None:
    name = registry.name("multi:1")
    found = pull(client, ref(name), store.blobs, lambda d: store.names.set(name, d), platform=ARM64)
    assert found.mediaType == MANIFEST
    kept = store.names.get(name)
    assert kept is not None and kept.digest == found.digest
    image = store.images.resolve(name, ARM64)
    assert all(store.blobs.has(layer.digest) for layer in image.layers)
    assert len(blobs_of(store)) == 4  # a manifest, a config, two layers


def test_the_store_is_a_layout_that_skopeo_reads(
    client: RegistryClient, registry: Registry, store: Store, busybox: Layout, tmp_path: Path
) -> None:
    registry.load(busybox.path, "busybox", "busybox:1")
    name = registry.name("busybox:1")
    pull(client, ref(name), store.blobs, lambda d: store.names.set(name, d))
    source, target = f"oci:{store.root}:{name}", f"oci:{tmp_path / 'out'}:1"
    subprocess.run(["skopeo", "copy", "--quiet", source, target], check=True)
    assert (tmp_path / "out" / "index.json").is_file()


def test_a_second_pull_moves_no_blob(
    client: RegistryClient, faulty: FaultProxy, multi: Layout, store: Store
) -> None:
    reference = ref(f"{faulty.host}/multi:1")
    pull(client, reference, store.blobs, lambda d: None)
    faulty.requests.clear()
    pull(client, reference, store.blobs, lambda d: None)
    assert [r.method for r in faulty.requests] == ["HEAD"]


def test_missing_things_are_not_found(client: RegistryClient, registry: Registry) -> None:
    with pytest.raises(
        NotFoundError, match=r"nothing:1: not found: MANIFEST_UNKNOWN: .*\(status 404\)"
    ):
        client.resolve(ref(registry.name("nothing:1")))
    absent = Descriptor(LAYER, "sha256:" + "0" * 64, 3)  # type: ignore[arg-type]  # a digest
    with pytest.raises(NotFoundError, match="BLOB_UNKNOWN"):
        client.open_blob(ref(registry.name("nothing:1")), absent)


def test_tags_come_page_by_page(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, multi: Layout
) -> None:
    for tag in ("2", "3"):
        registry.load(multi.path, "1", f"paged:{tag}")
    assert sorted(client.tags(ref(registry.name("paged")))) == ["2", "3"]
    link = '</v2/paged/tags/list?last=2>; rel="next"'
    faulty.on("GET", "list$", Fault(headers={"Link": link}, body=b'{"tags":["2"]}'))
    faulty.on("GET", "last=2$", Fault(body=b'{"tags":["3"]}'))
    assert list(client.tags(ref(f"{faulty.host}/paged"))) == ["2", "3"]
    faulty.on("GET", "list", Fault(headers={"Link": link}, body=b'{"tags":[]}'), times=9)
    with pytest.raises(RegistryError, match="it has no end"):
        list(client.tags(ref(f"{faulty.host}/paged")))


def test_a_helm_chart_is_no_image(
    client: RegistryClient, registry: Registry, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "chart")
    config = layout.blob("application/vnd.cncf.helm.config.v1+json", b'{"name":"chart"}')
    manifest = (
        b'{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"%s","size":%d},'
        b'"layers":[]}'
    ) % (
        MANIFEST.encode(), config["mediaType"].encode(), config["digest"].encode(),
        config["size"],
    )  # fmt: skip
    layout.tag("1", layout.blob(MANIFEST, manifest))
    registry.load(layout.path, "1", "chart:1")
    with pytest.raises(ImageError, match="not an image"):
        RegistrySource(client).resolve(registry.name("chart:1"), AMD64)


def test_a_mirror_is_asked_first_and_may_fail(
    registry: Registry, faulty: FaultProxy, tmp_path: Path, store: Store
) -> None:
    layout = Layout(tmp_path / "mirrored")
    layout.tag("1", random_image(layout, 1000))
    registry.load(layout.path, "1", "cache/app:1")
    mirrors = {"registry.invalid": ("127.0.0.1:1", f"{faulty.host}/cache")}
    settings = Settings(mirrors=mirrors, attempts=1)
    with RegistryClient(settings) as client:
        pull(client, ref("registry.invalid/app:1"), store.blobs, lambda d: None)
    assert blobs_of(store) == blobs_in(layout)
    assert {r.path.split("/")[2] for r in faulty.requests} == {"cache"}


def test_a_mirror_that_cannot_be_reached_is_not_asked_again(
    registry: Registry, faulty: FaultProxy, multi: Layout
) -> None:
    faulty.on("HEAD", "", Fault(drop=True), times=9)
    settings = Settings(mirrors={registry.host: (faulty.host,)}, attempts=1)
    with RegistryClient(settings) as client:
        for _ in range(3):
            assert client.resolve(ref(registry.name("multi:1"))).mediaType == INDEX
    assert len(faulty.requests) == 1


def test_without_a_working_mirror_the_registry_itself_is_asked(
    registry: Registry, multi: Layout
) -> None:
    settings = Settings(mirrors={registry.host: ("127.0.0.1:1",)}, attempts=1)
    with RegistryClient(settings) as client:
        found = client.resolve(ref(registry.name("multi:1")))
    assert found == as_descriptor(multi.entries[0])
