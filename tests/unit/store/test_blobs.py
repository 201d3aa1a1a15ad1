import hashlib
import os
import resource
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import ImageError, NotFoundError, StoreError
from jettison.model.digest import Digest, sha256_digest
from jettison.model.oci import OCI_LAYER, Descriptor
from jettison.store.store import Store
from tests.unit.store.storetools import blobs_of, leftovers

HELLO = Digest("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")


def test_a_blob_is_kept_under_its_digest(store: Store) -> None:
    told: list[int] = []
    blob = store.blobs.ingest(BytesIO(b"hello"), progress=told.append)
    assert (blob.digest, blob.size, told) == (HELLO, 5, [5])
    assert store.blobs.path(HELLO) == store.root / "blobs/sha256" / HELLO[7:]
    assert store.blobs.path(HELLO).read_bytes() == b"hello"
    assert store.blobs.has(HELLO)
    with store.blobs.open_blob(Descriptor(OCI_LAYER, HELLO, 5)) as stream:
        assert stream.read() == b"hello"
    assert leftovers(store) == []


@pytest.mark.parametrize(
    ("digest", "size", "message"),
    [
        (sha256_digest(b"other"), None, "has digest"),
        (HELLO, 4, "more than the 4 bytes"),
        (HELLO, 6, "ends after 5 bytes instead of 6"),
        (None, 4, "more than the 4 bytes"),
    ],
)
def test_lies_are_found_out(
    store: Store, digest: Digest | None, size: int | None, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        store.blobs.ingest(BytesIO(b"hello"), digest=digest, size=size)
    assert blobs_of(store) == set()
    assert leftovers(store) == []


def test_an_endless_stream_is_cut_off(store: Store) -> None:
    class Endless:
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return bytes(size)

    stream = Endless()
    with pytest.raises(ImageError):
        store.blobs.ingest(stream, size=10_000)
    assert stream.given < 10_000 + (1 << 20)


def test_progress_may_stop_the_writing(store: Store) -> None:
    def stop(written: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.blobs.ingest(BytesIO(b"hello"), progress=stop)
    assert leftovers(store) == []


def test_sha512(store: Store) -> None:
    digest = Digest("sha512:" + hashlib.sha512(b"hello").hexdigest())
    assert store.blobs.ingest(BytesIO(b"hello"), digest=digest).digest == digest
    assert store.blobs.has(digest)
    with pytest.raises(ImageError):
        store.blobs.ingest(BytesIO(b"other"), digest=digest)


def test_the_writer_is_a_file(store: Store) -> None:
    with store.blobs.writer() as writer:
        assert writer.write(memoryview(b"hel")) == 3
        writer.write(bytearray(b"lo"))
        writer.flush()
        assert writer.commit() == (HELLO, 5)
    with store.blobs.writer() as writer:
        writer.write(b"never committed")
    assert blobs_of(store) == {HELLO}
    assert leftovers(store) == []


def test_a_blob_that_was_cut_short_is_replaced(store: Store) -> None:
    store.blobs.ingest(BytesIO(b"hello"))
    store.blobs.path(HELLO).write_bytes(b"hel")
    with pytest.raises(ImageError, match="has 3 bytes instead of 5"):
        store.blobs.open_blob(Descriptor(OCI_LAYER, HELLO, 5))
    store.blobs.ingest(BytesIO(b"hello"))
    assert store.blobs.path(HELLO).read_bytes() == b"hello"


def test_a_missing_blob(store: Store) -> None:
    assert not store.blobs.has(HELLO)
    assert store.blobs.size(HELLO) is None
    with pytest.raises(NotFoundError):
        store.blobs.open_blob(Descriptor(OCI_LAYER, HELLO, 5))


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "x"])
def test_no_digest_leads_out_of_the_store(store: Store, digest: str) -> None:
    with pytest.raises(ImageError):
        store.blobs.open_blob(Descriptor(OCI_LAYER, Digest(digest), 5))


def test_a_full_disk_is_a_store_error(tmp_path: Path) -> None:
    # A limit on file sizes fails the write as a full disk does, only with another errno.
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Store.open(tmp_path / "s") as store:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
            with pytest.raises(StoreError, match="cannot write a blob: File too large"):
                store.blobs.ingest(BytesIO(os.urandom(1 << 18)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert leftovers(store) == []


@settings(max_examples=20, deadline=None)
@given(pieces=st.lists(st.binary(max_size=100), max_size=8))
def test_any_way_of_writing_gives_the_same_blob(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    whole = b"".join(pieces)
    with Store.open(tmp_path_factory.mktemp("s") / "s") as store, store.blobs.writer() as writer:
        for piece in pieces:
            writer.write(piece)
        assert writer.commit() == (sha256_digest(whole), len(whole))
