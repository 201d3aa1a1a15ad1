from __future__ import annotations

from pathlib import Path

from jettison.store.paths import Paths
from jettison.store.store import Store
from tests.unit.store.storetools import base_id, layers_of, make_layer


def booted(root: Path, boot: str) -> Store:
    paths = Paths(root)
    paths.make()
    store = Store(paths, boot=lambda: boot)
    store.durability.drop_doubtful()
    return store


def test_what_was_synced_outlives_a_boot_and_nothing_else_does(tmp_path: Path) -> None:
    with booted(tmp_path / "s", "one") as store:
        synced = make_layer(store)
        store.cache.put("synced", (synced,))
        store.durability.begin_sync()
        late = make_layer(store)
        store.cache.put("late", (synced, late))
        base = make_layer(store, layer=base_id(store, "b"))
        store.cache.put("on-base", (base,))
        assert store.durability.end_sync(60)
    with booted(tmp_path / "s", "one") as store:
        assert layers_of(store) == {synced, late, base}
    with booted(tmp_path / "s", "two") as store:
        assert layers_of(store) == {synced}
        assert store.cache.get("synced") is not None
        assert store.cache.explain("late") is None
        record = store.cache.get("on-base")
        assert record is not None
        assert record.unpack == (base,)


def test_a_later_build_vouches_for_those_of_a_killed_one(tmp_path: Path) -> None:
    with booted(tmp_path / "s", "one") as store:
        killed = make_layer(store)
    with booted(tmp_path / "s", "one") as store:
        later = make_layer(store)
        store.durability.begin_sync()
        assert store.durability.end_sync(60)
    with booted(tmp_path / "s", "two") as store:
        assert layers_of(store) == {killed, later}


def test_without_its_database_nothing_is_sure_after_a_boot(tmp_path: Path) -> None:
    with booted(tmp_path / "s", "one") as store:
        make_layer(store, layer=base_id(store, "b"))
        store.durability.begin_sync()
        assert store.durability.end_sync(60)
    (tmp_path / "s" / "cache.db").unlink()
    with booted(tmp_path / "s", "one") as store:
        assert len(layers_of(store)) == 1
    with booted(tmp_path / "s", "two") as store:
        assert layers_of(store) == set()


def test_measuring_a_layer_does_not_vouch_for_it(tmp_path: Path) -> None:
    with booted(tmp_path / "s", "one") as store:
        make_layer(store, layer=base_id(store, "b"))
        store._database.run(("DELETE FROM layers", ()))
        store.usage()
    with booted(tmp_path / "s", "two") as store:
        assert layers_of(store) == set()
