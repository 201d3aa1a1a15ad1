"""A store that something else damaged: `check` says it, ``--repair`` mends it, builds are right."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.store.project import Project, make_project
from tests.integration.support.runner import Jettison
from tests.integration.support.server import Registry

pytestmark = pytest.mark.root

Damage = Callable[[Path], str]
"""Damages a store; the kind of problem that `check` should tell."""


@pytest.fixture(scope="module")
def project_of(tmp_path_factory: pytest.TempPathFactory, base_registry: Registry) -> Project:
    place = tmp_path_factory.mktemp("damage") / "project"
    return make_project(place, base_registry.name("base:store"))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, project_of: Project) -> tuple[Path, str]:
    """A store in which the project was built, to be copied; and the image's digest."""
    own = Jettison(tmp_path_factory.mktemp("pristine") / "store")
    digest = project_of.digest(own)
    time.sleep(2.5)  # what is written from now on is later than the layers by every clock
    return own.store, digest


def copy(store: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", store, to], check=True)


def largest(directory: Path, pattern: str) -> Path:
    return max(directory.glob(pattern), key=lambda path: path.stat().st_size)


def flip(path: Path) -> None:
    """Change one byte in the middle, and nothing that lstat(2) shows but times."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def corrupt_blob(store: Path) -> str:
    flip(largest(store, "blobs/sha256/*"))
    return "blob"


def truncated_blob(store: Path) -> str:
    os.truncate(largest(store, "blobs/sha256/*"), 100)
    return "blob"


def missing_blob(store: Path) -> str:
    largest(store, "blobs/sha256/*").unlink()
    return "image"


def truncated_layer_file(store: Path) -> str:
    os.truncate(next(store.glob("layers/s*/one")), 10)
    return "layer"


def deleted_layer_file(store: Path) -> str:
    next(store.glob("layers/s*/one")).unlink()
    return "layer"


def quietly_changed_layer_file(store: Path) -> str:
    path = next(store.glob("layers/s*/sum"))
    times = path.stat()
    flip(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return "layer"


def deleted_layer(store: Path) -> str:
    shutil.rmtree(next(store.glob("layers/s*/one")).parent)
    return "record"


def deleted_base_layer(store: Path) -> str:
    shutil.rmtree(next(store.glob("layers/b*")))
    return ""  # it is unpacked again


def database_garbage(store: Path) -> str:
    drop_wal(store)
    (store / "cache.db").write_bytes(os.urandom(20_000))
    return "database"


def database_truncated(store: Path) -> str:
    drop_wal(store)
    os.truncate(store / "cache.db", 9000)
    return "database"


def database_empty(store: Path) -> str:
    drop_wal(store)
    (store / "cache.db").write_bytes(b"")
    return "database"


def database_old(store: Path) -> str:
    connection = sqlite3.connect(store / "cache.db")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("DROP TABLE records")
    connection.close()
    return "database"


def index_missing(store: Path) -> str:
    (store / "index.json").unlink()
    return "store"


def drop_wal(store: Path) -> None:
    connection = sqlite3.connect(store / "cache.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for suffix in ("-wal", "-shm"):
        (store / f"cache.db{suffix}").unlink(missing_ok=True)


DEEP = (corrupt_blob, quietly_changed_layer_file)
HARMLESS = (deleted_base_layer, index_missing)
"""Either nothing is lost, or looking mends it."""
NEEDS_REPAIR = (*DEEP, truncated_layer_file, deleted_layer_file)
"""What a build does not look for: it would read every file of every layer."""
ALL = (
    corrupt_blob,
    truncated_blob,
    missing_blob,
    truncated_layer_file,
    deleted_layer_file,
    quietly_changed_layer_file,
    deleted_layer,
    deleted_base_layer,
    database_garbage,
    database_truncated,
    database_empty,
    database_old,
    index_missing,
)


def found(jettison: Jettison, *flags: str) -> tuple[int, set[str]]:
    """The exit status, and the kinds of what is neither harmless nor mended."""
    done = jettison("check", "--format", "json", *flags, check=False)
    problems = json.loads(done.stdout)["Problems"]
    return done.returncode, {p["Kind"] for p in problems if not p["Harmless"]}


@pytest.mark.parametrize("damage", ALL)
def test_damage_is_found_and_mended(
    pristine: tuple[Path, str], project_of: Project, tmp_path: Path, damage: Damage
) -> None:
    source, digest = pristine
    own = Jettison(tmp_path / "store")
    copy(source, own.store)
    kind = damage(own.store)
    if damage not in NEEDS_REPAIR:
        unmended = Jettison(tmp_path / "unmended")
        copy(own.store, unmended.store)
        assert project_of.digest(unmended) == digest
    deep = ("--read-data",) if damage in DEEP else ()
    if damage in DEEP:
        assert found(own) == (0, set())
    status, kinds = found(own, *deep)
    assert status == (0 if damage in HARMLESS else 1)
    assert kinds >= ({kind} if kind else set())
    status, _ = found(own, "--repair", *deep)
    assert status == 0
    assert found(own, "--read-data") == (0, set())
    assert project_of.digest(own) == digest
    assert found(own, "--read-data") == (0, set())
