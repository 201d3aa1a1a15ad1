"""Registries that stall, cut, lie, and ask to wait."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jettison.errors import ImageError, JettisonError, NotFoundError, RegistryError
from jettison.model.oci import Descriptor
from jettison.model.platform import parse_platform
from jettison.registry.client import RegistryClient
from jettison.registry.pull import pull
from jettison.registry.source import RegistrySource
from jettison.store.store import Store
from tests.integration.registry.common import as_descriptor, ref
from tests.integration.registry.conftest import FAST
from tests.integration.support.faults import MAX_ENDLESS, Fault, FaultProxy
from tests.integration.support.layouts import MANIFEST, Layout, random_image
from tests.integration.support.server import Registry

SIZE = 300_000
AMD64 = parse_platform("linux/amd64")


class Image:
    """``faults:1``, an image with one incompressible layer."""

    def __init__(self, layout: Layout, root: Descriptor) -> None:
        self.layout, self.root = layout, root
        layer = json.loads(layout.read({"digest": root.digest}))["layers"][0]
        self.layer = as_descriptor(layer)
        self.bytes = layout.read(layer)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Image:
    layout = Layout(tmp_path_factory.mktemp("faults") / "layout")
    root = random_image(layout, SIZE)
    layout.tag("1", root)
    registry.load(layout.path, "1", "faults:1")
    return Image(layout, as_descriptor(root))


def read_layer(client: RegistryClient, proxy: FaultProxy, image: Image) -> bytes:
    with client.open_blob(ref(f"{proxy.host}/faults:1"), image.layer) as stream:
        return stream.read()


def ranges(proxy: FaultProxy) -> list[str]:
    return [r.headers.get("range", "") for r in proxy.requests if "/blobs/" in r.path]


def test_a_cut_blob_is_resumed(client: RegistryClient, faulty: FaultProxy, image: Image) -> None:
    faulty.on("GET", "/blobs/", Fault(cut=100_000))
    faulty.on("GET", "/blobs/", Fault(cut=50_000))
    assert read_layer(client, faulty, image) == image.bytes
    assert ranges(faulty) == ["", "bytes=100000-", "bytes=150000-"]


def test_a_cut_blob_is_resumed_without_ranges(
    client: RegistryClient, faulty: FaultProxy, image: Image
) -> None:
    faulty.on("GET", "/blobs/", Fault(cut=100_000))
    faulty.on("GET", "/blobs/", Fault(no_range=True))
    assert read_layer(client, faulty, image) == image.bytes


def test_another_range_than_asked_for_is_refused(
    client: RegistryClient, faulty: FaultProxy, image: Image
) -> None:
    faulty.on("GET", "/blobs/", Fault(cut=100_000))
    wrong = {"Content-Range": f"bytes 0-{SIZE}/{SIZE}"}
    faulty.on("GET", "/blobs/", Fault(headers=wrong))
    with pytest.raises(RegistryError, match="answers with another range"):
        read_layer(client, faulty, image)


def test_cuts_without_end_end(client: RegistryClient, faulty: FaultProxy, image: Image) -> None:
    faulty.on("GET", "/blobs/", Fault(cut=10), times=99)
    with pytest.raises(RegistryError, match="the connection failed"):
        read_layer(client, faulty, image)
    assert len(ranges(faulty)) == FAST.attempts


def test_a_stalled_blob_is_resumed(
    client: RegistryClient, faulty: FaultProxy, image: Image
) -> None:
    faulty.on("GET", "/blobs/", Fault(cut=100_000, stall=5))
    began = time.monotonic()
    assert read_layer(client, faulty, image) == image.bytes
    assert time.monotonic() - began < 4
    assert ranges(faulty)[1].startswith("bytes=")


def test_a_blob_that_always_stalls_fails(faulty: FaultProxy, image: Image) -> None:
    faulty.on("GET", "/blobs/", Fault(cut=10, stall=3), times=99)
    impatient = replace(FAST, read_timeout=0.3)
    began = time.monotonic()
    with (
        RegistryClient(impatient) as client,
        pytest.raises(RegistryError, match="timed out waiting"),
    ):
        read_layer(client, faulty, image)
    assert time.monotonic() - began < 3


def test_an_endless_blob_is_cut_off(
    client: RegistryClient, faulty: FaultProxy, image: Image, store: Store
) -> None:
    faulty.on("GET", "/blobs/", Fault(endless=True), times=99)
    with pytest.raises(RegistryError, match=rf"more than the {image.layer.size} bytes"):
        read_layer(client, faulty, image)
    assert image.layer.size < MAX_ENDLESS


def test_a_blob_of_another_length_is_refused_at_once(
    client: RegistryClient, faulty: FaultProxy, image: Image
) -> None:
    faulty.on("GET", "/blobs/", Fault(body=b"short"))
    with pytest.raises(RegistryError, match=r"has 5 bytes where the manifest says \d+"):
        read_layer(client, faulty, image)


def test_a_blob_with_other_content_never_enters_the_store(
    client: RegistryClient, faulty: FaultProxy, image: Image, store: Store
) -> None:
    name = f"{faulty.host}/faults:1"
    lie = bytes(image.layer.size)
    faulty.on("GET", f"/blobs/{image.layer.digest}", Fault(body=lie), times=9)
    recorded: list[Descriptor] = []
    with pytest.raises(ImageError):
        pull(client, ref(name), store.blobs, recorded.append)
    assert recorded == []
    assert not store.blobs.has(image.layer.digest) and not store.blobs.has(image.root.digest)
    # The config may have been under way when the layer turned out to be a lie.
    assert not list(store.paths.tmp.glob(f"*{image.layer.digest[7:]}"))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_status_is_waited_for(
    client: RegistryClient, faulty: FaultProxy, image: Image, status: int
) -> None:
    faulty.on("HEAD", "", Fault(status=status, headers={"Retry-After": "1"}))
    began = time.monotonic()
    assert client.resolve(ref(f"{faulty.host}/faults:1")).digest == image.root.digest
    assert 1 <= time.monotonic() - began < 3
    assert faulty.count("HEAD") == 2


def test_a_wait_that_is_too_long_is_not_begun(
    client: RegistryClient, faulty: FaultProxy, image: Image
) -> None:
    too_many = Fault(
        status=429,
        headers={"Retry-After": "3600"},
        body=b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
    )
    faulty.on("HEAD", "", too_many, times=9)
    faulty.on("GET", "", too_many, times=9)
    began = time.monotonic()
    with pytest.raises(RegistryError, match="TOOMANYREQUESTS: slow down") as caught:
        client.resolve(ref(f"{faulty.host}/faults:1"))
    assert time.monotonic() - began < 2
    assert f"jettison login {faulty.host}" in (caught.value.hint or "")


def test_a_registry_that_stays_broken(client: RegistryClient, faulty: FaultProxy) -> None:
    for method in ("GET", "HEAD"):
        faulty.on(method, "", Fault(status=503), times=99)
    with pytest.raises(RegistryError, match="503"):
        client.resolve(ref(f"{faulty.host}/faults:1"))
    assert faulty.count("GET") == FAST.attempts


def test_head_is_not_needed(client: RegistryClient, faulty: FaultProxy, image: Image) -> None:
    faulty.on("HEAD", "", Fault(status=405), times=9)
    assert client.resolve(ref(f"{faulty.host}/faults:1")) == image.root


def test_head_without_a_digest(client: RegistryClient, faulty: FaultProxy, image: Image) -> None:
    faulty.on("HEAD", "", Fault(headers={"Docker-Content-Digest": "md5:0"}))
    assert client.resolve(ref(f"{faulty.host}/faults:1")) == image.root


@pytest.mark.parametrize(
    "body",
    [
        b"<html>502 Bad Gateway</html>",
        b"[]",
        b"{}",
        b'{"schemaVersion":1,"fsLayers":[]}',
        b'{"schemaVersion":2,"manifests":[],"layers":[]}',
        b'{"schemaVersion":2,"config":{"digest":"x"},"layers":7}',
        b'{"schemaVersion":2,"manifests":[{"digest":"../../etc","size":1,"mediaType":""}]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_garbage_in_the_place_of_a_manifest(
    client: RegistryClient, faulty: FaultProxy, body: bytes
) -> None:
    faulty.on("HEAD", "", Fault(status=405), times=9)
    headers = {"Content-Type": MANIFEST}
    faulty.on("GET", "/manifests/", Fault(status=200, headers=headers, body=body), times=9)
    with pytest.raises(ImageError):
        RegistrySource(client).resolve(f"{faulty.host}/faults:1", AMD64)


def test_a_manifest_with_another_digest(
    client: RegistryClient, faulty: FaultProxy, image: Image
) -> None:
    other = image.layout.read({"digest": image.root.digest}) + b" "
    faulty.on("GET", "/manifests/", Fault(body=other), times=9)
    with pytest.raises(ImageError, match="another digest"):
        RegistrySource(client).resolve(f"{faulty.host}/faults:1", AMD64)


def test_an_endless_manifest(client: RegistryClient, faulty: FaultProxy) -> None:
    faulty.on("GET", "/manifests/", Fault(endless=True), times=9)
    with pytest.raises(RegistryError, match="longer than 4194304 bytes"):
        RegistrySource(client).resolve(f"{faulty.host}/faults:1", AMD64)


def test_redirects_without_end(client: RegistryClient, faulty: FaultProxy, image: Image) -> None:
    faulty.on("GET", "", Fault(status=307, headers={"Location": "/again"}), times=99)
    with pytest.raises(RegistryError, match="redirects without end"):
        read_layer(client, faulty, image)


@pytest.mark.parametrize("location", ["ftp://x/y", "http://[::", "http://a:99999/", "//", "\\"])
def test_redirects_to_nowhere(
    client: RegistryClient, faulty: FaultProxy, image: Image, location: str
) -> None:
    faulty.on("GET", "/blobs/", Fault(status=302, headers={"Location": location}), times=99)
    with pytest.raises(JettisonError):
        read_layer(client, faulty, image)


def test_a_host_that_does_not_listen() -> None:
    with RegistryClient(FAST) as client, pytest.raises(RegistryError, match="refused"):
        client.resolve(ref("127.0.0.1:1/app:1"))


def test_a_host_that_does_not_exist() -> None:
    began = time.monotonic()
    patient = replace(FAST, backoff=30.0)
    with RegistryClient(patient) as client, pytest.raises(RegistryError, match="no such host"):
        client.resolve(ref("registry.invalid/app:1"))
    assert time.monotonic() - began < 20


def test_a_failed_layer_stops_the_others(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, store: Store, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "many")
    root = random_image(layout, 1000, layers=40)
    layout.tag("1", root)
    registry.load(layout.path, "1", "many:1")
    layers = json.loads(layout.read(root))["layers"]
    for layer in layers:
        faulty.on("GET", layer["digest"], Fault(status=404), times=9)
    with pytest.raises(NotFoundError):
        pull(client, ref(f"{faulty.host}/many:1"), store.blobs, lambda d: None)
    assert faulty.count("GET", "/blobs/") < 40
