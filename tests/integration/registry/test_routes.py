"""Ways to a registry: proxies, mirrors, and what the command line makes of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jettison.registry.client import RegistryClient
from jettison.registry.pull import pull
from jettison.store.store import Store
from tests.integration.registry.common import Fixed, ref
from tests.integration.registry.conftest import FAST
from tests.integration.support.faults import Fault, FaultProxy, run_fault_proxy
from tests.integration.support.hostile import Talk, run_hostile
from tests.integration.support.layouts import Layout, random_image, tiny_image
from tests.integration.support.server import PASSWORD, USER, Registry

ROOT = Path(__file__).parents[3]
BOUND = 2.0
"""Seconds to stop: it takes half of one, but for machines that are busy."""


@contextmanager
def tunnel(target: str) -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy that leads every CONNECT to ``target``; its address, and what was asked."""
    asked: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        asked.append(head.decode())
        host, _, port = target.partition(":")
        with client, socket.create_connection((host, int(port))) as upstream:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=copy, args=(upstream, client), daemon=True)
            back.start()
            copy(client, upstream)
            back.join(5)

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with server:
        yield f"127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)


def test_through_a_proxy(
    tls_registry: Registry, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path / "image")
    layout.tag("1", tiny_image(layout, "proxied"))
    tls_registry.load(layout.path, "1", "proxied:1")
    settings = replace(FAST, insecure=frozenset({"registry.invalid"}))
    known = Fixed.of("registry.invalid", USER, PASSWORD)
    with tunnel(tls_registry.host) as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{address}")
        with RegistryClient(settings, known) as client:
            pull(client, ref("registry.invalid/proxied:1"), store.blobs, lambda d: None)
    assert asked and all(text.startswith("CONNECT registry.invalid:443 ") for text in asked)
    # What is meant for the registry is not shown to the proxy.
    assert all("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in text for text in asked)
    assert not any("\nAuthorization" in text for text in asked)


def test_a_mirror_that_breaks_off_again_and_again(
    registry: Registry, faulty: FaultProxy, tmp_path: Path, store: Store
) -> None:
    layout = Layout(tmp_path / "image")
    layout.tag("1", random_image(layout, 300_000))
    registry.load(layout.path, "1", "breaking:1")
    layer = json.loads(layout.read(layout.entries[0]))["layers"][0]
    faulty.on("GET", layer["digest"], Fault(cut=1000), times=99)
    with run_fault_proxy(registry.host) as origin:
        settings = replace(FAST, mirrors={origin.host: (faulty.host,)}, attempts=4)
        with RegistryClient(settings) as client:
            pull(client, ref(f"{origin.host}/breaking:1"), store.blobs, lambda d: None)
        asked = [r.headers.get("range") for r in origin.requests if layer["digest"] in r.path]
    assert asked == ["bytes=2000-"]


def test_a_mirror_that_lies(
    registry: Registry, faulty: FaultProxy, tmp_path: Path, store: Store
) -> None:
    layout = Layout(tmp_path / "image")
    layout.tag("1", random_image(layout, 300_000))
    registry.load(layout.path, "1", "lying:1")
    layer = json.loads(layout.read(layout.entries[0]))["layers"][0]
    faulty.on("GET", layer["digest"], Fault(body=bytes(layer["size"])), times=99)
    settings = replace(FAST, mirrors={registry.host: (faulty.host,)})
    with RegistryClient(settings) as client:
        pull(client, ref(registry.name("lying:1")), store.blobs, lambda d: None)
    assert store.blobs.has(layer["digest"])


def command(store: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jettison", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src", "JETTISON_ROOT": str(store), **environ},
    )


def run(store: Path, *arguments: str, **environ: str) -> str:
    process = command(store, *arguments, **environ)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def test_the_command_line_reads_registries_conf(
    registry: Registry, faulty: FaultProxy, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "image")
    layout.tag("1", tiny_image(layout, "configured"))
    registry.load(layout.path, "1", "hub/configured:1")
    conf = tmp_path / "registries.conf"
    conf.write_text(
        '[[registry]]\nprefix = "registry.invalid/team"\nlocation = "registry.invalid/team"\n'
        f'[[registry.mirror]]\nlocation = "{faulty.host}/hub"\n'
    )
    name = "registry.invalid/team/configured:1"
    named = run(tmp_path / "store", "pull", "-q", name, CONTAINERS_REGISTRIES_CONF=str(conf))
    assert named.strip() == name
    conf.write_text("[[registry")
    process = command(tmp_path / "store", "pull", name, CONTAINERS_REGISTRIES_CONF=str(conf))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and f"{conf} is malformed" in err


def test_layers_of_a_pulled_image_are_mounted(
    registry: Registry, faulty: FaultProxy, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "image")
    layout.tag("1", random_image(layout, 5000, layers=2))
    registry.load(layout.path, "1", "base/of:1")
    store, target = tmp_path / "store", f"{faulty.host}/derived/from:1"
    run(store, "pull", f"{faulty.host}/base/of:1")
    run(store, "tag", f"{faulty.host}/base/of:1", target)
    run(store, "push", target)
    assert faulty.count("POST", "mount=.*from=base/of") == 3
    assert faulty.count("PUT", "/blobs/") == 0


def test_ctrl_c_ends_a_hanging_pull_within_a_second(tmp_path: Path) -> None:
    with run_hostile() as hostile:

        def hang(talk: Talk) -> None:
            hostile.closing.wait(30)

        for method in ("HEAD", "GET"):
            hostile.on(method, "/v2/", hang)
        process = command(tmp_path / "store", "pull", f"{hostile.host}/app:1")
        until = time.monotonic() + 20
        while not hostile.requests:
            assert time.monotonic() < until
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130
        assert time.monotonic() - began < BOUND


def test_ctrl_c_ends_a_build_whose_base_image_hangs_within_a_second(
    registry: Registry, faulty: FaultProxy, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "image")
    layout.tag("1", random_image(layout, 300_000))
    registry.load(layout.path, "1", "hanging:1")
    layer = json.loads(layout.read(layout.entries[0]))["layers"][0]
    faulty.on("GET", layer["digest"], Fault(cut=1000, stall=20))
    (tmp_path / "context").mkdir()
    dockerfile = f"FROM {faulty.host}/hanging:1\nCOPY Dockerfile /\n"
    (tmp_path / "context" / "Dockerfile").write_text(dockerfile)
    process = command(tmp_path / "store", "build", "-t", "x", str(tmp_path / "context"))
    until = time.monotonic() + 20
    while not faulty.count("GET", layer["digest"]):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - began < BOUND
