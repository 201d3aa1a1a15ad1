"""A small signed archive behind a web server, and a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jettison.store.store import Store
from tests.integration.distroless.lab import Lab
from tests.integration.support.debarchive import DebArchive, Key
from tests.integration.support.web import run_web


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    """The archive's key."""
    made = Key(tmp_path_factory.mktemp("gpg") / "home")
    yield made
    made.close()


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    """A key that the archive is not signed by."""
    made = Key(tmp_path_factory.mktemp("gpg") / "home", "somebody-else")
    yield made
    made.close()


@pytest.fixture
def lab(tmp_path: Path, key: Key) -> Iterator[Lab]:
    """An archive with ``app`` -> ``lib`` -> ``data``, published and served."""
    archive = DebArchive(tmp_path / "archive" / "debian", key)
    archive.add("app", "1:1.0-1", fields="Depends: lib (>= 1)\n")
    archive.add("app", "1:1.0-1", "arm64", fields="Depends: lib (>= 1)\n")
    archive.add("lib", "1.2", fields="Depends: data\n", compression="zstd")
    archive.add("lib", "1.2", "arm64", fields="Depends: data\n", compression="gzip")
    archive.add("data", "3", "all")
    archive.publish()
    with run_web(tmp_path / "archive") as web, Store.open(tmp_path / "store") as store:
        yield Lab(archive, web, store)
