"""What registries answer: errors, documents, times to wait."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import Cancelled, ImageError
from jettison.model.digest import Digest, sha256_digest
from jettison.model.oci import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    encode,
)
from jettison.registry.documents import MAX_DEPTH, check_digest, check_kind, collect, media_type_of
from jettison.registry.failures import clean, error_text, retry_after
from jettison.registry.network import Pace
from jettison.registry.settings import Settings
from jettison.registry.transfer import run_all
from jettison.registry.transport import Transport

MANIFEST = b'{"schemaVersion":2,"config":{},"layers":[]}'
INDEX = b'{"schemaVersion":2,"manifests":[]}'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}', "DENIED: no; X"),
        (b'{"details":"incorrect password"}', "incorrect password"),
        (b'{"error":"invalid_grant","error_description":"expired"}', "expired"),
        (b'{"errors":[5,null,{"code":null}]}', ""),
        (b"<html>", ""),
        (b"[1]", ""),
        (b"[" * 60_000, ""),
        (b"\xff", ""),
    ],
)
def test_error_bodies(body: bytes, text: str) -> None:
    assert error_text(body) == text


def test_text_of_a_server_cannot_move_the_cursor() -> None:
    assert clean("a\x1b[2Jb\r\nc\u202e") == "a [2Jb c"
    assert len(clean("x" * 10_000)) == 300


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_any_error_body_is_read(body: bytes) -> None:
    assert error_text(body).isprintable()


def test_times_to_wait() -> None:
    assert retry_after(None) is None
    assert retry_after("7") == 7.0
    assert retry_after("-7") is None
    assert retry_after("soon") is None
    later = retry_after(formatdate(time.time() + 100, usegmt=True))
    assert later is not None and 95 < later <= 100
    assert retry_after(formatdate(0, usegmt=True)) == 0.0


@pytest.mark.parametrize(
    ("data", "said", "kind"),
    [
        (MANIFEST, OCI_MANIFEST, OCI_MANIFEST),
        (MANIFEST, f"{DOCKER_MANIFEST}; charset=utf-8", DOCKER_MANIFEST),
        (MANIFEST, "application/json", OCI_MANIFEST),
        (INDEX, "", OCI_INDEX),
        (INDEX, DOCKER_INDEX, DOCKER_INDEX),
    ],
)
def test_media_types(data: bytes, said: str, kind: str) -> None:
    assert media_type_of(data, said, "x") == kind


def test_the_document_s_own_word_counts() -> None:
    data = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": []}).encode()
    assert media_type_of(data, "text/plain", "x") == DOCKER_INDEX


@pytest.mark.parametrize(
    ("data", "said", "message"),
    [
        (b'{"schemaVersion":2,"manifests":[],"layers":[]}', "", "both a manifest and an index"),
        (b'{"schemaVersion":2}', "", "neither a manifest nor an index"),
        (MANIFEST, OCI_INDEX, "but is something else"),
        (INDEX, DOCKER_MANIFEST, "but is something else"),
        (b'{"schemaVersion":1,"fsLayers":[]}', "", "schema 1"),
        (b"[]", "", "malformed"),
    ],
)
def test_ambiguous_and_foreign_documents(data: bytes, said: str, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        media_type_of(data, said, "x")


def test_kinds_and_digests_are_checked() -> None:
    descriptor = Descriptor(OCI_MANIFEST, sha256_digest(MANIFEST), len(MANIFEST))
    assert check_kind(MANIFEST, descriptor, "x") is False
    check_digest(MANIFEST, descriptor.digest, "x")
    with pytest.raises(ImageError, match="another digest, sha256:"):
        check_digest(MANIFEST + b" ", descriptor.digest, "x")
    sha512 = Digest("sha512:" + "0" * 128)
    with pytest.raises(ImageError, match="another digest, sha512:"):
        check_digest(MANIFEST, sha512, "x")


def blob(kind: str, data: bytes) -> Descriptor:
    return Descriptor(kind, sha256_digest(data), len(data))


def test_contents_of_an_index_are_listed_once_inner_documents_first() -> None:
    layer, config = blob(OCI_LAYER_GZIP, b"layer"), blob(OCI_CONFIG, b"config")
    first = encode(Manifest(2, config, (layer, layer)))
    second = encode(Manifest(2, config, (layer,)))
    children = (blob(OCI_MANIFEST, first), blob(OCI_MANIFEST, second), blob(OCI_MANIFEST, first))
    root = encode(Index(2, children))
    known = {sha256_digest(data): data for data in (first, second, root)}
    contents = collect(lambda d: known[d.digest], blob(OCI_INDEX, root), "x")
    assert [data for _, data in contents.documents.values()] == [first, second, root]
    assert list(contents.blobs) == [config.digest, layer.digest]


def test_deep_nesting_is_refused() -> None:
    data = INDEX
    known = {sha256_digest(data): data}
    for _ in range(MAX_DEPTH):
        data = encode(Index(2, (blob(OCI_INDEX, data),)))
        known[sha256_digest(data)] = data
    with pytest.raises(ImageError, match="nested more than"):
        collect(lambda d: known[d.digest], blob(OCI_INDEX, data), "x")


def test_a_slow_transfer_is_noticed_but_not_a_slow_reader() -> None:
    pace = Pace(Settings(read_timeout=10, slowest=100))
    for _ in range(100):
        assert pace.moved(100, 0.9)  # 111 bytes a second
    assert pace.moved(1, 0.0)
    assert not all(pace.moved(10, 0.9) for _ in range(100))


def test_the_first_failure_stops_the_rest_and_is_raised() -> None:
    ran: list[int] = []

    def fail(stop: object) -> None:
        raise ImageError("first")

    jobs = [fail, *[lambda stop, n=n: ran.append(n) for n in range(1000)]]
    with pytest.raises(ImageError, match="first"):
        run_all(jobs, 1, lambda: None)
    assert len(ran) < 1000


def test_an_interrupt_ends_waiting() -> None:
    transport = Transport(Settings(backoff=60.0))

    def interrupted(stop: object) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all([lambda stop: transport.pause(1), interrupted], 2, transport.cancel)
    assert time.monotonic() - began < 10
    with pytest.raises(Cancelled):
        transport.pause(1)


def test_importing_all_of_it_brings_no_heavy_module() -> None:
    code = (
        "import sys\n"
        "import jettison.registry.login, jettison.registry.pull, jettison.registry.push\n"
        "print(sorted({'httpx', 'ssl', 'subprocess', 'email', 'json'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
