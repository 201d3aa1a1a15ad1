"""Real servers on loopback, shared by all integration tests; each starts when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.certs import Pair, make_ca, make_server_pair
from tests.integration.support.faults import FaultProxy, run_fault_proxy
from tests.integration.support.layouts import Layout, busybox_layout
from tests.integration.support.runner import Jettison, build_base, problems, write_rootfs
from tests.integration.support.server import PASSWORD, USER, Registry, run_registry
from tests.integration.support.tokens import TokenServer, run_token_server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate authority that nobody trusts unless told."""
    return make_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that speaks plain HTTP and lets everyone do everything."""
    with run_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory, authority: Pair) -> Iterator[Registry]:
    """A registry with TLS (by ``authority``) that wants a user name and a password."""
    directory = tmp_path_factory.mktemp("tls-registry")
    pair = make_server_pair(directory, authority)
    with run_registry(directory, tls=pair, ca=authority.cert, htpasswd=True) as running:
        yield running


@pytest.fixture
def token_server(tmp_path: Path) -> Iterator[TokenServer]:
    """A token server that knows USER and PASSWORD."""
    with run_token_server(tmp_path / "tokens", USER, PASSWORD) as running:
        yield running


@pytest.fixture
def token_registry(tmp_path: Path, token_server: TokenServer) -> Iterator[Registry]:
    """A plain registry that wants tokens of ``token_server``."""
    with run_registry(tmp_path / "token-registry", token=token_server.config()) as running:
        yield running


@pytest.fixture
def faulty(registry: Registry) -> Iterator[FaultProxy]:
    """A proxy before ``registry`` that misbehaves as told."""
    with run_fault_proxy(registry.host) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """An OCI layout with the image ``busybox``, in which shell scripts run."""
    return busybox_layout(tmp_path_factory.mktemp("busybox") / "layout")


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar of the smallest root file system with a shell: static busybox."""
    path = tmp_path_factory.mktemp("rootfs") / "rootfs.tar"
    write_rootfs(path)
    return path


@pytest.fixture(scope="module")
def jettison(tmp_path_factory: pytest.TempPathFactory, rootfs: Path) -> Iterator[Jettison]:
    """The command line on a fresh store with the image ``base``: busybox.

    In the end every image that is in the store must be valid.
    """
    work = tmp_path_factory.mktemp("store")
    runner = Jettison(work / "store")
    build_base(runner, work, rootfs)
    yield runner
    assert problems(runner.store) == []


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., Path]:
    """Makes a build context of a Dockerfile and files."""

    def make(dockerfile: str, **files: str) -> Path:
        directory = tmp_path / "context"
        directory.mkdir(exist_ok=True)
        (directory / "Dockerfile").write_text(dockerfile)
        for name, content in files.items():
            (directory / name).write_text(content)
        return directory

    return make
