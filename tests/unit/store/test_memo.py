import os
import time
from pathlib import Path

from jettison.store.memo import Memo, StatKey
from jettison.store.store import Store


def key_of(path: Path) -> StatKey:
    s = path.stat()
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns


class Clock:
    now = 1_700_000_000_123_456_789

    def __call__(self) -> int:
        return self.now


def clocked(store: Store) -> tuple[Memo, Clock]:
    clock = Clock()
    return Memo(store._database, clock), clock


def old_key(ino: int = 7, size: int = 3) -> StatKey:
    then = time.time_ns() - 3_600_000_000_001
    return 1, ino, size, then, then


def test_a_file_that_did_not_change(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    time.sleep(0.03)
    key = key_of(file)
    assert store.memo.get(key) is None
    store.memo.put(key, "sha256:1")
    assert store.memo.get(key_of(file)) == "sha256:1"
    file.write_text("two")
    assert store.memo.get(key_of(file)) is None


def test_kept_beyond_the_process(tmp_path: Path) -> None:
    key = old_key()
    with Store.open(tmp_path / "s") as store:
        store.memo.put(key, "d")
    with Store.open(tmp_path / "s") as store:
        assert store.memo.get(key) == "d"
        for changed in range(1, 5):
            other = list(key)
            other[changed] += 1
            assert store.memo.get((other[0], other[1], other[2], other[3], other[4])) is None


def test_a_file_written_just_now_is_not_trusted(store: Store) -> None:
    memo, clock = clocked(store)
    key = (1, 2, 3, clock.now - 5_000_000, clock.now - 10**12)
    assert memo.get(key) is None
    memo.put(key, "d")
    assert memo.get(key) is None


def test_slow_hashing_does_not_make_a_racy_file_safe(store: Store) -> None:
    # The file may have changed during the hashing, in the tick it was looked at.
    memo, clock = clocked(store)
    key = (1, 2, 3, clock.now - 10**12, clock.now - 5_000_000)
    assert memo.get(key) is None
    clock.now += 10**9
    memo.put(key, "d")
    assert memo.get(key) is None


def test_a_file_that_was_old_when_it_was_looked_at_is_trusted(store: Store) -> None:
    memo, clock = clocked(store)
    key = (1, 2, 3, clock.now - 30_000_000, clock.now - 30_000_000)
    assert memo.get(key) is None
    memo.put(key, "d")
    assert memo.get(key) == "d"


def test_whole_seconds_mean_a_coarse_clock(store: Store, tmp_path: Path) -> None:
    second = (time.time_ns() // 1_000_000_000 - 1) * 1_000_000_000
    key = (1, 2, 3, second, second)
    store.memo.get(key)
    store.memo.put(key, "d")
    assert store.memo.get(key) is None
    fine = (1, 3, 3, second + 1, second + 1)
    store.memo.put(fine, "d")
    assert store.memo.get(fine) == "d"


def test_times_in_the_future_and_beyond_are_not_remembered(store: Store) -> None:
    for mtime in (time.time_ns() + 10**12, 1 << 64):
        key = (1, 2, 3, mtime, 1)
        store.memo.get(key)
        store.memo.put(key, "d")
        assert store.memo.get(key) is None
    store.memo.flush()


def test_large_inode_and_device_numbers(tmp_path: Path) -> None:
    keys = [old_key(ino) for ino in ((1 << 64) - 1, 1 << 63, (1 << 63) - 1, 0)]
    with Store.open(tmp_path / "s") as store:
        for number, key in enumerate(keys):
            store.memo.put(key, str(number))
    with Store.open(tmp_path / "s") as store:
        assert [store.memo.get(key) for key in keys] == ["0", "1", "2", "3"]


def test_trim_keeps_the_newest(store: Store) -> None:
    keys = [old_key(ino) for ino in range(10)]
    for key in keys[:5]:
        store.memo.put(key, "old")
    store.memo.flush()
    time.sleep(0.01)
    for key in keys[5:]:
        store.memo.put(key, "new")
    store.memo.flush()
    store.memo.trim(6)
    fresh = Memo(store._database)
    assert [fresh.get(key) for key in keys].count("new") == 5
    assert [fresh.get(key) for key in keys].count("old") == 1


def test_many_are_quick(tmp_path: Path) -> None:
    keys = [old_key(ino) for ino in range(20_000)]
    with Store.open(tmp_path / "s") as store:
        for key in keys:
            store.memo.put(key, "sha256:" + "a" * 64)
    with Store.open(tmp_path / "s") as store:
        began = os.times().user
        assert all(store.memo.get(key) for key in keys)
        assert os.times().user - began < 2
