"""A big image through a network in which a third of all requests fails; and pulls that are killed.

The image has $JETTISON_TEST_MEGABYTES (60; ``make faults`` takes 500).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.chaos import run_chaos
from tests.integration.support.faults import Fault, FaultProxy
from tests.integration.support.layouts import CONFIG, MANIFEST, Layout
from tests.integration.support.server import Registry

MEGABYTES = int(os.environ.get("JETTISON_TEST_MEGABYTES") or 60)
# With the first ones every kind of fault comes up, and all that can be resumed is.
SEEDS = (1, 2, 7) if MEGABYTES == 60 else range(1, 7)
SHARES = (60, 20, 12, 8)  # percent of the whole, for each layer
PEAK = 200_000_000
ROOT = Path(__file__).parents[3]


def mover(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.registry.mover", *map(str, arguments)]
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    )


def moved(*arguments: str | Path) -> dict[str, Any]:
    return finished(mover(*arguments))


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    taken: dict[str, Any] = json.loads(out)
    return taken


def big_image(layout: Layout, sizes: list[int]) -> None:
    """An image with layers of random bytes, the same ones each time (what fails goes by digests),
    tagged ``1``; only moved, never unpacked.
    """
    layers = []
    chance = random.Random(0)
    for size in sizes:
        digest = hashlib.sha256()
        draft = layout.path / "draft"
        with draft.open("wb") as out:
            for start in range(0, size, 1 << 20):
                data = chance.randbytes(min(1 << 20, size - start))
                digest.update(data)
                out.write(data)
        draft.rename(layout.path / "blobs" / "sha256" / digest.hexdigest())
        kind = "application/vnd.oci.image.layer.v1.tar"
        found = f"sha256:{digest.hexdigest()}"
        layers.append({"mediaType": kind, "digest": found, "size": size})
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.blob(CONFIG, json.dumps(config).encode()),
        "layers": layers,
    }
    layout.tag("1", layout.blob(MANIFEST, json.dumps(manifest).encode()))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("big") / "layout")
    big_image(layout, [MEGABYTES * 10_000 * share for share in SHARES])
    return layout


def total(layout: Layout) -> int:
    return sum(path.stat().st_size for path in (layout.path / "blobs").rglob("*") if path.is_file())


def contents(directory: Path) -> dict[str, str]:
    """Name and digest of every blob."""
    found = {}
    for path in (directory / "blobs" / "sha256").iterdir():
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_big_image_comes_through(
    registry: Registry, big: Layout, tmp_path: Path, seed: int
) -> None:
    size = total(big)
    with run_chaos(registry.host, seed=seed) as chaos:
        name = f"{chaos.host}/chaos{seed}:1"
        pushed = moved("push", big.path, name)
        up, patches = chaos.up, chaos.patches
        pulled = moved("pull", tmp_path / "store", name)
        print(
            f"seed {seed}: {size} bytes; push {pushed['seconds']:.1f} s, {up / size:.2f}x, "
            f"{patches} PATCH, peak {pushed['peak'] >> 20} MiB; pull {pulled['seconds']:.1f} s, "
            f"{chaos.down / size:.2f}x, {chaos.ranges} ranges, peak {pulled['peak'] >> 20} MiB; "
            f"{chaos.requests} requests, {dict(chaos.faults)}"
        )
    expected = {path.name: path.name for path in (big.path / "blobs" / "sha256").iterdir()}
    assert contents(tmp_path / "store") == expected
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
    assert registry.inspect(f"chaos{seed}:1", "--raw") == json.loads(big.read(big.entries[0]))
    if MEGABYTES == 60:
        assert chaos.faults.total() > 5 and chaos.ranges > 0
        assert patches > 0 or seed == 1
    assert size <= up <= 1.5 * size and size <= chaos.down <= 1.5 * size
    assert max(pushed["peak"], pulled["peak"]) < PEAK


def test_a_killed_pull_goes_on_where_it_was(
    registry: Registry, faulty: FaultProxy, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    big_image(layout, [3_000_000])
    moved("push", layout.path, registry.name("killed:1"))
    layer = json.loads(layout.read(layout.entries[0]))["layers"][0]
    store = tmp_path / "store"
    faulty.on("GET", layer["digest"], Fault(cut=2_000_000, stall=30))
    first = mover("pull", store, f"{faulty.host}/killed:1")
    partial = store / "tmp" / f"partial-sha256-{layer['digest'][7:]}"
    until = time.monotonic() + 20
    while not (partial.exists() and partial.stat().st_size > 1_000_000):
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = partial.stat().st_size
    finished(mover("pull", store, f"{faulty.host}/killed:1"))
    ranges = [r.headers.get("range") for r in faulty.requests if layer["digest"] in r.path]
    assert ranges == [None, f"bytes={kept}-"]
    assert contents(store) == {p.name: p.name for p in (layout.path / "blobs/sha256").iterdir()}
    assert list((store / "tmp").iterdir()) == []


def test_two_processes_share_one_download(
    registry: Registry, faulty: FaultProxy, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    big_image(layout, [3_000_000, 2_000_000])
    moved("push", layout.path, registry.name("shared:1"))
    for layer in json.loads(layout.read(layout.entries[0]))["layers"]:
        # Slow enough for the second process to meet the first; the rest is asked for again.
        faulty.on("GET", layer["digest"], Fault(cut=1_000_000, stall=1.0))
    store = tmp_path / "store"
    both = [mover("pull", store, f"{faulty.host}/shared:1") for _ in range(2)]
    for process in both:
        finished(process)
    asked = [(r.path, r.headers.get("range")) for r in faulty.requests if "/blobs/" in r.path]
    layers = json.loads(layout.read(layout.entries[0]))["layers"]
    for layer in layers:
        assert [r for path, r in asked if layer["digest"] in path] == [None, "bytes=1000000-"]
