"""--cache-to and --cache-from: what one store built, another finds in a registry or a folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.faults import Fault, FaultProxy
from tests.integration.support.ports import free_port
from tests.integration.support.runner import Jettison, build_base, problems
from tests.integration.support.server import Registry

pytestmark = pytest.mark.root

Context = Callable[..., Path]
Stores = Callable[[], Jettison]

# What RUN writes is random: only a step that did not run can give the same image again.
RANDOM = "head -c 16 /dev/urandom | sha256sum"
STAGES = f"""\
ARG BASE
FROM $BASE AS build
COPY source /source
RUN {RANDOM} > /noise && grep -v '^#' /source > /out
FROM $BASE
WORKDIR /app
RUN {RANDOM} > /first
COPY --link linked /linked
COPY --from=build /out /app/out
RUN {RANDOM} > /second
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, rootfs: Path) -> Path:
    """An OCI layout with the base image, which every store reads anew."""
    work = tmp_path_factory.mktemp("base")
    runner = Jettison(work / "store")
    build_base(runner, work, rootfs)
    runner("save", "--format", "oci", "-o", work / "layout.tar", "base")
    return work / "layout.tar"


@pytest.fixture
def stores(tmp_path: Path, base: Path) -> Iterator[Stores]:
    """Makes empty stores; in the end all of them hold nothing but valid images."""
    made: list[Jettison] = []

    def make() -> Jettison:
        made.append(Jettison(tmp_path / f"store{len(made)}"))
        return made[-1]

    yield make
    for runner in made:
        if runner.names():
            assert problems(runner.store) == []


@pytest.fixture
def args(base: Path) -> list[str]:
    return ["--build-context", f"base=oci-layout://{base}", "--build-arg", "BASE=base"]


def executed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The names of RUN and COPY steps that were not cached, in order of their numbers."""
    names = dict(re.findall(r"^#(\d+) (\[.*)$", done.stderr, re.MULTILINE))
    ran = re.findall(r"^#(\d+) DONE", done.stderr, re.MULTILINE)
    return [names[n] for n in sorted(set(ran), key=int) if n in names and "FROM" not in names[n]]


def layer_pulls(proxy: FaultProxy, *roots: dict[str, Any]) -> list[str]:
    """The layers' digests that were read through ``proxy``."""
    layers = {layer["digest"] for root in roots for layer in root["layers"]}
    return [
        digest
        for request in proxy.requests
        if request.method == "GET" and (digest := request.path.rpartition("/")[2]) in layers
    ]


