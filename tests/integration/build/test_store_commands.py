"""images, tag, rm, inspect, save, load, prune and doctor on a real store."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.runner import Jettison, build_base, problems

pytestmark = pytest.mark.root


@pytest.fixture
def own(tmp_path: Path, rootfs: Path) -> Iterator[Jettison]:
    """A store that is one test's own, with the image ``base``."""
    work = tmp_path / "own"
    work.mkdir()
    runner = Jettison(work / "store")
    build_base(runner, work, rootfs)
    yield runner
    assert problems(runner.store) == []


def rows(jettison: Jettison, *flags: str) -> list[dict[str, Any]]:
    lines = jettison("images", "--format", "json", *flags).stdout.splitlines()
    return [json.loads(line) for line in lines]


def disk_use(store: Path) -> int:
    """Bytes of the regular files of a store, without its database."""
    parts = (store / "blobs", store / "layers", store / "mounts")
    files = (p for part in parts for p in part.rglob("*") if p.is_file() and not p.is_symlink())
    return sum(p.stat().st_size for p in files)


def test_names(own: Jettison, context: Callable[..., Path]) -> None:
    own.build(context("FROM base\nLABEL a=b\n"), "-t", "app", "-t", "host.example:5000/app:2")
    image_id = own.inspect("app")["Id"]
    own("tag", "app", "app:other")
    own("tag", image_id, "by/id")
    short = image_id.removeprefix("sha256:")[:12]
    own("tag", short, "by/short:id")
    assert own.names() == [
        "app:latest",
        "app:other",
        "base:latest",
        "by/id:latest",
        "by/short:id",
        "host.example:5000/app:2",
    ]
    assert own("images", "-q", "app").stdout == f"{short}\n"
    table = own("images").stdout.splitlines()
    assert table[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert len(table) == 7
    done = own("rm", "app:other", "by/id", "by/short:id", "app:none", check=False)
    assert done.returncode == 1
    assert "app:none" in done.stderr
    assert own.names() == ["app:latest", "base:latest", "host.example:5000/app:2"]
    own("rm", "app", "host.example:5000/app:2")
    assert own("inspect", image_id, check=False).returncode == 1
    assert own.names() == ["base:latest"]
    for bad in ("UPPER", "a b", "app:latest@sha256:12", ":x"):
        done = own("tag", "base", bad, check=False)
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
    assert own.names() == ["base:latest"]


def test_a_name_that_moves_leaves_a_dangling_image(
    own: Jettison, context: Callable[..., Path]
) -> None:
    own.build(context("FROM base\nRUN echo 1 > /file\n"), "-t", "app")
    before = own.inspect("app")
    own.build(context("FROM base\nRUN echo 2 > /file\n"), "-t", "app")
    assert own.names() == ["<none>:<none>", "app:latest", "base:latest"]
    assert [r["Digest"] for r in rows(own, "--filter", "dangling=true")] == [before["Digest"]]
    assert own("run", before["Id"], "cat", "/file").stdout == "1\n"
    own("prune", "-f")
    assert own.names() == ["app:latest", "base:latest"]
    assert own("run", "app", "cat", "/file").stdout == "2\n"


def test_inspect_is_docker_s(own: Jettison, context: Callable[..., Path]) -> None:
    text = (
        "FROM base\nRUN echo x > /x\nENV A=1\nEXPOSE 80/tcp\nVOLUME /v\nUSER 5:6\nWORKDIR /w\n"
        'LABEL l="a b"\nSTOPSIGNAL SIGINT\nENTRYPOINT ["/e"]\nCMD ["c"]\n'
        "HEALTHCHECK --interval=5s CMD true\n"
    )
    own.build(context(text), "-t", "app:1", "-t", "app:2")
    seen = own.inspect("app:1")
    assert seen["RepoTags"] == ["app:1", "app:2"]
    assert (seen["Os"], seen["Architecture"]) == ("linux", "amd64")
    assert seen["Config"] == {
        "Env": ["PATH=/bin", "A=1"],
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/v": {}},
        "User": "5:6",
        "WorkingDir": "/w",
        "Labels": {"l": "a b"},
        "StopSignal": "SIGINT",
        "Entrypoint": ["/e"],
        "Cmd": ["c"],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000},
    } | {k: v for k, v in seen["Config"].items() if k in ("ArgsEscaped", "OnBuild")}
    assert len(seen["RootFS"]["Layers"]) == 3  # base, RUN, WORKDIR
    config = own.store / "blobs" / seen["Id"].replace(":", "/")
    assert json.loads(config.read_bytes())["config"]["User"] == "5:6"
    assert seen["Size"] == sum(layer["size"] for layer in seen["Layers"])


def test_save_and_load(own: Jettison, context: Callable[..., Path], tmp_path: Path) -> None:
    own.build(context("FROM base\nRUN echo 1 > /file\n"), "-t", "app:1", "-t", "app:2")
    for form in ("docker", "oci"):
        archive = tmp_path / f"{form}.tar"
        own("save", "--format", form, "-o", archive, "app:1", "app:2", "base")
        assert problems(archive) == []
        other = Jettison(tmp_path / form)
        done = other("load", "-i", archive)
        assert {"app:1", "app:2"} <= set(re.findall(r"app:\d", done.stdout))
        assert other.names() == ["app:1", "app:2", "base:latest"]
        assert other.inspect("app:1")["Id"] == own.inspect("app:1")["Id"]
        assert other("run", "app:1", "cat", "/file").stdout == "1\n"
        assert problems(other.store) == []
    piped = own.raw("save", "app:1").stdout
    other = Jettison(tmp_path / "piped")
    other("load", stdin=piped)
    assert other.names() == ["app:1"]
    # What is loaded is a base that needs no registry.
    other.build(context("FROM app:1\nRUN cat /file > /again\n"), "-t", "derived")
    assert other("run", "derived", "cat", "/again").stdout == "1\n"


