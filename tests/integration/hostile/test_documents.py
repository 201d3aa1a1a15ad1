"""Manifests, indexes and configurations of nonsense, in a layout, an archive and a registry."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hostile.corpus import lower
from tests.integration.hostile.lab import TAR, Lab, digest
from tests.integration.support.hostile import Hostile, run_hostile
from tests.integration.support.layouts import CONFIG, INDEX, MANIFEST, Layout

pytestmark = pytest.mark.root

LAYER = lower()
DIGEST = digest(LAYER)
ABSENT = "sha256:" + "0" * 64
GOOD_CONFIG: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "config": {},
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
}
OPTIONS = ("Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes", "Shell", "OnBuild")


def _config(**changes: Any) -> Callable[[Layout], bytes]:
    """A manifest of a config that is good but for these."""
    return _document(config=json.dumps({**GOOD_CONFIG, **changes}).encode())


def _document(
    *,
    config: bytes = json.dumps(GOOD_CONFIG).encode(),
    config_type: str = CONFIG,
    layer: dict[str, Any] | None = None,
    **changes: Any,
) -> Callable[[Layout], bytes]:
    def make(layout: Layout) -> bytes:
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": layout.blob(config_type, config),
            "layers": [{**layout.blob(TAR, LAYER), **(layer or {})}],
            **changes,
        }
        return json.dumps({k: v for k, v in manifest.items() if v is not None}).encode()

    return make


def _with(key: str, value: Any) -> Callable[[Layout], bytes]:
    """A manifest that is good but for one field."""

    def make(layout: Layout) -> bytes:
        return json.dumps({**json.loads(_document()(layout)), key: value}).encode()

    return make


def _bytes(data: bytes) -> Callable[[Layout], bytes]:
    return lambda layout: data


def _index(*members: dict[str, Any], **changes: Any) -> Callable[[Layout], bytes]:
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(members), **changes}
    return _bytes(json.dumps(document).encode())


def _deep(layout: Layout) -> bytes:
    """Ten indexes, one in the other."""
    data = b'{"schemaVersion":2,"manifests":[]}'
    for _ in range(10):
        inner = layout.blob(INDEX, data)
        data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}).encode()
    return data


REFUSED: dict[str, Callable[[Layout], bytes]] = {
    "empty": _bytes(b""),
    "no JSON": _bytes(b"\x00\xff nonsense"),
    "a list": _bytes(b"[]"),
    "null": _bytes(b"null"),
    "NaN": _bytes(b'{"schemaVersion": NaN}'),
    "deep lists": _bytes(b"[" * 100_000),
    "deep objects": _bytes(b'{"layers":' * 100_000),
    "half a surrogate": _bytes(b'{"schemaVersion":2,"mediaType":"\\ud800","layers":[]}'),
    "schema 1": _bytes(b'{"schemaVersion":1,"fsLayers":[{"blobSum":"x"}],"history":[]}'),
    "neither": _bytes(b'{"schemaVersion":2}'),
    "both": _document(manifests=[]),
    "no config": _document(config=b"{}"),
    "a number for a config": _document(layers=None, config_type="", config=b"7"),
    "null config": _document(config=b"null"),
    "config of another type": _document(config=b"[1]", config_type="application/x"),
    "config that is not there": lambda layout: json.dumps(
        {"schemaVersion": 2, "config": {"mediaType": CONFIG, "digest": ABSENT, "size": 9}}
    ).encode(),
    "config with a million variables": _config(config={"Env": [f"V{n}=1" for n in range(10**6)]}),
    "layer that is not there": _document(layer={"digest": ABSENT}),
    "layer of another size": _document(layer={"size": 1}),
    "layer of negative size": _document(layer={"size": -1}),
    "layer of 2^63 bytes": _document(layer={"size": 1 << 63}),
    "layer of 2^70 bytes": _document(layer={"size": 1 << 70}),
    "layer of 1e400 bytes": lambda layout: _document(layer={"size": 77})(layout).replace(
        b'"size": 77', b'"size": 1e400'
    ),
    "layer without a digest": _document(layer={"digest": ""}),
    "layer with a path for a digest": _document(layer={"digest": "sha256:../../../../canary"}),
    "layer with an unknown digest": _document(layer={"digest": "md5:" + "0" * 32}),
    "layer with a digest of capitals": _document(layer={"digest": DIGEST.upper()}),
    "layers of another number": _config(rootfs={"type": "layers", "diff_ids": []}),
    "a diff ID that lies": _config(rootfs={"type": "layers", "diff_ids": [ABSENT]}),
    "a diff ID that is none": _config(rootfs={"type": "layers", "diff_ids": ["../canary"]}),
    "10,000 layers": _document(layers=[{"mediaType": TAR, "digest": DIGEST, "size": 1}] * 10_000),
    "an index of itself": _index({"mediaType": INDEX, "digest": ABSENT, "size": 9}),
    "an index of nothing": _index(),
    "an index of 10,000": _index(
        *({"mediaType": MANIFEST, "digest": ABSENT, "size": n} for n in range(10_000))
    ),
    "indexes in indexes": _deep,
    **{
        f"wrong type of {key}": _with(key, value)
        for key, value in (
            ("schemaVersion", "two"),
            ("mediaType", [7]),
            ("layers", 7),
            ("config", []),
        )
    },
    **{
        f"wrong type of {key} in the config": _config(**{key: [{"x": 1}]})
        for key in ("architecture", "os", "config", "rootfs", "created")
    },
    **{f"wrong type of {key} in the options": _config(config={key: 7}) for key in OPTIONS},
}
"""Documents that no image can be made of. (An index is made for each in turn to be found in.)"""


def _place(lab: Lab, make: Callable[[Layout], bytes]) -> tuple[Path, bytes, dict[str, Any]]:
    place = lab.out()
    layout = Layout(place)
    data = make(layout)
    kind = INDEX if b'"manifests"' in data and b'"layers"' not in data else MANIFEST
    descriptor = layout.blob(kind, data)
    layout.tag("it", descriptor)
    return place, data, descriptor


@pytest.mark.parametrize("name", REFUSED)
def test_in_a_layout(lab: Lab, name: str) -> None:
    place, _, _ = _place(lab, REFUSED[name])
    out = lab.out()
    flags = ("--build-context", f"base=oci-layout://{place}:it", "-o", f"type=oci,dest={out}")
    file = lab.root / "work/Dockerfile"
    file.write_text("FROM base\nLABEL a=b\nWORKDIR /w\n")
    outcome = lab.run("build", "-f", file, *flags, lab.root / "work/context", fails=True)
    assert "error: " in outcome.err


@pytest.mark.parametrize("name", REFUSED)
def test_loaded(lab: Lab, name: str) -> None:
    """What `load` takes from an archive it may find out later, but never keeps half of."""
    place, _, _ = _place(lab, REFUSED[name])
    archive = place.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(place, ".")
    outcome = lab.run("load", "--quiet", "-i", archive)
    if outcome.status == 0:  # all of it is there, and may be no image all the same
        lab.run("images", fails=False)
        lab.run("inspect", outcome.out.split()[-1])
        lab.run("rm", outcome.out.split()[-1], fails=False)
    else:
        assert "error: " in outcome.err


@pytest.fixture(scope="module")
def server() -> Any:
    with run_hostile() as running:
        yield running


@pytest.mark.parametrize("name", REFUSED)
def test_pulled(lab: Lab, server: Hostile, name: str) -> None:
    place, data, descriptor = _place(lab, REFUSED[name])
    part = f"r{lab.count}"
    headers = {"Content_Type": descriptor["mediaType"]}
    server.gives("GET", f"/v2/{part}/manifests/latest", data, **headers)
    server.gives("HEAD", f"/v2/{part}/manifests/latest", data, **headers)
    server.gives("GET", f"/v2/{part}/manifests/{descriptor['digest']}", data, **headers)
    for blob in (place / "blobs/sha256").iterdir():
        content = blob.read_bytes()
        server.gives("GET", f"/v2/{part}/blobs/sha256:{blob.name}", content)
        server.gives("GET", f"/v2/{part}/manifests/sha256:{blob.name}", content)
    file = lab.root / "work/Dockerfile"
    file.write_text(f"FROM {server.host}/{part}\nLABEL a=b\nWORKDIR /w\n")
    outcome = lab.run(
        "build", "-f", file, "-o", f"type=oci,dest={lab.out()}", lab.root / "work/context",
        fails=True,
    )  # fmt: skip
    assert "error: " in outcome.err


ODD: dict[str, dict[str, Any]] = {
    "a million labels' worth of history": {"history": [{"created_by": "x" * 50}] * 40_000},
    "history that does not match": {"history": [{"created_by": "one"}] * 7},
    "control characters": {"author": "\x1b[2J", "config": {"User": "\x1b[31m", "Env": ["A=\x1b["]}},
    "NUL in a variable": {"config": {"Env": ["A=\0"]}},
    "NUL in the user": {"config": {"User": "\0"}},
    "NUL in the directory": {"config": {"WorkingDir": "/a\0b"}},
    "a directory that leads out": {"config": {"WorkingDir": "../../../canary"}},
    "a variable without a name": {"config": {"Env": ["=x", "", "A"]}},
    "a variable twice": {"config": {"Env": ["PATH=/bin", "PATH=/x"]}},
    "an empty shell": {"config": {"Shell": []}},
    "triggers that are no instructions": {"config": {"OnBuild": ["NONSENSE \x1b[2J", "FROM x"]}},
    "a time of nonsense": {"created": "yesterday"},
    "a date that is none": {"created": "9999-99-99T99:99:99Z"},
    "a volume that leads out": {"config": {"Volumes": {"../../canary": {}}}},
    "a port of nonsense": {"config": {"ExposedPorts": {"\x1b[2J/99999999": {}}}},
    "a health check of 2^70": {"config": {"Healthcheck": {"Interval": 1 << 70}}},
    "a user of 2^40": {"config": {"User": str(1 << 40)}},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_configurations(lab: Lab, name: str) -> None:
    """They may be taken or not; what RUN, COPY and WORKDIR make of them stays inside."""
    place, _, _ = _place(lab, _config(**ODD[name]))
    flags = ("--build-context", f"base=oci-layout://{place}:it")
    found = lab.build("FROM base\nCOPY --from=base file w/\nWORKDIR x\n", *flags)
    if isinstance(found, str):
        assert "error: " in found
    else:
        assert "/file: file 0644 0:0 'f'" in found
    lab.build('FROM base\nRUN ["/file"]\n', *flags)
    archive = place.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(place, ".")
    loaded = lab.run("load", "--quiet", "-i", archive)
    if loaded.status == 0:
        lab.run("images")
        lab.run("inspect", loaded.out.split()[-1])


def _docker(entries: Any, **files: bytes) -> bytes:
    out = io.BytesIO()
    content = {"manifest.json": json.dumps(entries).encode(), **files}
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


_ENTRY = {"Config": "c__json", "RepoTags": ["it:1"], "Layers": ["l__tar"]}
_FILES = {"c__json": json.dumps(GOOD_CONFIG).encode(), "l__tar": LAYER}
_OTHER = json.dumps(
    {**GOOD_CONFIG, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]}}
).encode()
DOCKER = {
    "no list": _docker({}),
    "nothing in it": _docker([]),
    "no entry": _docker([7]),
    "a path that leads out": _docker([{**_ENTRY, "Config": "../../../canary/secret"}], **_FILES),
    "a layer that is not there": _docker([{**_ENTRY, "Config": "c.json"}]),
    "layers of another number": _docker(
        [{"Config": "c.json", "Layers": ["l.tar", "l.tar"]}], **_FILES
    ),
    "a layer of other content": _docker(
        [{"Config": "c.json", "Layers": ["l.tar"]}],
        **{**_FILES, "l__tar": b"x" * 512, "c__json": _OTHER},
    ),
    "a layer that is compressed with xz": _docker(
        [{"Config": "c.json", "Layers": ["l.tar"]}], **{**_FILES, "l__tar": b"\xfd7zXZ\0" * 99}
    ),
}


@pytest.mark.parametrize("name", DOCKER)
def test_docker_archives(lab: Lab, name: str) -> None:
    archive = lab.out()
    archive.write_bytes(DOCKER[name])
    outcome = lab.run("load", "-i", archive, fails=True)
    assert "error: " in outcome.err
    assert "canary/secret" not in outcome.err or "no file" in outcome.err


def test_ten_thousand_images_of_one_large_config(lab: Lab) -> None:
    """A config is read once, however many images of an archive share it."""
    config = json.dumps({**GOOD_CONFIG, "author": "x" * 3_000_000}).encode()
    entries = [{"Config": "c.json", "RepoTags": ["it:1"], "Layers": ["l.tar"]}] * 10_000
    archive = lab.out()
    archive.write_bytes(_docker(entries, c__json=config, l__tar=LAYER))
    outcome = lab.run("load", "-i", archive, fails=False)
    assert outcome.seconds < 20
