import os
import stat
import threading
from pathlib import Path

import pytest

from jettison.errors import Cancelled
from jettison.store.store import Store
from tests.unit.store.storetools import finish, leftovers, python


def test_a_cache_stays(store: Store) -> None:
    with store.cache_mounts.acquire("/root/.cache") as first:
        (first / "f").write_text("x")
    with store.cache_mounts.acquire("/root/.cache") as second:
        assert second == first
        assert (second / "f").read_text() == "x"
    with store.cache_mounts.acquire("other") as other:
        assert list(other.iterdir()) == []


def test_owner_and_mode_of_a_new_cache(store: Store) -> None:
    with store.cache_mounts.acquire("c", uid=os.getuid(), gid=os.getgid(), mode=0o1770) as place:
        assert stat.S_IMODE(place.stat().st_mode) == 0o1770
    with store.cache_mounts.acquire("c", mode=0o700) as place:
        assert stat.S_IMODE(place.stat().st_mode) == 0o1770


def test_seed_fills_a_new_cache_once(store: Store) -> None:
    calls = []

    def seed(place: Path) -> None:
        calls.append(place)
        (place / "seeded").write_text("")

    for _ in range(2):
        with store.cache_mounts.acquire("c", base="b1", seed=seed) as place:
            assert [p.name for p in place.iterdir()] == ["seeded"]
    assert len(calls) == 1
    with store.cache_mounts.acquire("c", base="b2") as place:
        assert list(place.iterdir()) == []


def test_a_seed_that_fails_leaves_nothing(store: Store) -> None:
    def seed(place: Path) -> None:
        (place / "half").write_text("")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.cache_mounts.acquire("c", seed=seed):
        pass
    assert leftovers(store) == []
    with store.cache_mounts.acquire("c") as place:
        assert list(place.iterdir()) == []


def test_shared_is_shared_at_once(store: Store) -> None:
    with store.cache_mounts.acquire("c") as one, store.cache_mounts.acquire("c") as two:
        assert one == two


def test_private_gets_another_while_the_first_is_used(store: Store) -> None:
    with store.cache_mounts.acquire("c", "private") as one:
        with store.cache_mounts.acquire("c", "private") as two:
            assert one != two
        with store.cache_mounts.acquire("c", "private") as again:
            assert again == two
    with store.cache_mounts.acquire("c", "private") as first:
        assert first == one


def test_locked_waits_and_can_be_cancelled(store: Store) -> None:
    asked = 0

    def waiting() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Cancelled

    with (
        store.cache_mounts.acquire("c", "locked"),
        pytest.raises(Cancelled),
        store.cache_mounts.acquire("c", "locked", waiting=waiting),
    ):
        pass
    assert asked == 3


def test_locked_users_take_turns(store: Store) -> None:
    inside = 0
    most = 0

    def use() -> None:
        nonlocal inside, most
        for _ in range(5):
            with store.cache_mounts.acquire("c", "locked") as place:
                inside += 1
                most = max(most, inside)
                count = place / "count"
                count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
                inside -= 1

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    with store.cache_mounts.acquire("c") as place:
        assert (place / "count").read_text() == "20"


def test_a_user_in_another_process_counts_until_it_dies(store: Store) -> None:
    code = """
import sys
from pathlib import Path
from jettison.store.store import Store
with Store.open(Path(sys.argv[1])).cache_mounts.acquire("c", "locked"):
    print("in", flush=True)
    sys.stdin.read()
"""
    process = python(code, store.root)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    with store.cache_mounts.acquire("c", "private") as place:
        assert place.name == "1"
    process.kill()
    process.communicate()
    with store.cache_mounts.acquire("c", "private") as place:
        assert place.name == "0"


def test_many_processes_create_one_shared_cache(store: Store) -> None:
    code = """
import sys
from pathlib import Path
from jettison.store.store import Store
def seed(place):
    (place / "seeded").write_text("")
with Store.open(Path(sys.argv[1])).cache_mounts.acquire("c", seed=seed) as place:
    assert (place / "seeded").exists()
    (place / sys.argv[2]).write_text("")
"""
    processes = [python(code, store.root, str(n)) for n in range(6)]
    for process in processes:
        finish(process)
    with store.cache_mounts.acquire("c") as place:
        assert sorted(p.name for p in place.iterdir()) == [*map(str, range(6)), "seeded"]


def test_an_id_is_no_path(store: Store) -> None:
    with store.cache_mounts.acquire("../../../etc/\udcff") as place:
        assert place.parent.parent == store.paths.mounts
        assert store.cache_mounts.name(place) == "../../../etc/\udcff"
