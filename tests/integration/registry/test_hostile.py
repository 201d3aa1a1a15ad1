"""Registries that lie: each lie is a clear error, leaves nothing behind, and gets no password."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jettison.errors import AuthError, Cancelled, ImageError, JettisonError, RegistryError
from jettison.model.digest import Digest
from jettison.model.oci import Descriptor
from jettison.model.platform import parse_platform
from jettison.registry.client import RegistryClient
from jettison.registry.pull import pull
from jettison.registry.push import push
from jettison.registry.settings import Settings
from jettison.registry.source import RegistrySource
from jettison.store.store import Store
from tests.integration.registry.common import Fixed, LayoutSource, as_descriptor, ref
from tests.integration.registry.conftest import FAST
from tests.integration.support.hostile import Hostile, Talk, run_hostile
from tests.integration.support.layouts import CONFIG, INDEX, LAYER, MANIFEST, Layout
from tests.integration.support.server import Registry

AMD64 = parse_platform("linux/amd64")
IMPATIENT = replace(FAST, read_timeout=0.4, attempts=2, slowest=1000)
DATA = b"a layer, or so it says" * 1000


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    with run_hostile() as running:
        yield running


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def described(kind: str, data: bytes, **more: object) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(data), "size": len(data), **more}


def image_of(*layers: dict[str, Any], **more: object) -> tuple[bytes, bytes]:
    """A config and a manifest."""
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": layers,
        **more,
    }
    return config, json.dumps(document).encode()


def serve(hostile: Hostile, document: bytes, kind: str, *blobs: bytes, tag: str = "1") -> None:
    """``app:<tag>`` is ``document``, and ``blobs`` are there."""
    hostile.gives("GET", digest_of(document), document, Content_Type=kind)
    hostile.gives("HEAD", f"/manifests/{tag}", status=405)
    hostile.gives("GET", f"/manifests/{tag}", document, Content_Type=kind)
    for blob in blobs:
        hostile.gives("GET", digest_of(blob), blob)


def failure(
    hostile: Hostile, store: Store, settings: Settings = FAST, known: Fixed | None = None
) -> JettisonError:
    """Pull ``app:1``: how that fails. Nothing is left then, and it did not take long."""
    began = time.monotonic()
    with RegistryClient(settings, known) as client, pytest.raises(JettisonError) as caught:
        pull(client, ref(f"{hostile.host}/app:1"), store.blobs, lambda d: pytest.fail("recorded"))
    assert time.monotonic() - began < 10
    assert [p for p in store.paths.blobs.rglob("*") if p.is_file() and p.stat().st_size > 900] == []
    return caught.value


def crawl(talk: Talk, data: bytes) -> None:
    """A byte now and then: never silent for long enough to be a time-out."""
    for byte in data:
        talk.raw(bytes([byte]))
        time.sleep(0.1)


def test_a_crawling_body_is_given_up(hostile: Hostile, store: Store) -> None:
    layer = described(LAYER, DATA)
    config, manifest = image_of(layer)
    serve(hostile, manifest, MANIFEST, config)

    def answer(talk: Talk) -> None:
        talk.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA))
        crawl(talk, DATA[:200])

    hostile.on("GET", layer["digest"], answer)
    error = failure(hostile, store, IMPATIENT)
    assert "timed out waiting" in error.message and isinstance(error, RegistryError)


def test_crawling_headers_are_given_up(hostile: Hostile, store: Store) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200
    hostile.on("HEAD", "/manifests/", lambda talk: crawl(talk, head))
    hostile.on("GET", "/manifests/", lambda talk: crawl(talk, head))
    assert "timed out waiting" in failure(hostile, store, IMPATIENT).message


def test_endless_headers(hostile: Hostile, store: Store) -> None:
    def answer(talk: Talk) -> None:
        talk.raw(b"HTTP/1.1 200 OK\r\n")
        for number in range(20_000):
            talk.raw(b"X-%d: %s\r\n" % (number, b"x" * 100))

    hostile.on("HEAD", "/manifests/", answer)
    hostile.on("GET", "/manifests/", answer)
    assert f"{hostile.host}/app:1" in failure(hostile, store).message


@pytest.mark.parametrize("noise", [b"\0" * 1000, b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_no_http_at_all(hostile: Hostile, store: Store, noise: bytes) -> None:
    hostile.on("HEAD", "/manifests/", lambda talk: talk.raw(noise))
    hostile.on("GET", "/manifests/", lambda talk: talk.raw(noise))
    assert f"{hostile.host}/app:1" in failure(hostile, store).message


def test_a_body_that_is_always_cut(hostile: Hostile, store: Store) -> None:
    layer = described(LAYER, DATA)
    config, manifest = image_of(layer)
    serve(hostile, manifest, MANIFEST, config)
    # Without a Content-Length the end of the connection is the end of the body.
    hostile.gives("GET", layer["digest"], DATA[:10], Content_Length="")
    assert f"cut after 10 of {len(DATA)} bytes" in failure(hostile, store).message


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1, 10**18])
def test_a_wrong_length(hostile: Hostile, store: Store, length: int) -> None:
    layer = described(LAYER, DATA)
    config, manifest = image_of(layer)
    serve(hostile, manifest, MANIFEST, config)
    hostile.gives("GET", layer["digest"], DATA, Content_Length=str(length))
    assert "where the manifest says" in failure(hostile, store).message


def test_a_huge_size_in_a_manifest_takes_no_memory(hostile: Hostile, store: Store) -> None:
    layer = described(LAYER, DATA) | {"size": 10**17}
    config, manifest = image_of(layer)
    serve(hostile, manifest, MANIFEST, config, DATA)
    assert "where the manifest says" in failure(hostile, store).message


def test_a_huge_config(hostile: Hostile, store: Store) -> None:
    _, manifest = image_of()
    document = json.loads(manifest)
    document["config"]["size"] = 5 << 20
    manifest = json.dumps(document).encode()
    serve(hostile, manifest, MANIFEST)
    with RegistryClient(FAST) as client, pytest.raises(ImageError, match="at most 4194304"):
        RegistrySource(client).resolve(f"{hostile.host}/app:1", AMD64)


def test_the_digest_in_the_header_is_a_lie(hostile: Hostile, store: Store) -> None:
    config, manifest = image_of()
    lie = digest_of(b"other")
    hostile.gives(
        "HEAD", "/manifests/", b"x" * len(manifest), Content_Type=MANIFEST,
        Docker_Content_Digest=lie,
    )  # fmt: skip
    hostile.gives("GET", "/manifests/", manifest, Content_Type=MANIFEST)
    hostile.gives("GET", "/blobs/", config)
    assert "another digest" in failure(hostile, store).message


def test_the_length_in_the_header_is_a_lie(hostile: Hostile, store: Store) -> None:
    config, manifest = image_of()
    hostile.gives(
        "HEAD", "/manifests/", b"x" * 5, Content_Type=MANIFEST,
        Docker_Content_Digest=digest_of(manifest),
    )  # fmt: skip
    serve(hostile, manifest, MANIFEST, config)
    assert f"has {len(manifest)} bytes instead of 5" in failure(hostile, store).message


@pytest.mark.parametrize("kind", ["text/html", INDEX, "", "application/json; charset=\xff"])
def test_another_content_type(hostile: Hostile, store: Store, kind: str) -> None:
    """What a manifest says of itself counts; the type that it comes with is no reason to fail."""
    config, manifest = image_of()
    serve(hostile, manifest, kind, config)
    with RegistryClient(FAST) as client:
        found = pull(client, ref(f"{hostile.host}/app:1"), store.blobs, lambda d: None)
    assert found.mediaType == MANIFEST


def test_a_page_in_the_place_of_a_manifest(hostile: Hostile, store: Store) -> None:
    serve(hostile, b"<html>Please log in</html>", "text/html")
    assert "app:1 is malformed" in failure(hostile, store).message


def test_schema_1(hostile: Hostile, store: Store) -> None:
    body = b'{"schemaVersion":1,"name":"app","tag":"1","fsLayers":[],"history":[],"signatures":[]}'
    serve(hostile, body, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    error = failure(hostile, store)
    assert "(schema 1), which is not supported" in error.message and error.hint


def index_of(*children: bytes, kind: str = INDEX) -> bytes:
    entries = [described(kind, child) for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


def test_indexes_in_indexes(hostile: Hostile, store: Store) -> None:
    document = index_of()
    for _ in range(6):
        hostile.gives("GET", digest_of(document), document, Content_Type=INDEX)
        document = index_of(document)
    serve(hostile, document, INDEX)
    assert "nested more than 4 deep" in failure(hostile, store).message


def test_an_index_that_says_it_holds_itself(hostile: Hostile, store: Store) -> None:
    claimed = digest_of(b"myself")
    entry = {"mediaType": INDEX, "digest": claimed, "size": 400}
    document = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    hostile.gives("GET", claimed, document, Content_Type=INDEX)
    serve(hostile, document, INDEX)
    assert "another digest" in failure(hostile, store).message


def test_an_index_of_a_great_many_manifests(hostile: Hostile, store: Store) -> None:
    serve(hostile, index_of(*(b" " * n for n in range(1001))), INDEX)
    assert "more than 1000 manifests" in failure(hostile, store).message
    assert len(hostile.requests) == 3


@pytest.mark.parametrize(
    "digest", ["sha256:x", "md5:" + "0" * 32, "../../../etc/passwd", "sha256:" + "A" * 64, ""]
)
def test_digests_that_are_none(hostile: Hostile, store: Store, digest: str) -> None:
    config, manifest = image_of({**described(LAYER, DATA), "digest": digest})
    serve(hostile, manifest, MANIFEST, config)
    assert isinstance(failure(hostile, store), ImageError)


def test_sha512(hostile: Hostile, store: Store) -> None:
    layer = {**described(LAYER, DATA), "digest": digest_of(DATA, "sha512")}
    config, manifest = image_of(layer)
    serve(hostile, manifest, MANIFEST, config)
    hostile.gives("GET", layer["digest"], DATA)
    with RegistryClient(FAST) as client:
        pull(client, ref(f"{hostile.host}/app:1"), store.blobs, lambda d: None)
    assert store.blobs.has(Digest(layer["digest"]))


FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def test_a_foreign_layer_that_is_not_there(hostile: Hostile, store: Store) -> None:
    with run_hostile() as elsewhere:
        url = f"http://{elsewhere.host}/layer"
        config, manifest = image_of(described(FOREIGN, DATA, urls=[url]))
        serve(hostile, manifest, MANIFEST, config)
        error = failure(hostile, store)
        assert "is a foreign layer" in error.message and url in (error.hint or "")
        assert elsewhere.requests == []


def test_a_foreign_layer_is_not_pushed(
    registry: Registry, client: RegistryClient, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    config, manifest = image_of(described(FOREIGN, DATA, urls=["https://example.com/layer"]))
    layout.blob(CONFIG, config)
    root = as_descriptor(layout.blob(MANIFEST, manifest))
    layout.blob(FOREIGN, DATA)
    source = LayoutSource(layout)
    push(client, source, root, [ref(registry.name("foreign:1"))])
    assert registry.inspect("foreign:1", "--raw") == json.loads(manifest)
    assert digest_of(DATA) not in source.opened


def test_artifacts_and_what_nobody_knows_are_moved_as_they_are(
    hostile: Hostile, store: Store
) -> None:
    empty = b"{}"
    subject = described(MANIFEST, b"some image")
    artifact = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.sbom",
            "config": described("application/vnd.oci.empty.v1+json", empty),
            "layers": [described("application/vnd.example+json", DATA)],
            "subject": subject,
            "annotations": {"a": "b"},
        }
    ).encode()
    root = index_of(artifact, kind=MANIFEST)
    serve(hostile, root, INDEX, empty, DATA, artifact)
    with RegistryClient(FAST) as client:
        found = pull(client, ref(f"{hostile.host}/app:1"), store.blobs, lambda d: None)
        assert found.digest == digest_of(root)
        assert store.blobs.has(Digest(digest_of(artifact)))
        with pytest.raises(JettisonError, match=r"no image for|not an image"):
            RegistrySource(client).resolve(f"{hostile.host}/app:1", AMD64)


@pytest.mark.parametrize("where", ["upload", "tags", "token", "port"])
def test_a_password_goes_nowhere_else(
    hostile: Hostile, tmp_path: Path, where: str, store: Store
) -> None:
    """Locations, links and token servers on another host, and on another port of the same host."""
    layout = Layout(tmp_path / "layout")
    root = as_descriptor(layout.image([]))
    with run_hostile() as other:
        known = Fixed.of(hostile.host, "ada", "secret")
        known.known[other.host] = known.known[hostile.host]
        challenge = {"WWW-Authenticate": 'Basic realm="x"'}
        if where == "token":
            challenge = {"WWW-Authenticate": f'Bearer realm="http://{hostile.host}/token"'}
            hostile.gives("GET", "/token", status=307, Location=f"http://{other.host}/token")
            other.gives("GET", "/token", b'{"token":"abc"}')

        def authorised(talk: Talk) -> None:
            if "authorization" not in talk.request.headers:
                talk.reply(401, headers=challenge)
            elif talk.request.method == "POST":
                talk.reply(202, headers={"Location": f"http://{other.host}/upload"})
            elif "/tags/" in talk.request.path:
                link = f'<http://{other.host}/v2/app/tags/list?last=1>; rel="next"'
                talk.reply(200, b'{"tags":["1"]}', {"Link": link})
            elif "/blobs/" in talk.request.path and talk.request.method == "GET":
                talk.reply(307, headers={"Location": f"http://{other.host}/blob"})
            else:
                talk.reply(404)

        for method in ("GET", "HEAD", "POST"):
            hostile.on(method, "/v2/", authorised)
        for method in ("GET", "HEAD", "PUT"):
            other.on(method, "/v2/", lambda talk: talk.reply(401, headers=challenge))
            other.on(method, "/upload", lambda talk: talk.reply(401, talk.body(), challenge))
            other.on(method, "/blob", lambda talk: talk.reply(401, headers=challenge))
        with RegistryClient(FAST, known) as client, pytest.raises(JettisonError):
            if where == "tags":
                list(client.tags(ref(f"{hostile.host}/app")))
            elif where == "port":
                blob = Descriptor(LAYER, Digest(digest_of(DATA)), len(DATA))
                client.open_blob(ref(f"{hostile.host}/app"), blob)
            else:
                push(client, LayoutSource(layout), root, [ref(f"{hostile.host}/app:1")])
        assert hostile.saw_credentials()
        assert other.requests and not other.saw_credentials()


def test_a_huge_token(hostile: Hostile, store: Store) -> None:
    challenge = f'Bearer realm="http://{hostile.host}/token"'
    hostile.gives("GET", "/token", b'{"token":"' + b"x" * (2 << 20) + b'"}')
    for method in ("HEAD", "GET"):
        hostile.gives(method, "/v2/", status=401, WWW_Authenticate=challenge)
    assert "longer than 1048576 bytes" in failure(hostile, store).message


def test_a_huge_error(hostile: Hostile, store: Store) -> None:
    text = b'{"errors":[{"code":"DENIED","message":"' + b"no " * 1_000_000 + b'"}]}'
    hostile.gives("HEAD", "/v2/", status=400)
    hostile.gives("GET", "/v2/", text, status=400)
    error = failure(hostile, store)
    assert error.message == f"{hostile.host}/app:1: 400 Bad Request"


def test_what_an_error_says(hostile: Hostile, store: Store) -> None:
    hostile.gives("HEAD", "/v2/", status=403)
    text = b'{"errors":[{"code":"DENIED","message":"not for you"}]}'
    hostile.gives("GET", "/v2/", text, status=403)
    error = failure(hostile, store)
    assert isinstance(error, AuthError)
    told = f"{hostile.host}/app:1: access denied: DENIED: not for you (status 403)"
    assert error.message == told
    assert error.hint is not None and f"jettison login {hostile.host}" in error.hint


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 501])
def test_what_will_not_pass_is_not_tried_again(hostile: Hostile, store: Store, status: int) -> None:
    for method in ("HEAD", "GET"):
        hostile.gives(method, "/v2/", status=status)
    failure(hostile, store)
    assert [r.method for r in hostile.requests if r.method == "GET"] in ([], ["GET"])
    assert len(hostile.requests) <= 2


def test_one_connection_is_used_again(hostile: Hostile) -> None:
    config, manifest = image_of()
    serve(hostile, manifest, MANIFEST, config)
    with RegistryClient(FAST) as client:
        for _ in range(5):
            client.resolve(ref(f"{hostile.host}/app:1"))
    assert len(hostile.requests) == 10
    assert hostile.connections == 2  # one to see whether it speaks TLS


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6(store: Store) -> None:
    try:
        running = run_hostile("::1")
        with running as hostile:
            config, manifest = image_of()
            serve(hostile, manifest, MANIFEST, config)
            with RegistryClient(FAST) as client:
                pull(client, ref(f"{hostile.host}/app:1"), store.blobs, lambda d: None)
    except OSError:
        pytest.skip("no ::1 here")
    assert store.blobs.has(Digest(digest_of(manifest)))


def test_a_stop_ends_a_hanging_read_within_a_second(hostile: Hostile, store: Store) -> None:
    layer = described(LAYER, DATA)
    config, manifest = image_of(layer)
    serve(hostile, manifest, MANIFEST, config)
    hanging = threading.Event()

    def hang(talk: Talk) -> None:
        talk.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nstart" % len(DATA))
        hanging.set()
        hostile.closing.wait(30)

    hostile.on("GET", layer["digest"], hang)
    stopped: list[float] = []

    with RegistryClient(Settings()) as client:

        def stop() -> None:
            hanging.wait(10)
            stopped.append(time.monotonic())
            client.cancel()

        threading.Thread(target=stop, daemon=True).start()
        with pytest.raises(Cancelled):
            pull(client, ref(f"{hostile.host}/app:1"), store.blobs, lambda d: None)
        assert time.monotonic() - stopped[0] < 1
        with pytest.raises(Cancelled):
            client.resolve(ref(f"{hostile.host}/app:1"))
