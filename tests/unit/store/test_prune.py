import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jettison.errors import StoreError
from jettison.model.digest import sha256_digest
from jettison.model.oci import OCI_INDEX, OCI_LAYER, Descriptor, Index, encode
from jettison.store.prune import Wish
from jettison.store.remembered import LayerBlob
from jettison.store.store import Store
from tests.unit.store.storetools import (
    base_id,
    blobs_of,
    finish,
    layers_of,
    leftovers,
    make_image,
    make_layer,
    python,
)

MIB = 1 << 20


def recorded_layer(store: Store, key: str, size: int = 0, *below: str) -> str:
    """A layer of about ``size`` bytes on top of others, with a record."""
    layer = make_layer(store, "x" * size)
    store.cache.put(key, (*below, layer), description=f"RUN {key}")
    return layer


def used_at(store: Store, key: str, when: float) -> None:
    """Let a record, and everything it names, have been used last at a time."""
    record = store.cache.get(key)
    assert record is not None
    store.flush()
    store._database.run(
        ("UPDATE records SET used = ?, created = ? WHERE key = ?", (when, when, key)),
        *(("UPDATE layers SET used = ? WHERE id = ?", (when, layer)) for layer in record.layers),
    )


def test_an_empty_store_has_nothing_to_prune(store: Store) -> None:
    assert store.prune().items == ()
    assert store.prune(all=True).items == ()
    assert store.usage() == []


def test_garbage_goes_and_cache_stays(store: Store) -> None:
    kept = recorded_layer(store, "k")
    stray = make_layer(store)
    blob = store.blobs.ingest_bytes(b"stray")
    remembered = store.blobs.ingest_bytes(b"remembered")
    descriptor = Descriptor(OCI_LAYER, remembered.digest, remembered.size)
    store.layer_blobs.put(kept, "gzip", LayerBlob(sha256_digest(b"t"), descriptor))
    pruned = store.prune()
    assert sorted((item.kind, item.id) for item in pruned.items) == [
        ("blob", blob.digest),
        ("layer", stray),
    ]
    assert layers_of(store) == {kept}
    assert blobs_of(store) == {remembered.digest}
    assert store.cache.get("k") is not None
    assert leftovers(store) == []


def test_named_images_keep_all_their_blobs(store: Store) -> None:
    members = [make_image(store, content=a.encode(), architecture=a) for a in ("amd64", "arm64")]
    index = Index(schemaVersion=2, mediaType=OCI_INDEX, manifests=tuple(members))
    store.images.put_index(encode(index), ["multi"])
    make_image(store, "app")
    before = blobs_of(store)
    store.prune(all=True, max_used_space=0)
    assert blobs_of(store) == before


def test_dangling_images_go_with_what_only_they_have(store: Store) -> None:
    make_image(store, "app", content=b"old")
    new = make_image(store, "app", content=b"new")
    pruned = store.prune()
    assert [d.digest for _, d in store.names.list()] == [new.digest]
    assert not store.blobs.path(sha256_digest(b"old")).exists()
    assert store.blobs.path(sha256_digest(b"new")).exists()
    assert {item.kind for item in pruned.items} == {"image", "blob"}


def test_all_takes_everything_that_can_be_made_again(store: Store) -> None:
    image = make_image(store, "app")
    store.results.put("result", image)
    base = make_layer(store, layer=base_id(store, "b"))
    recorded_layer(store, "k", 0, base)
    store.cache.put("only-base", (base,))
    store.cache.put("nothing", ())
    with store.cache_mounts.acquire("/cache") as mount:
        (mount / "f").write_text("x")
    pruned = store.prune(all=True)
    assert layers_of(store) == set()
    assert not mount.exists()
    assert [store.cache.get(key) for key in ("k", "only-base", "nothing")] == [None] * 3
    assert store.cache.explain("k") is None
    assert {item.kind for item in pruned.items} == {"layer", "mount"}
    assert store.images.find("app").digest == image.digest


