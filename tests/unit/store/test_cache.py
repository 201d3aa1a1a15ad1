from pathlib import Path

import pytest

from jettison.errors import StoreError
from jettison.model.digest import sha256_digest
from jettison.model.oci import OCI_LAYER_GZIP, Descriptor
from jettison.store.remembered import LayerBlob
from jettison.store.store import Store
from jettison.store.trees import remove_tree
from tests.unit.store.storetools import base_id, make_image, make_layer


def test_a_record_gives_back_its_layers(store: Store) -> None:
    lower, upper = make_layer(store), make_layer(store)
    store.cache.put("k", (lower, upper), description="RUN make", parts=b"[1]")
    record = store.cache.get("k")
    assert record is not None
    assert (record.layers, record.description, record.unpack) == ((lower, upper), "RUN make", ())
    assert store.cache.get("other") is None


def test_a_record_whose_layer_is_gone_is_no_answer(store: Store) -> None:
    layer = make_layer(store)
    store.cache.put("k", (layer,))
    remove_tree(store.layers.path(layer))
    assert store.cache.get("k") is None


def test_base_layers_can_be_unpacked_again(store: Store) -> None:
    base, layer = base_id(store, "b"), make_layer(store)
    store.cache.put("k", (base, layer))
    record = store.cache.get("k")
    assert record is not None
    assert (record.layers, record.unpack) == ((base, layer), (base,))
    make_layer(store, layer=base)
    record = store.cache.get("k")
    assert record is not None
    assert record.unpack == ()


def test_no_layers_at_all(store: Store) -> None:
    store.cache.put("k", ())
    record = store.cache.get("k")
    assert record is not None
    assert record.layers == ()


def test_put_replaces(store: Store) -> None:
    first, second = make_layer(store), make_layer(store)
    store.cache.put("k", (first,), description="one", parts=b"1")
    store.cache.put("k", (second,), description="two", parts=b"2")
    record = store.cache.get("k")
    assert record is not None
    assert record.layers == (second,)
    explanation = store.cache.explain("k")
    assert explanation is not None
    assert (explanation.description, explanation.parts) == ("two", b"2")


def test_history_is_newest_first_and_outlives_layers(store: Store) -> None:
    store.cache.put("k1", ("sgone",), description="RUN make", parts=b"1")
    store.cache.put("k2", ("sgone",), description="RUN make", parts=b"2")
    store.cache.put("k3", (), description="RUN other", parts=b"3")
    assert [e.key for e in store.cache.history("RUN make")] == ["k2", "k1"]
    assert store.cache.explain("missing") is None


def test_history_of_a_kind_takes_names_as_they_are(store: Store) -> None:
    names = ["[1/2] RUN a_%", "[1/2] RUN b", "[2/2] RUN a_%", "[3/3] RUN axy", "[1/23] RUN b"]
    for name in names:
        store.cache.put(name, (), description=name)
    found = {e.description for e in store.cache.history_of_kind("[1/2] ", "] RUN a_%")}
    assert found == {"[1/2] RUN a_%", "[1/2] RUN b", "[2/2] RUN a_%"}


def test_records_survive_the_process(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        layer = make_layer(store)
        store.cache.put("k", (layer,))
    with Store.open(tmp_path / "s") as store:
        assert store.cache.get("k") is not None


def test_layer_blobs(store: Store) -> None:
    layer = make_layer(store)
    blob = store.blobs.ingest_bytes(b"compressed")
    remembered = LayerBlob(
        sha256_digest(b"tar"), Descriptor(OCI_LAYER_GZIP, blob.digest, blob.size)
    )
    store.layer_blobs.put(layer, "gzip", remembered)
    assert store.layer_blobs.get(layer, "gzip") == remembered
    assert store.layer_blobs.get(layer, "zstd") is None
    assert store.layers.diff_id(layer) == remembered.diff_id
    store.blobs.path(blob.digest).unlink()
    assert store.layer_blobs.get(layer, "gzip") is None


def test_a_result_counts_only_while_it_is_complete(store: Store) -> None:
    image = make_image(store, "app")
    assert store.results.get("k") is None
    store.results.put("k", image)
    assert store.results.get("k") == image
    store.blobs.path(sha256_digest(b"layer")).unlink()
    assert store.results.get("k") is None


@pytest.mark.parametrize("content", [b"no database at all " * 100, b"", b"SQLite format 3\0junk"])
def test_a_damaged_database_is_started_anew(tmp_path: Path, content: bytes) -> None:
    with Store.open(tmp_path / "s") as store:
        store.cache.put("k", ())
    (tmp_path / "s/cache.db").write_bytes(content)
    with Store.open(tmp_path / "s") as store:
        assert store.cache.get("k") is None
        store.cache.put("k", ())
        assert store.cache.get("k") is not None


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    Store.open(tmp_path / "s").close()
    connection = sqlite3.connect(tmp_path / "s/cache.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with (
        Store.open(tmp_path / "s") as store,
        pytest.raises(StoreError, match="newer jettison"),
    ):
        store.cache.get("k")


def test_an_older_database_is_replaced(tmp_path: Path) -> None:
    import sqlite3

    Store.open(tmp_path / "s").close()
    connection = sqlite3.connect(tmp_path / "s/cache.db")
    connection.execute("CREATE TABLE records (something TEXT)")
    connection.close()
    with Store.open(tmp_path / "s") as store:
        store.cache.put("k", ())
        assert store.cache.get("k") is not None
