from __future__ import annotations

import threading

import pytest

from jettison.errors import Cancelled
from jettison.store.store import Store
from tests.unit.store.storetools import python

HOLDER = """
import sys
from pathlib import Path
from jettison.store.store import Store
with Store.open(Path(sys.argv[1])) as store, store.key_locks.hold("k", lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def give_up() -> None:
    raise Cancelled


def test_threads_exclude_each_other(store: Store) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with store.key_locks.hold("k", lambda: None):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1] * 8


def test_other_keys_are_free_and_waiting_can_be_ended(store: Store) -> None:
    with store.key_locks.hold("k", give_up):
        with store.key_locks.hold("other", give_up):
            pass
        with pytest.raises(Cancelled), store.key_locks.hold("k", give_up):
            pass
    with store.key_locks.hold("k", give_up):
        pass


def test_a_lock_ends_with_its_process(store: Store) -> None:
    process = python(HOLDER, store.root)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(Cancelled), store.key_locks.hold("k", give_up):
        pass
    process.kill()
    process.communicate()
    with store.key_locks.hold("k", give_up):
        pass
