"""Downloads that break off and go on; several of one blob."""

import os
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest

from jettison.errors import ImageError, RegistryError
from jettison.model.digest import sha256_digest
from jettison.model.oci import OCI_LAYER, Descriptor
from jettison.store.partial import KEPT_SECONDS
from jettison.store.store import Store
from tests.unit.store.storetools import blobs_of, leftovers

DATA = os.urandom(1_000_000)
BLOB = Descriptor(OCI_LAYER, sha256_digest(DATA), len(DATA))
PARTIAL = f"partial-sha256-{BLOB.digest[7:]}"


class Cut(BytesIO):
    """Fails at its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise RegistryError("cut")
        return data


class Source:
    """Gives ``data``; cut after ``until`` bytes the first time. ``asked`` are the offsets."""

    def __init__(self, data: bytes = DATA, until: int | None = None) -> None:
        self.data = data
        self.until = until
        self.asked: list[int] = []

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        return self.open_blob_from(descriptor, 0)

    def open_blob_from(self, descriptor: Descriptor, offset: int) -> IO[bytes]:
        self.asked.append(offset)
        until, self.until = self.until, None
        kind = BytesIO if until is None else Cut
        return kind(self.data[offset:until])

    def may_differ(self) -> bool:
        return False


class Simple:
    """A source that cannot begin in the middle."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        return self._source.open_blob(descriptor)


def broken_off(store: Store, at: int = 400_000) -> None:
    with pytest.raises(RegistryError):
        store.blobs.fetch(BLOB, Source(until=at))


def test_what_broke_off_goes_on_in_another_process(store: Store) -> None:
    broken_off(store)
    assert leftovers(store) == [PARTIAL] and blobs_of(store) == set()
    source, told = Source(), list[int]()
    with Store.open(store.root) as other:
        other.blobs.fetch(BLOB, source, progress=told.append)
    assert source.asked == [400_000] and told[-1] == len(DATA) and min(told) > 400_000
    assert store.blobs.path(BLOB.digest).read_bytes() == DATA
    assert leftovers(store) == []


def test_a_source_without_offsets_begins_again(store: Store) -> None:
    broken_off(store)
    store.blobs.fetch(BLOB, Simple(Source()))
    assert store.blobs.path(BLOB.digest).read_bytes() == DATA


def test_nothing_is_asked_of_a_download_that_is_complete(store: Store) -> None:
    (store.paths.tmp / PARTIAL).write_bytes(DATA)
    source = Source()
    store.blobs.fetch(BLOB, source)
    assert source.asked == [] and blobs_of(store) == {BLOB.digest}


@pytest.mark.parametrize("spoilt", [b"x" * 1000, b"x" * len(DATA), b"x" * (len(DATA) + 1)])
def test_a_spoilt_beginning_costs_a_second_try(store: Store, spoilt: bytes) -> None:
    (store.paths.tmp / PARTIAL).write_bytes(spoilt)
    source = Source()
    store.blobs.fetch(BLOB, source)
    assert source.asked[-1] == 0
    assert store.blobs.path(BLOB.digest).read_bytes() == DATA
    assert leftovers(store) == []


@pytest.mark.parametrize("lie", [b"x" * len(DATA), DATA + b"x", DATA[:-1], b""])
def test_nothing_of_a_lie_is_kept(store: Store, lie: bytes) -> None:
    source = Source(lie)
    with pytest.raises(ImageError):
        store.blobs.fetch(BLOB, source)
    assert source.asked == [0]
    assert leftovers(store) == [] and blobs_of(store) == set()


def test_an_empty_failure_leaves_nothing(store: Store) -> None:
    broken_off(store, at=0)
    assert leftovers(store) == []


def test_a_link_in_the_place_of_a_partial_download_is_not_followed(
    store: Store, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (store.paths.tmp / PARTIAL).symlink_to(target)
    with pytest.raises(Exception, match="staging file"):
        store.blobs.fetch(BLOB, Source())
    assert target.read_bytes() == b"precious"


def test_several_at_once_share_one_download(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()
    waiting = threading.Event()

    class Slow(Source):
        def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
            begun.set()
            assert go_on.wait(10)
            return super().open_blob(descriptor)

    first, second = Slow(), Source()
    threads = [threading.Thread(target=lambda: store.blobs.fetch(BLOB, first))]
    threads[0].start()
    assert begun.wait(10)

    def progress(done: int) -> None:
        assert done == 0
        waiting.set()

    threads.append(
        threading.Thread(target=lambda: store.blobs.fetch(BLOB, second, progress=progress))
    )
    threads[1].start()
    assert waiting.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert first.asked == [0] and second.asked == []
    assert blobs_of(store) == {BLOB.digest} and leftovers(store) == []


def test_who_waits_may_be_stopped(store: Store) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with (
        store.staging.partial(BLOB.digest, lambda: None),
        pytest.raises(KeyboardInterrupt),
    ):
        store.blobs.fetch(BLOB, Source(), progress=stop)


def test_partial_downloads_are_swept_when_old_or_when_all_goes(store: Store) -> None:
    broken_off(store)
    assert store.staging.sweep() == 0
    store.prune()
    assert leftovers(store) == [PARTIAL]
    old = time.time() - KEPT_SECONDS - 60
    os.utime(store.paths.tmp / PARTIAL, (old, old))
    assert store.staging.sweep() == 1 and leftovers(store) == []
    broken_off(store)
    store.prune(all=True)
    assert leftovers(store) == []


def test_one_that_is_under_way_is_not_swept(store: Store) -> None:
    with store.staging.partial(BLOB.digest, lambda: None) as partial:
        os.write(partial.fd, b"x")
        os.utime(partial.path, (0, 0))
        assert store.staging.sweep(partial=True) == 0
        assert partial.path.exists()


def test_origins_are_remembered(store: Store) -> None:
    from jettison.model.reference import Reference

    store.origins.note(Reference("r.example", "a"), [BLOB.digest])
    store.origins.note(Reference("r.example", "b", "1"), [BLOB.digest])
    with Store.open(store.root) as other:
        found = other.origins.of(BLOB.digest)
    assert found == [Reference("r.example", "b"), Reference("r.example", "a")]
    assert store.origins.of(sha256_digest(b"")) == []