def test_until_spares_what_was_used_since(store: Store) -> None:
    now = time.time()
    old, new = recorded_layer(store, "old"), recorded_layer(store, "new")
    used_at(store, "old", now - 1000)
    used_at(store, "new", now - 10)
    pruned = store.prune(until=now - 100)
    assert [item.id for item in pruned.items] == [old]
    assert layers_of(store) == {new}
    assert store.cache.get("old") is None
    assert store.cache.get("new") is not None


def test_space_is_freed_in_order_of_last_use(store: Store) -> None:
    now = time.time()
    layers = {key: recorded_layer(store, key, MIB) for key in "abcd"}
    for age, key in enumerate("cadb"):  # c was used last
        used_at(store, key, now - 10 * age)
    pruned = store.prune(max_used_space=2 * MIB + 100_000)
    assert [item.id for item in pruned.items] == [layers["b"], layers["d"]]
    assert pruned.size == pytest.approx(2 * MIB, rel=0.1)
    assert layers_of(store) == {layers["a"], layers["c"]}


def test_using_a_record_makes_it_young(store: Store) -> None:
    now = time.time()
    first, second = recorded_layer(store, "first", MIB), recorded_layer(store, "second", MIB)
    used_at(store, "first", now - 100)
    used_at(store, "second", now - 50)
    assert store.cache.get("first") is not None
    store.prune(max_used_space=MIB + 100_000)
    assert layers_of(store) == {first}
    assert second not in layers_of(store)


def test_upper_layers_go_before_those_they_stand_on(store: Store) -> None:
    lower = recorded_layer(store, "lower", MIB)
    upper = recorded_layer(store, "upper", MIB, lower)
    now = time.time()
    for key in ("lower", "upper"):
        used_at(store, key, now - 100)
    store.prune(max_used_space=MIB + 100_000)
    assert layers_of(store) == {lower}
    assert upper not in layers_of(store)
    assert store.cache.get("lower") is not None


