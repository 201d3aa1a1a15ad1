import os
import stat
import time
from pathlib import Path

import pytest

from jettison.model.digest import Digest, sha256_digest
from jettison.store.store import Store
from tests.unit.store.storetools import base_id, layers_of, leftovers, make_layer


def test_a_layer_is_the_upper_directory_renamed(store: Store) -> None:
    with store.layers.staging() as staging:
        (staging.upper / "etc").mkdir(mode=0o750)
        (staging.upper / "etc/passwd").write_text("root")
        os.mkdir(staging.work / "work", 0)  # as overlay leaves it
        inode = staging.upper.stat().st_ino
        layer = store.layers.new_id()
        store.layers.commit(staging, layer)
        assert not staging.upper.exists()
    place = store.layers.path(layer)
    assert place == store.root / "layers" / layer
    assert place.stat().st_ino == inode
    assert (place / "etc/passwd").read_text() == "root"
    assert store.layers.has(layer)
    assert leftovers(store) == []


def test_staging_has_the_modes_overlay_needs(store: Store) -> None:
    previous = os.umask(0o077)
    try:
        with store.layers.staging() as staging:
            assert stat.S_IMODE(staging.upper.stat().st_mode) == 0o755
            assert staging.upper.stat().st_dev == store.layers.path("x").parent.stat().st_dev
    finally:
        os.umask(previous)


def test_what_is_not_committed_goes(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.layers.staging() as staging:
        (staging.upper / "f").write_text("")
        raise ZeroDivisionError
    assert leftovers(store) == []
    assert layers_of(store) == set()


def test_who_commits_second_loses(store: Store) -> None:
    layer = base_id(store, "base")
    make_layer(store, "first", layer)
    created = store.layers.created(layer)
    make_layer(store, "second", layer)
    assert (store.layers.path(layer) / "f").read_text() == "first"
    assert store.layers.created(layer) == created
    assert leftovers(store) == []


def test_ids_are_short_and_tell_base_layers(store: Store) -> None:
    chain = sha256_digest(b"chain")
    base, other = store.layers.id_for_chain(chain), store.layers.new_id()
    assert (
        base
        == store.layers.id_for_chain(chain)
        != store.layers.id_for_chain(sha256_digest(b"other"))
    )
    assert len(base) == len(other) == 16
    assert store.layers.is_base(base)
    assert not store.layers.is_base(other)
    assert len({store.layers.new_id() for _ in range(1000)}) == 1000
    # 127 layers, the most overlay takes, fit a page of mount options with room for the rest.
    assert len(":".join([base] * 127)) < 3000


def test_created_and_diff_id(store: Store) -> None:
    before = time.time()
    with store.layers.staging() as staging:
        layer = store.layers.new_id()
        store.layers.commit(staging, layer, diff_id=Digest("sha256:" + "a" * 64))
    created = store.layers.created(layer)
    assert created is not None
    assert before <= created <= time.time()
    assert store.layers.diff_id(layer) == "sha256:" + "a" * 64
    assert store.layers.created("sunknown") is None
    assert store.layers.diff_id("sunknown") is None


def test_missing(store: Store) -> None:
    here = make_layer(store)
    assert store.layers.missing([here, "sgone", base_id(store, "b")]) == (
        "sgone",
        base_id(store, "b"),
    )


def test_sync_returns(store: Store) -> None:
    make_layer(store)
    store.layers.sync()
    assert len(layers_of(store)) == 1


def test_staging_room_for_other_things_is_cleared(store: Store) -> None:
    with store.layers.staging() as staging:
        deep = Path(staging.path) / "merged"
        deep.mkdir()
        (deep / "left").write_text("")
    assert leftovers(store) == []
