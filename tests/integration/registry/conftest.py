"""Clients and stores for the tests of the registry package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jettison.registry.client import RegistryClient
from jettison.registry.settings import Settings
from jettison.store.store import Store

FAST = Settings(backoff=0.01, read_timeout=1.0, connect_timeout=2.0, attempts=3)
"""Impatient: what fails, fails within a second or so."""


@pytest.fixture
def client() -> Iterator[RegistryClient]:
    """An anonymous client."""
    with RegistryClient(FAST) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened
