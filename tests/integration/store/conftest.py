"""A base image in a registry, counted by a proxy, and a build that uses it in several stages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.store.project import Project, make_project
from tests.integration.support.faults import FaultProxy, run_fault_proxy
from tests.integration.support.layouts import Layout
from tests.integration.support.server import Registry


@pytest.fixture(scope="session")
def base_registry(registry: Registry, busybox: Layout) -> Registry:
    """The registry, with busybox in it as ``base:store``."""
    registry.load(busybox.path, "busybox", "base:store")
    return registry


@pytest.fixture
def counted(base_registry: Registry) -> Iterator[FaultProxy]:
    """A proxy before that registry, which counts what it is asked."""
    with run_fault_proxy(base_registry.host) as proxy:
        yield proxy


@pytest.fixture
def project(base_registry: Registry, tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", base_registry.name("base:store"))
