from __future__ import annotations

import os
import time

from jettison.store.check import Problem
from jettison.store.store import Store
from tests.unit.store.storetools import HOLDER_OF_A_LAYER, make_image, make_layer, python


def check(store: Store, *, deep: bool = False, repair: bool = False) -> list[Problem]:
    return store.check(deep=deep, repair=repair, progress=lambda _: None)


def told(problems: list[Problem]) -> list[tuple[str, bool, bool]]:
    return [(p.kind, p.harmless, p.mended) for p in problems]


def test_a_sound_store_has_no_problems(store: Store) -> None:
    assert check(store, deep=True) == []
    make_image(store, "app")
    store.cache.put("k", (make_layer(store),))
    assert check(store, deep=True) == []


def test_a_file_with_an_mtime_in_the_future_is_no_damage(store: Store) -> None:
    layer = make_layer(store)
    os.utime(store.layers.path(layer) / "f", (9e9, 9e9))
    assert check(store) == []


def test_leftovers_are_harmless(store: Store) -> None:
    (store.paths.tmp / "dead").mkdir()
    (store.paths.leases / "dead").write_text("layer:x\n")
    assert told(check(store)) == [("leftover", True, False)] * 2
    assert told(check(store, repair=True))[0] == ("leftover", True, True)
    assert check(store) == []


def test_what_is_no_digest_and_no_directory(store: Store) -> None:
    store.durability.drop_doubtful()
    (store.paths.blobs / "sha256" / "README").write_text("x")
    (store.paths.layers / "s123").write_text("x")
    assert told(check(store)) == [("blob", False, False), ("layer", False, False)]
    assert told(check(store, repair=True)) == [("blob", False, True), ("layer", False, True)]
    assert check(store) == []


def test_an_unreadable_index_is_put_aside(store: Store) -> None:
    make_image(store, "app")
    store.paths.index.write_text("{")
    assert told(check(store)) == [("store", False, False)]
    assert told(check(store, repair=True)) == [("store", False, True)]
    assert store.names.list() == []
    assert (store.paths.locks / "index.json.broken").read_text() == "{"


def test_what_a_build_uses_is_not_taken(store: Store) -> None:
    layer = make_layer(store)
    store.cache.put("k", (layer,))
    store._database.run(("UPDATE layers SET committed = ?", (time.time() - 100,)))
    (store.layers.path(layer) / "f").write_text("other")
    process = python(HOLDER_OF_A_LAYER, store.root, layer)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert told(check(store, repair=True)) == [("layer", False, False)]
    process.kill()
    process.communicate()
    assert told(check(store, repair=True))[-1] == ("layer", False, True)
    assert store.cache.explain("k") is None
