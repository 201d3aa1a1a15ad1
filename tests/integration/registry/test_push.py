"""Pushing to a real registry; skopeo and docker-registry's log say what arrived."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from jettison.errors import ImageError, NotFoundError, RegistryError
from jettison.model.digest import Digest
from jettison.model.oci import Descriptor
from jettison.model.reference import Reference
from jettison.registry.client import RegistryClient
from jettison.registry.pull import pull
from jettison.registry.push import push
from jettison.store.store import Store
from tests.integration.registry.common import LayoutSource, Recorder, as_descriptor, ref
from tests.integration.support.faults import Fault, FaultProxy
from tests.integration.support.layouts import LAYER, Layout, random_image, tiny_image
from tests.integration.support.server import Registry


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def blobs_in(directory: Path) -> set[str]:
    return {path.name for path in (directory / "blobs" / "sha256").iterdir()}


def test_an_index_arrives_whole(
    client: RegistryClient, registry: Registry, layout: Layout, tmp_path: Path
) -> None:
    unique = os.urandom(8).hex()
    images = {arch: tiny_image(layout, arch + unique, arch=arch) for arch in ("amd64", "arm64")}
    root = layout.index(images)
    references = [ref(registry.name("multi/app:1")), ref(registry.name("multi/app:latest"))]
    recorder = Recorder()
    digest = push(client, LayoutSource(layout), as_descriptor(root), references, observer=recorder)
    assert digest == root["digest"]
    registry.save("multi/app:1", tmp_path / "saved")
    assert blobs_in(tmp_path / "saved") == blobs_in(layout.path)
    assert registry.inspect("multi/app:latest", "--raw") == json.loads(layout.read(root))
    assert len(recorder.last()) == 6  # two configs and four layers
    assert all(current == total for current, total in recorder.last().values())


def test_order_of_a_push(client: RegistryClient, faulty: FaultProxy, layout: Layout) -> None:
    """Blobs before manifests, manifests before the index, tags at the very end."""
    unique = os.urandom(8).hex()
    images = {arch: tiny_image(layout, arch + unique, arch=arch) for arch in ("amd64", "arm64")}
    root = as_descriptor(layout.index(images))
    push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/ordered:{t}") for t in "ab"])
    puts = [r.path for r in faulty.requests if r.method == "PUT"]
    assert [p.split("/")[3] for p in puts] == ["blobs"] * 6 + ["manifests"] * 4
    children = {f"/v2/ordered/manifests/{d['digest']}" for d in images.values()}
    assert set(puts[6:8]) == children
    assert puts[8:] == ["/v2/ordered/manifests/a", "/v2/ordered/manifests/b"]


def test_existing_blobs_are_not_sent_again(
    client: RegistryClient, faulty: FaultProxy, layout: Layout
) -> None:
    root = as_descriptor(random_image(layout, 5000, layers=2))
    push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/twice:1")])
    faulty.requests.clear()
    source = LayoutSource(layout)
    push(client, source, root, [ref(f"{faulty.host}/twice:2")])
    assert faulty.count("POST") == 0 and faulty.count("PUT") == 1
    assert source.opened == [root.digest]


def test_a_second_repository_mounts_the_blobs_of_the_first(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, layout: Layout
) -> None:
    root = as_descriptor(random_image(layout, 5000, layers=2))
    references = [ref(f"{faulty.host}/mount/{name}:1") for name in ("one", "two")]
    push(client, LayoutSource(layout), root, references)
    assert faulty.count("POST", "mount=.*from=mount/one") == 3
    assert faulty.count("PUT", "/v2/mount/two/blobs") == 0
    assert registry.inspect("mount/two:1", "--raw") == registry.inspect("mount/one:1", "--raw")


def test_mounts_from_known_origins_and_uploads_what_is_not_there(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, layout: Layout
) -> None:
    root = as_descriptor(random_image(layout, 5000, layers=2))
    known = Reference(faulty.host, "origin/one")
    push(client, LayoutSource(layout), root, [Reference(faulty.host, "origin/one", "1")])
    layers = json.loads(layout.read({"digest": root.digest}))["layers"]

    def origins(digest: Digest) -> list[Reference]:
        if digest == layers[0]["digest"]:
            return [known]
        if digest == layers[1]["digest"]:
            return [Reference(faulty.host, "origin/nothing"), Reference("other.example", "x")]
        return []

    target = ref(f"{faulty.host}/origin/two:1")
    faulty.requests.clear()
    push(client, LayoutSource(layout), root, [target], origins=origins)
    assert faulty.count("PUT", "/v2/origin/two/blobs") == 2  # the config and the second layer
    assert faulty.count("POST", "from=origin/one") == 1
    assert registry.inspect("origin/two:1", "--raw")["layers"] == layers


def test_pull_push_pull_gives_the_same(
    client: RegistryClient, registry: Registry, store: Store, busybox: Layout, tmp_path: Path
) -> None:
    registry.load(busybox.path, "busybox", "roundtrip/a:1")
    root = pull(client, ref(registry.name("roundtrip/a:1")), store.blobs, lambda d: None)
    push(client, store.blobs, root, [ref(registry.name("roundtrip/b:1"))])
    registry.save("roundtrip/b:1", tmp_path / "saved")
    assert blobs_in(tmp_path / "saved") == blobs_in(busybox.path)


def test_push_over_tls_with_a_password(
    tls_registry: Registry, tmp_path: Path, layout: Layout
) -> None:
    from dataclasses import replace

    from tests.integration.registry.common import Fixed
    from tests.integration.registry.conftest import FAST

    root = as_descriptor(random_image(layout, 300_000))
    settings = replace(FAST, insecure=frozenset({tls_registry.host}))
    known = Fixed.of(tls_registry.host, tls_registry.user, tls_registry.password)
    with RegistryClient(settings, known) as client:
        push(client, LayoutSource(layout), root, [ref(tls_registry.name("pushed:1"))])
    tls_registry.save("pushed:1", tmp_path / "saved")
    assert blobs_in(tmp_path / "saved") == blobs_in(layout.path)


def test_an_upload_cut_in_the_middle_is_begun_again(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, layout: Layout, tmp_path: Path
) -> None:
    root = as_descriptor(random_image(layout, 400_000))
    faulty.on("PUT", "blobs/uploads", Fault(cut_request=100_000))
    push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/cut:1")])
    registry.save("cut:1", tmp_path / "saved")
    assert blobs_in(tmp_path / "saved") == blobs_in(layout.path)


def test_an_upload_resumes_where_the_registry_says(
    client: RegistryClient, faulty: FaultProxy, layout: Layout, registry: Registry
) -> None:
    """The registry keeps what a PATCH brought before the connection broke."""
    data = os.urandom(400_000)
    digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
    reference = ref(f"{faulty.host}/resumed:1")
    descriptor = Descriptor(LAYER, digest, len(data))
    patched = 150_000

    def open_source() -> object:
        import io

        return io.BytesIO(data)

    # The PUT is lost, but the registry already has the first part, as after a broken PUT.
    faulty.on("PUT", "blobs/uploads", Fault(status=502))
    session = client.session(reference)
    begun = session.request(
        "POST", session.url("blobs", "uploads") + "/", scopes=(), what="x", expect=(202,)
    )
    location = client.transport.location(str(begun.url), begun.headers["Location"])
    begun.close()
    partial = session.request(
        "PATCH", location, scopes=(), what="x", expect=(202,),
        headers={"Content-Range": f"0-{patched - 1}", "Content-Length": str(patched)},
        content=data[:patched],
    )  # fmt: skip
    partial.close()
    status = {"Range": f"0-{patched - 1}", "Location": partial.headers["Location"]}
    faulty.on("GET", "blobs/uploads", Fault(status=204, headers=status))
    assert client.push_blob(reference, descriptor, open_source) == "uploaded"  # type: ignore[arg-type]  # BytesIO
    (patch,) = [r for r in faulty.requests if r.method == "PATCH"][1:]
    assert patch.headers["content-range"] == f"{patched}-{len(data) - 1}"
    assert patch.headers["content-length"] == str(len(data) - patched)
    assert client.has_blob(reference, digest)


def test_a_lost_answer_to_an_upload_is_no_failure(
    client: RegistryClient, faulty: FaultProxy, layout: Layout
) -> None:
    root = as_descriptor(random_image(layout, 4000))
    faulty.on("PUT", "blobs/uploads", Fault(body=b"x", cut=0), times=1)
    push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/lost:1")])
    assert faulty.count("PUT", "/v2/lost/blobs") == 2  # the config and the layer, once each


def test_a_failing_upload_ends(client: RegistryClient, faulty: FaultProxy, layout: Layout) -> None:
    root = as_descriptor(random_image(layout, 4000))
    faulty.on("PUT", "blobs/uploads", Fault(status=500), times=99)
    with pytest.raises(RegistryError, match=r"upload of sha256:.*500"):
        push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/failing:1")])
    assert faulty.count("PUT", "manifests") == 0


def test_the_registry_says_what_it_refuses(
    client: RegistryClient, faulty: FaultProxy, layout: Layout
) -> None:
    root = as_descriptor(random_image(layout, 4000))
    body = b'{"errors":[{"code":"MANIFEST_INVALID","message":"no\\u001b[31m thanks"}]}'
    faulty.on("PUT", "manifests", Fault(status=400, body=body), times=9)
    with pytest.raises(RegistryError) as caught:
        push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/refused:1")])
    assert caught.value.message == (
        f"{faulty.host}/refused: manifest 1: MANIFEST_INVALID: no [31m thanks (status 400)"
    )


def test_a_blob_of_another_size_is_not_sent_as_right(
    client: RegistryClient, registry: Registry, layout: Layout
) -> None:
    root = random_image(layout, 4000)
    layer = json.loads(layout.read(root))["layers"][0]
    (layout.path / "blobs" / "sha256" / layer["digest"][7:]).write_bytes(b"short")
    with pytest.raises(ImageError, match=r"does not have the \d+ bytes"):
        push(client, LayoutSource(layout), as_descriptor(root), [ref(registry.name("short:1"))])
    with pytest.raises(NotFoundError):
        client.resolve(ref(registry.name("short:1")))


def test_a_registry_that_takes_no_pieces_gets_the_blob_as_a_whole(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, layout: Layout, tmp_path: Path
) -> None:
    """A large blob whose first PUT fails is sent in pieces, unless these are refused."""
    root = as_descriptor(random_image(layout, 17 << 20))
    layer = json.loads(layout.read({"digest": root.digest}))["layers"][0]
    faulty.on("PUT", f"digest={layer['digest']}", Fault(status=502))
    faulty.on("PATCH", "blobs/uploads", Fault(status=405), times=9)
    push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/whole:1")])
    assert faulty.count("PATCH") == 1
    assert faulty.count("PUT", f"digest={layer['digest']}") == 2
    registry.save("whole:1", tmp_path / "saved")
    assert blobs_in(tmp_path / "saved") == blobs_in(layout.path)


def test_an_upload_that_the_registry_forgets_is_begun_anew(
    client: RegistryClient, faulty: FaultProxy, registry: Registry, layout: Layout, tmp_path: Path
) -> None:
    root = as_descriptor(random_image(layout, 1000))
    forgotten = b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown"}]}'
    faulty.on("PUT", "blobs/uploads", Fault(status=404, body=forgotten))
    push(client, LayoutSource(layout), root, [ref(f"{faulty.host}/forgotten:1")])
    registry.save("forgotten:1", tmp_path / "saved")
    assert blobs_in(tmp_path / "saved") == blobs_in(layout.path)