def manifest(registry: Registry, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(registry.skopeo("inspect", "--raw", f"docker://{name}"))
    return found


def files(**changed: str) -> dict[str, str]:
    return {"source": "x\n", "linked": "linked\n", **changed}


def digest_of(tmp_path: Path) -> str:
    found: str = json.loads((tmp_path / "meta").read_text())["containerimage.digest"]
    return found


def test_an_empty_store_finds_every_step_in_a_registry_and_pulls_nothing_to_push(
    stores: Stores,
    context: Context,
    args: list[str],
    registry: Registry,
    faulty: FaultProxy,
    tmp_path: Path,
) -> None:
    directory = context(STAGES, **files())
    meta = ("--metadata-file", tmp_path / "meta")
    image, cache = f"{faulty.host}/app:1", f"{faulty.host}/app:cache"
    to = f"type=registry,ref={cache},mode=max"
    stores().build(directory, *args, *meta, "-t", image, "--push", "--cache-to", to)
    first = digest_of(tmp_path)
    faulty.requests.clear()

    second = stores().build(directory, *args, *meta, "-t", image, "--push", "--cache-from", cache)
    assert executed(second) == []
    assert digest_of(tmp_path) == first
    assert layer_pulls(faulty, manifest(registry, registry.name("app:cache"))) == []
    assert faulty.count("PUT", "/blobs/") == 0 and faulty.count("POST", "/blobs/") == 0

    # Another repository: the layers are mounted there from the cache's.
    faulty.requests.clear()
    third = stores().build(
        directory, *args, *meta, "-t", f"{faulty.host}/other:1", "--push", "--cache-from", cache
    )
    assert executed(third) == [] and digest_of(tmp_path) == first
    assert layer_pulls(faulty, manifest(registry, registry.name("app:cache"))) == []


def test_only_layers_that_a_step_needs_are_pulled(
    stores: Stores,
    context: Context,
    args: list[str],
    registry: Registry,
    faulty: FaultProxy,
) -> None:
    """A changed source: its stage runs from COPY on; what it gives is the same, so the rest is a
    hit, by content, and the final stage's layers stay where they are.
    """
    directory = context(STAGES, **files())
    image, cache = f"{faulty.host}/lazy:1", f"{faulty.host}/lazy:cache"
    to = f"type=registry,ref={cache},mode=max"
    stores().build(directory, *args, "-t", image, "--push", "--cache-to", to)
    before = manifest(registry, registry.name("lazy:1"))
    faulty.requests.clear()
    context(STAGES, **files(source="# comment\nx\n"))
    done = stores().build(directory, *args, "-t", image, "--push", "--cache-from", cache)
    assert [name.partition("]")[0] for name in executed(done)] == ["[build 2/3", "[build 3/3"]
    assert manifest(registry, registry.name("lazy:1")) == before
    assert layer_pulls(faulty, manifest(registry, registry.name("lazy:cache"))) == []

    # A change below the last RUN: what is below that COPY is pulled, and nothing else.
    faulty.requests.clear()
    context(STAGES, **files(source="y\n"))
    done = stores().build(directory, *args, "-t", image, "--push", "--cache-from", cache)
    assert [name.partition("]")[0] for name in executed(done)] == [
        "[build 2/3",
        "[build 3/3",
        "[stage-1 5/6",
        "[stage-1 6/6",
    ]
    after = manifest(registry, registry.name("lazy:1"))
    kept = [layer["digest"] for layer in after["layers"] if layer in before["layers"]]
    assert len(kept) == 4  # the base, /app, /first, /linked
    assert sorted(layer_pulls(faulty, before)) == sorted(kept[1:])


def test_a_folder_with_mode_min_and_max(
    stores: Stores, context: Context, args: list[str], tmp_path: Path
) -> None:
    directory = context(STAGES, **files())
    meta = ("--metadata-file", tmp_path / "meta")
    to = [f"type=local,dest={tmp_path}/{mode},mode={mode}" for mode in ("min", "max")]
    stores().build(directory, *args, *meta, "--cache-to", to[0], "--cache-to", to[1])
    first = digest_of(tmp_path)
    sizes = {
        mode: len(list((tmp_path / mode / "blobs/sha256").iterdir())) for mode in ("min", "max")
    }
    assert sizes == {"min": 5 + 2, "max": 5 + 2 + 2}  # layers; manifest and config

    for mode in ("min", "max"):
        done = stores().build(
            directory, *args, *meta, "--cache-from", f"type=local,src={tmp_path}/{mode}"
        )
        assert executed(done) == [] and digest_of(tmp_path) == first

    # With another last stage, min knows nothing of the first one.
    context(STAGES.replace("FROM $BASE\n", "FROM $BASE\nRUN true\n"), **files())
    ran = {}
    for mode in ("min", "max"):
        done = stores().build(directory, *args, "--cache-from", f"type=local,src={tmp_path}/{mode}")
        ran[mode] = [n for n in executed(done) if n.startswith("[build")]
    assert len(ran["min"]) == 2 and ran["max"] == []


def test_an_imported_cache_is_exported_again_without_its_layers_being_here(
    stores: Stores, context: Context, args: list[str], registry: Registry, faulty: FaultProxy
) -> None:
    directory = context(STAGES, **files())
    cache = f"{faulty.host}/again:cache"
    flags = ("--cache-to", f"type=registry,ref={cache},mode=max", "--cache-from", cache)
    push = ("-t", f"{faulty.host}/again:1", "--push")
    stores().build(directory, *args, *push, *flags)
    first = manifest(registry, registry.name("again:cache"))
    faulty.requests.clear()
    done = stores().build(directory, *args, *push, *flags)
    assert executed(done) == []
    assert manifest(registry, registry.name("again:cache")) == first
    assert layer_pulls(faulty, first) == []


def test_an_inline_cache_travels_with_the_image(
    stores: Stores, context: Context, args: list[str], registry: Registry, tmp_path: Path
) -> None:
    directory = context(STAGES, **files())
    meta = ("--metadata-file", tmp_path / "meta")
    image = registry.name("inline:1")
    plain = stores().build(directory, *args, *meta, "-t", registry.name("plain:1"), "--push")
    assert "jettison.cache" not in json.dumps(registry.inspect("plain:1", "--config", "--raw"))
    push = ("-t", image, "--push", "--cache-to", "type=inline")
    stores().build(directory, *args, *meta, *push)
    first = digest_of(tmp_path)
    assert "jettison.cache.v1" in registry.inspect("inline:1", "--config", "--raw")
    done = stores().build(directory, *args, *meta, *push, "--cache-from", image)
    assert executed(done) == [] and digest_of(tmp_path) == first
    done = stores().build(
        directory, *args, *meta, "--build-arg", "BUILDKIT_INLINE_CACHE=1", "--cache-from", image
    )
    assert executed(done) == [] and digest_of(tmp_path) == first
    assert (
        "warning"
        in stores().build(directory, *args, "--cache-from", registry.name("plain:1")).stderr
    )
    assert plain.returncode == 0


def test_several_platforms_share_a_cache(
    stores: Stores, context: Context, base: Path, tmp_path: Path
) -> None:
    directory = context(
        "FROM scratch AS files\nARG TARGETARCH\nCOPY $TARGETARCH /file\n"
        "FROM scratch\nCOPY --from=files /file /file\n",
        amd64="a\n",
        s390x="s\n",
    )
    meta = ("--metadata-file", tmp_path / "meta")
    platforms = ("--platform", "linux/amd64,linux/s390x")
    to = f"type=local,dest={tmp_path}/cache,mode=max"
    stores().build(directory, *platforms, *meta, "--cache-to", to)
    first = digest_of(tmp_path)
    flags = ("--cache-from", f"type=local,src={tmp_path}/cache")
    done = stores().build(directory, *platforms, *meta, *flags)
    assert executed(done) == [] and digest_of(tmp_path) == first


def test_the_store_keeps_what_was_pulled_and_promises_nothing_else(
    stores: Stores, context: Context, args: list[str], tmp_path: Path
) -> None:
    """Once the cache is gone: what was unpacked is a hit, the rest runs, and prune does no harm."""
    directory = context(STAGES, **files())
    cache = tmp_path / "cache"
    stores().build(directory, *args, "--cache-to", f"type=local,dest={cache},mode=max")
    flags = ("--cache-from", f"type=local,src={cache}")
    kept, image = stores(), stores()
    kept.build(directory, *args, *flags, "-o", f"type=local,dest={tmp_path}/out")
    image.build(directory, *args, *flags, "-t", "app")
    shutil.rmtree(cache)
    for runner in (kept, image):
        runner("prune", "--force")
    assert executed(kept.build(directory, *args, "-o", f"type=local,dest={tmp_path}/again")) == []
    for name in ("first", "second", "app/out"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    image("save", "-o", tmp_path / "app.tar", "app")
    assert problems(tmp_path / "app.tar") == []
    assert image("run", "--rm", "app", "cat", "/app/out").stdout == "x\n"
    done = image.build(directory, *args, *flags, "-t", "anew")
    assert "CacheImport" in done.stderr and len(executed(done)) == 8


@pytest.mark.parametrize("damage", ["missing", "truncated", "lying", "document", "no layout"])
@pytest.mark.parametrize("output", ["image", "files", "changed"])
def test_a_broken_cache_costs_time_and_nothing_else(
    damage: str, output: str, stores: Stores, context: Context, args: list[str], tmp_path: Path
) -> None:
    directory = context(STAGES, **files())
    cache = tmp_path / "cache"
    stores().build(directory, *args, "--cache-to", f"type=local,dest={cache},mode=max")
    break_cache(cache, damage)
    out = ("-o", f"type=local,dest={tmp_path}/out") if output == "files" else ("-t", "app")
    if output == "changed":  # new steps want what the cache promised, on disk, while they run
        more = "COPY --from=build /noise /noise\nRUN --mount=from=build,target=/b cat /b/out\n"
        context(STAGES + more, **files())
    runner = stores()
    done = runner.build(directory, *args, *out, "--cache-from", f"type=local,src={cache}")
    assert "CacheImport" in done.stderr
    assert any("/second" in name for name in executed(done))
    assert "Traceback" not in done.stderr
    again = runner.build(directory, *args, *out)
    assert executed(again) == [] or output == "image"


def break_cache(cache: Path, damage: str) -> None:
    blobs = cache / "blobs/sha256"
    root = json.loads((cache / "index.json").read_text())["manifests"][0]
    document = json.loads((blobs / root["digest"][7:]).read_text())
    paths = [blobs / layer["digest"][7:] for layer in document["layers"]]
    if damage == "no layout":
        (cache / "oci-layout").unlink()
    elif damage == "document":
        (blobs / document["config"]["digest"][7:]).write_text("{")
    elif damage == "missing":
        for path in paths:
            path.unlink()
    elif damage == "truncated":
        for path in paths:
            path.write_bytes(path.read_bytes()[:-3])
    else:
        lie(blobs, root, document, cache)


def lie(blobs: Path, root: dict[str, Any], document: dict[str, Any], cache: Path) -> None:
    """Every diff ID is wrong; all digests are right."""
    config = json.loads((blobs / document["config"]["digest"][7:]).read_text())
    for layer in config["layers"]:
        layer["diff_id"] = "sha256:" + hashlib.sha256(layer["diff_id"].encode()).hexdigest()
    document["config"].update(put(blobs, config))
    root.update(put(blobs, document))
    (cache / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))


def put(blobs: Path, value: dict[str, Any]) -> dict[str, Any]:
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def test_a_registry_that_fails_or_is_not_there(
    stores: Stores, context: Context, args: list[str], faulty: FaultProxy
) -> None:
    directory = context(STAGES, **files())
    cache = f"{faulty.host}/failing:cache"
    to = ("--cache-to", f"type=registry,ref={cache},mode=max")
    nobody = f"127.0.0.1:{free_port()}/x"
    stores().build(directory, *args, *to, "--cache-from", cache, "--cache-from", nobody)
    faulty.on("GET", "/blobs/sha256", Fault(status=403), times=1000)
    done = stores().build(directory, *args, "--cache-from", cache, "-t", "app")
    assert "CacheImport" in done.stderr and len(executed(done)) == 8


def test_an_export_that_fails(stores: Stores, context: Context, args: list[str]) -> None:
    directory = context(STAGES, **files())
    runner = stores()
    to = f"type=registry,ref=127.0.0.1:{free_port()}/x"
    done = runner.build(directory, *args, "-t", "app", "--cache-to", to, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    done = runner.build(directory, *args, "-t", "app", "--cache-to", f"{to},ignore-error=true")
    assert "CacheExport" in done.stderr
    assert runner.names() == ["app:latest"]


def test_compression_and_skopeo(
    stores: Stores, context: Context, args: list[str], registry: Registry, tmp_path: Path
) -> None:
    directory = context(STAGES, **files())
    cache = registry.name("zstd:cache")
    to = f"type=registry,ref={cache},mode=max,compression=zstd,oci-mediatypes=true"
    stores().build(directory, *args, "--cache-to", f"{to},image-manifest=true")
    document = manifest(registry, cache)
    assert {d["mediaType"].rpartition("+")[2] for d in document["layers"]} == {"zstd"}
    registry.save("zstd:cache", tmp_path / "copy")
    copy = f"type=local,src={tmp_path}/copy,tag=saved"
    assert executed(stores().build(directory, *args, "--cache-from", copy)) == []
    force = ("-o", f"type=oci,dest={tmp_path}/out.tar,compression=gzip,force-compression=true")
    assert executed(stores().build(directory, *args, "--cache-from", copy, *force)) == []
    assert problems(tmp_path / "out.tar") == []


def test_secrets_and_cache_mounts_stay_here(
    stores: Stores, context: Context, args: list[str], tmp_path: Path
) -> None:
    directory = context(
        "ARG BASE\nFROM $BASE\n"
        "RUN --mount=type=secret,id=s --mount=type=cache,target=/c "
        "echo cached-thing > /c/x; test -s /run/secrets/s && echo ok > /ok\n"
    )
    (tmp_path / "s").write_text("hidden-value")
    to = f"type=local,dest={tmp_path}/cache,mode=max,compression=uncompressed"
    stores().build(directory, *args, "--secret", f"id=s,src={tmp_path}/s", "--cache-to", to)
    found = b"".join(p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file())
    assert b"ok\n" in found
    assert b"hidden-value" not in found and b"cached-thing" not in found