def test_a_record_outlives_the_base_layers_it_stands_on(store: Store) -> None:
    base = base_id(store, "b")
    make_layer(store, "x" * MIB, base)
    layer = recorded_layer(store, "k", 10, base)
    store._database.run(("UPDATE layers SET used = 1 WHERE id = ?", (base,)))
    used_at(store, "k", time.time())
    store._database.run(("UPDATE records SET layers = ? WHERE key = 'k'", (f"{base} {layer}",)))
    # Make the base the older of the two.
    store.cache.put("k", (base, layer))
    store._database.run(
        ("UPDATE layers SET created = 10, used = 10 WHERE id = ?", (base,)),
        ("UPDATE layers SET created = 5, used = 2e9 WHERE id = ?", (layer,)),
        ("UPDATE records SET used = 10", ()),
    )
    store.prune(max_used_space=MIB // 2)
    assert layers_of(store) == {layer}
    record = store.cache.get("k")
    assert record is not None
    assert record.unpack == (base,)


def test_nothing_is_taken_while_it_fits(store: Store) -> None:
    recorded_layer(store, "k", MIB)
    make_layer(store)
    store.blobs.ingest_bytes(b"fetched")
    assert store.prune(max_used_space=10 * MIB).items == ()


def test_cache_mounts_are_measured_again_after_use(store: Store) -> None:
    with store.cache_mounts.acquire("c") as place:
        (place / "f").write_bytes(os.urandom(MIB))
    assert [i.size >= MIB for i in store.usage() if i.kind == "mount"] == [True]
    time.sleep(0.02)
    with store.cache_mounts.acquire("c") as place:
        (place / "f").unlink()
    assert [i.size for i in store.usage() if i.kind == "mount"] == [0]


def test_a_cache_mount_in_use_stays(store: Store) -> None:
    with store.cache_mounts.acquire("c") as place:
        store.prune(all=True)
        assert place.is_dir()
    store.prune(all=True)
    assert not place.exists()
    with store.cache_mounts.acquire("c") as place:
        assert place.is_dir()


def test_usage_tells_kinds_names_and_sizes(store: Store) -> None:
    image = make_image(store, "app")
    layer = recorded_layer(store, "k", MIB)
    with store.lease():
        store.cache.get("k")
        items = {item.id: item for item in store.usage()}
    assert items[image.digest].description == "docker.io/library/app:latest"
    assert not items[image.digest].reclaimable
    assert items[layer].description == "RUN k"
    assert items[layer].size >= MIB
    assert items[layer].in_use
    assert not items[layer].reclaimable
    assert [i.in_use for i in store.usage() if i.id == layer] == [False]


def test_old_logs_go(store: Store) -> None:
    (store.logs / "old").write_text("x")
    (store.logs / "new").write_text("x")
    os.utime(store.logs / "old", (1, 1))
    store.prune()
    assert [p.name for p in store.logs.iterdir()] == ["new"]


HOLDER = """
import sys
from collections.abc import Iterator
from pathlib import Path
from jettison.store.store import Store
store = Store.open(Path(sys.argv[1]))
with store.lease():
    {use}
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    "use",
    [
        'assert store.cache.get("k")',
        "assert store.layers.has(sys.argv[2])",
        "assert not store.layers.missing([sys.argv[2]])",
    ],
)
def test_what_another_process_uses_is_not_taken(store: Store, use: str) -> None:
    lower = make_layer(store)
    layer = recorded_layer(store, "k", 0, lower)
    process = python(HOLDER.format(use=use), store.root, layer)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    store.prune(all=True)
    assert layer in layers_of(store)
    if "cache" in use:
        assert store.cache.get("k") is not None
    process.kill()
    process.communicate()
    store.prune(all=True)
    assert layers_of(store) == set()
    assert list(store.paths.leases.iterdir()) == []


def test_a_leased_manifest_keeps_its_image(store: Store) -> None:
    image = make_image(store, "app")
    members = blobs_of(store)
    use = "from jettison.model.platform import parse_platform as p; " + (
        'assert store.images.resolve("app", p("linux/amd64"))'
    )
    process = python(HOLDER.format(use=use), store.root)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    store.images.remove("app")
    store.prune(all=True)
    assert blobs_of(store) == members
    process.communicate()
    store.prune()
    assert blobs_of(store) == set()
    assert not store.blobs.has(image.digest)


def test_what_a_lease_made_stays_until_its_end(store: Store) -> None:
    with store.lease():
        layer = make_layer(store)
        blob = store.blobs.ingest_bytes(b"new")
        dangling = make_image(store)
        store.prune(all=True)
        assert layers_of(store) == {layer}
        assert blob.digest in blobs_of(store)
        assert [d.digest for _, d in store.names.list()] == [dangling.digest]
    store.prune()
    assert layers_of(store) == set()
    assert blobs_of(store) == set()


def test_builders_and_collectors_at_once(store: Store) -> None:
    """Processes that use what they find, while others prune all the time."""
    builder = """
import sys
from collections.abc import Iterator
from pathlib import Path
from jettison.store.store import Store
store = Store.open(Path(sys.argv[1]))
for round in range(15):
    with store.lease():
        mine = []
        for number in range(5):
            key = f"k{number}"
            record = store.cache.get(key)
            if record is None:
                with store.layers.staging() as staging:
                    (staging.upper / "f").write_text("x")
                    layer = store.layers.new_id()
                    store.layers.commit(staging, layer)
                store.cache.put(key, (layer,))
            else:
                (layer,) = record.layers
            mine.append(layer)
        for layer in mine * 2:
            assert (store.layers.path(layer) / "f").read_text() == "x"
"""
    collector = """
import sys
from collections.abc import Iterator
from pathlib import Path
from jettison.store.store import Store
store = Store.open(Path(sys.argv[1]))
for round in range(25):
    store.prune(all=True)
"""
    processes = [python(code, store.root) for code in (builder, builder, builder, collector)]
    for process in processes:
        finish(process)
    assert leftovers(store) == []


def test_pruning_sweeps_what_the_dead_left(store: Store) -> None:
    (store.paths.tmp / "left/upper").mkdir(parents=True)
    (store.paths.tmp / "draft").write_text("")
    with store.layers.staging() as mine:
        store.prune()
        assert leftovers(store) == [mine.path.name]


def test_the_trash_of_a_killed_collector_is_swept(store: Store, tmp_path: Path) -> None:
    for number in range(50):
        make_layer(store, str(number))
    code = """
import os, sys
from collections.abc import Iterator
from pathlib import Path
from jettison.store import staging
from jettison.store.store import Store
staging.remove_tree = lambda path: os.kill(os.getpid(), 9)
Store.open(Path(sys.argv[1])).prune()
"""
    process = python(code, store.root)
    process.communicate()
    assert process.returncode == -9
    assert layers_of(store) == set()
    assert len(leftovers(store)) == 50
    store.prune()
    assert leftovers(store) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.root
def test_a_full_disk_can_be_pruned(small_disk: Path) -> None:
    with Store.open(small_disk / "s") as store:
        kept = make_image(store, "app", content=b"kept")
        make_image(store, content=b"dangling")
        recorded_layer(store, "k", 300_000)
        with open(small_disk / "fill", "wb") as file, pytest.raises(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
        with pytest.raises(StoreError, match="No space left") as caught:
            store.blobs.ingest_bytes(b"more" * 5000)
        assert caught.value.hint is not None
        assert "jettison prune" in caught.value.hint
        with pytest.raises(StoreError, match="full"):
            for number in range(1000):
                store.cache.put(f"{number}", (), parts=os.urandom(4000))
        kinds = {item.kind for item in store.prune(all=True).items}
        assert kinds == {"layer", "blob", "image"}
        assert layers_of(store) == set()
        assert [d.digest for _, d in store.names.list()] == [kept.digest]
        store.blobs.ingest_bytes(b"more" * 5000)
        store.cache.put("again", ())
        assert store.cache.get("k") is None


def costing(store: Store, key: str, mib: int, seconds: float, age: float) -> str:
    """A layer of so many MiB that took so long to make, and was used so long ago."""
    layer = recorded_layer(store, key, mib * MIB)
    used_at(store, key, time.time() - age)
    store._database.run(("UPDATE layers SET seconds = ? WHERE id = ?", (seconds, layer)))
    return layer


def test_what_took_long_to_make_for_its_size_stays_longer(store: Store) -> None:
    """10 s per 100 MB make something 11 times as young."""
    cheap = costing(store, "cheap", 2, 0.0, age=1000)
    dear = costing(store, "dear", 2, 0.2, age=5000)  # 10 s per 100 MB: as stale as 455 s
    store.prune(max_used_space=2 * MIB + 100_000)
    assert layers_of(store) == {dear}
    assert cheap not in layers_of(store)


def test_age_wins_in_the_end(store: Store) -> None:
    cheap = costing(store, "cheap", 2, 0.0, age=1000)
    dear = costing(store, "dear", 2, 0.2, age=20_000)
    store.prune(max_used_space=2 * MIB + 100_000)
    assert layers_of(store) == {cheap}
    assert dear not in layers_of(store)


@pytest.mark.parametrize(
    ("wish", "total", "free", "limit"),
    [
        (Wish(), 100, 0, None),
        (Wish(all=True), 100, 0, None),
        (Wish(max_used_space=60), 100, 0, 60),
        (Wish(min_free_space=20), 100, 5, 85),
        (Wish(min_free_space=20), 100, 50, 100),
        (Wish(max_used_space=60, min_free_space=20), 100, 5, 60),
        (Wish(max_used_space=90, min_free_space=20), 100, 5, 85),
        (Wish(max_used_space=90, min_free_space=200, reserved_space=10), 100, 5, 10),
        (Wish(reserved_space=10), 100, 5, 10),
        (Wish(min_free_space=500), 100, 5, 0),
    ],
)
def test_bounds(wish: Wish, total: int, free: int, limit: int | None) -> None:
    """BuildKit's calculateKeepBytes (cache/manager.go)."""
    assert wish.limit(total, free) == limit
