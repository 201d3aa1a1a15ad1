"""One process for all command lines, one lab for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.hostile.lab import Lab
from tests.integration.hostile.zygote import Zygote, zygote


@pytest.fixture(scope="session")
def forks() -> Iterator[Zygote]:
    with zygote() as running:
        yield running


@pytest.fixture(scope="module")
def lab(forks: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("hostile"), forks)