def test_load_of_what_is_no_archive(own: Jettison, tmp_path: Path) -> None:
    whole = own.raw("save", "base").stdout
    (tmp_path / "text").write_text("text")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "text", "text")
    for data in (b"", b"nonsense", (tmp_path / "other.tar").read_bytes(), whole[: len(whole) // 2]):
        done = own("load", stdin=data, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert own.names() == ["base:latest"]
    done = own("save", "-o", tmp_path / "out.tar", "base", "none", check=False)
    assert done.returncode == 1
    assert not (tmp_path / "out.tar").exists()


def cached(stderr: str) -> int:
    return len(re.findall(r"^#\d+ CACHED", stderr, re.MULTILINE))


def test_prune_frees_what_nothing_needs(own: Jettison, context: Callable[..., Path]) -> None:
    kept = "FROM base\nRUN echo kept > /kept\nRUN seq 1 9 > /seq\n"
    own.build(context(kept), "-t", "kept")
    first = own.inspect("kept")
    before = disk_use(own.store)
    big = "FROM base\nRUN busybox dd if=/dev/urandom of=/big bs=1024 count=8192\n"
    own.build(context(big), "-t", "big")
    with_big = disk_use(own.store)
    assert with_big > before + 2 * (8 << 20)  # the layer and its blob
    own("rm", "big")
    done = own("prune", "--all", "-f")
    assert re.search(r"(?i)reclaimed space: 1[6-9]", done.stdout + done.stderr), done.stdout
    assert disk_use(own.store) < before + (1 << 20)
    assert own.inspect("kept") == first
    assert own("run", "kept", "cat", "/kept").stdout == "kept\n"
    assert problems(own.store) == []
    own.build(context(kept), "-t", "kept")
    assert own("run", "kept", "cat", "/kept").stdout == "kept\n"


def test_a_build_is_still_cached_after_prune_of_other_things(
    own: Jettison, context: Callable[..., Path]
) -> None:
    kept = "FROM base AS made\nRUN seq 1 99 > /made\nFROM base\nCOPY --from=made /made /\n"
    own.build(context(kept), "-t", "kept")
    first = own.inspect("kept")
    own.build(context("FROM base\nRUN echo dangling > /1\n"), "-t", "other")
    own.build(context("FROM base\nRUN echo more > /2\n"), "-t", "other")
    own("rm", "other")
    own("prune", "-f")
    again = own.build(context(kept), "-t", "kept")
    assert own.inspect("kept") == first
    assert cached(again.stderr) >= 2
    assert not re.search(r"^#\d+ \d+\.\d+ ", again.stderr, re.MULTILINE)


def test_prune_by_age_and_size(own: Jettison, context: Callable[..., Path]) -> None:
    own.build(context("FROM base\nRUN echo 1 > /1\n"), "-o", "type=image,store=false")
    full = disk_use(own.store)
    own("prune", "-f", "--filter", "until=24h")
    assert disk_use(own.store) == full  # all of it was just used
    own("prune", "-f", "--max-used-space", "1b")
    assert disk_use(own.store) <= full
    assert own("run", "base", "echo", "works").stdout == "works\n"
    done = own("prune", "-f", "--filter", "until=yesterdayish", check=False)
    assert done.returncode == 2


def test_everything_goes(own: Jettison, context: Callable[..., Path]) -> None:
    text = "FROM base\nRUN --mount=type=cache,target=/c echo cached > /c/file\n"
    own.build(context(text), "-t", "app")
    own("rm", "app", "base")
    own("prune", "--all", "-f")
    assert own.names() == []
    for part in ("layers", "blobs/sha256", "tmp"):
        assert os.listdir(own.store / part) == []
    with tarfile.open(own.store.parent / "base/rootfs.tar") as tar:
        assert "bin/busybox" in tar.getnames()
    own.build(own.store.parent / "base", "-t", "base")
    assert own("run", "base", "echo", "again").stdout == "again\n"


def test_prune_asks(own: Jettison) -> None:
    """Without -f and without a terminal nobody can say yes."""
    done = own("prune", "--all", check=False)
    assert done.returncode in (1, 2)
    assert own.names() == ["base:latest"]


def test_a_store_copied_elsewhere_is_read(own: Jettison, tmp_path: Path) -> None:
    """It is an OCI layout: ``load`` and other tools take it as it is."""
    copied = tmp_path / "copied"
    shutil.copytree(own.store, copied, symlinks=True)
    subprocess.run(["tar", "-C", copied, "-cf", tmp_path / "layout.tar", "."], check=True)
    other = Jettison(tmp_path / "other")
    other("load", "-i", tmp_path / "layout.tar")
    assert other.inspect("base")["Digest"] == own.inspect("base")["Digest"]


def test_doctor(own: Jettison) -> None:
    done = own("doctor", check=False)
    assert done.returncode in (0, 1)
    checks = json.loads(own("doctor", "--format", "json", check=False).stdout)
    by_name = {check["Name"]: check for check in checks}
    assert by_name["overlay"]["OK"]
    assert any(name.startswith("runtime ") and by_name[name]["OK"] for name in by_name)
    assert all(check["Mend"] for check in checks if not check["OK"])
    hidden = own("doctor", check=False, PATH="/nonexistent")
    assert hidden.returncode == 1
    assert "Traceback" not in hidden.stderr


def test_a_store_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/photos").write_text("somebody's")
    for place in ("file", "full", "file/below"):
        done = Jettison(tmp_path / place)("images", check=False)
        assert done.returncode == 1, place
        assert str(tmp_path / place) in done.stderr
        assert "Traceback" not in done.stderr
