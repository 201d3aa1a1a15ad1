"""The commands about images, registries and the host: what they ask the app, what they print."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from jettison.app import images as app_images
from jettison.app.request import Check, PruneReport, PruneRequest
from jettison.cli.main import run
from jettison.errors import NotFoundError, StoreError

HEX = "0123456789abcdef" * 4


def row(repository: str, tag: str, days: float = 3, size: int = 4_260_000) -> app_images.ImageRow:
    created = (datetime.now(UTC) - timedelta(days=days)).isoformat() if days else ""
    return app_images.ImageRow(
        repository, tag, f"sha256:{HEX}", f"sha256:{HEX[::-1]}", created, size, ("linux/amd64",)
    )


ROWS = [
    row("busybox", "1"),
    row("registry.example/team/application", "latest", 100, 77_812_345),
    row("<none>", "<none>", 0, 10),
]


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_images(*, environ: Mapping[str, str]) -> list[app_images.ImageRow]:
        return ROWS

    monkeypatch.setattr(app_images, "list_images", list_images)


Out = pytest.CaptureFixture[str]


def test_images_as_docker_lists_them(listed: None, capfd: Out) -> None:
    assert run(["images"]) == 0
    assert capfd.readouterr().out == (
        "REPOSITORY                          TAG       IMAGE ID       CREATED        SIZE\n"
        "busybox                             1         0123456789ab   3 days ago     4.26MB\n"
        "registry.example/team/application   latest    0123456789ab   3 months ago   77.8MB\n"
        "<none>                              <none>    0123456789ab   N/A            10B\n"
    )


def test_images_quiet_prints_each_id_once(listed: None, capfd: Out) -> None:
    assert run(["images", "-q"]) == 0
    assert capfd.readouterr().out == f"{HEX[:12]}\n"
    assert run(["images", "-q", "--no-trunc"]) == 0
    assert capfd.readouterr().out == f"sha256:{HEX}\n"


def test_images_as_json_lines(listed: None, capfd: Out) -> None:
    assert run(["images", "--format", "json", "busybox"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found.pop("CreatedAt").endswith("+00:00")
    assert found == {
        "Repository": "busybox",
        "Tag": "1",
        "ID": HEX[:12],
        "Digest": f"sha256:{HEX[::-1]}",
        "CreatedSince": "3 days ago",
        "Size": 4_260_000,
        "Platforms": ["linux/amd64"],
    }


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (["busybox"], ["busybox"]),
        (["busybox:1"], ["busybox"]),
        (["busybox:2"], []),
        (["-f", "reference=busy*"], ["busybox"]),
        (["*"], ["busybox", "<none>"]),
        (["registry.example/*/app*"], ["registry.example/team/application"]),
        (["registry.example/*"], []),
        (["-f", "dangling=true"], ["<none>"]),
        (["-f", "dangling=false"], ["busybox", "registry.example/team/application"]),
    ],
)
def test_images_filters(listed: None, capfd: Out, args: list[str], names: list[str]) -> None:
    assert run(["images", *args]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()[1:]] == names


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-f", "since=x"], "invalid filter 'since=x'"),
        (["-f", "dangling=perhaps"], "invalid value 'perhaps'"),
        (["--format", "{{.ID}}"], "Go templates are not supported"),
        (["--format", "xml"], "invalid value 'xml' for --format"),
    ],
)
def test_images_wrong_flags(listed: None, capfd: Out, args: list[str], message: str) -> None:
    assert run(["images", *args]) == 2
    assert message in capfd.readouterr().err


def test_images_of_a_new_store_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Out
) -> None:
    monkeypatch.setenv("JETTISON_ROOT", str(tmp_path / "store"))
    assert run(["images", "-q"]) == 0
    assert capfd.readouterr() == ("", "")


def test_rm_goes_on_after_what_is_not_there(monkeypatch: pytest.MonkeyPatch, capfd: Out) -> None:
    def remove(names: list[str], *, environ: Mapping[str, str]) -> list[str]:
        if names == ["missing"]:
            raise NotFoundError("no image missing in the store")
        return [f"{name}:latest" for name in names]

    monkeypatch.setattr(app_images, "remove", remove)
    assert run(["rm", "a", "missing", "b"]) == 1
    said = capfd.readouterr()
    assert said.out == "Untagged: a:latest\nUntagged: b:latest\n"
    assert said.err == "error: no image missing in the store\n"
    assert run(["rmi", "-f", "missing", "a"]) == 0


def test_rm_force_forgives_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(names: list[str], *, environ: Mapping[str, str]) -> list[str]:
        raise StoreError("disk full")

    monkeypatch.setattr(app_images, "remove", remove)
    assert run(["rm", "-f", "a"]) == 1


def test_inspect_is_an_array_or_lines(monkeypatch: pytest.MonkeyPatch, capfd: Out) -> None:
    def inspect(name: str, *, environ: Mapping[str, str], platform: Any = None) -> dict[str, Any]:
        if name == "missing":
            raise NotFoundError("no image missing in the store")
        return {"Id": name, "Platform": str(platform)}

    monkeypatch.setattr(app_images, "inspect", inspect)
    assert run(["inspect", "a", "missing"]) == 1
    said = capfd.readouterr()
    assert said.out == '[\n    {\n        "Id": "a",\n        "Platform": "None"\n    }\n]\n'
    assert said.err == "error: no image missing in the store\n"
    assert run(["inspect", "--format=json", "--platform", "linux/arm64", "a", "b"]) == 0
    assert [json.loads(line) for line in capfd.readouterr().out.splitlines()] == [
        {"Id": "a", "Platform": "linux/arm64"},
        {"Id": "b", "Platform": "linux/arm64"},
    ]
    assert run(["inspect", "--format", "{{.Id}}", "a"]) == 2
    assert run(["inspect", "--type", "container", "a"]) == 2


def test_pull_and_push_print_the_full_name(monkeypatch: pytest.MonkeyPatch, capfd: Out) -> None:
    asked: list[dict[str, Any]] = []

    def transfer(name: str, observer: Any, **rest: Any) -> str:
        asked.append({"name": name, **rest})
        return "sha256:0"

    monkeypatch.setattr(app_images, "pull", transfer)
    monkeypatch.setattr(app_images, "push", transfer)
    assert run(["pull", "--platform", "linux/arm64", "busybox"]) == 0
    assert run(["pull", "-q", "--all-platforms", "r.example/x@sha256:" + HEX]) == 0
    assert run(["push", "r.example:5000/x:1"]) == 0
    assert capfd.readouterr().out.split() == [
        "docker.io/library/busybox:latest",
        f"r.example/x@sha256:{HEX}",
        "r.example:5000/x:1",
    ]
    assert str(asked[0]["platform"]) == "linux/arm64"
    assert (asked[1]["platform"], asked[1]["all_platforms"]) == (None, True)
    assert not any(call["cancel"].is_set() for call in asked)


@pytest.mark.parametrize(
    "args",
    [
        ["pull"],
        ["pull", "-a", "x"],
        ["pull", "--all-platforms", "--platform", "linux/amd64", "x"],
        ["pull", "--platform", "linux/amd64,linux/arm64", "x"],
        ["push", "--all-tags", "x"],
        ["tag", "x"],
        ["save"],
        ["save", "--format", "zip", "-o", "x", "a"],
        ["login", "-u", "a", "-p", "b", "--password-stdin"],
        ["login", "--password-stdin"],
        ["completion", "tcsh"],
        ["prune", "--filter", "label=x"],
        ["prune", "--filter", "until=soon"],
        ["prune", "--keep-storage", "much"],
    ],
)
def test_wrong_command_lines(args: list[str], capfd: Out) -> None:
    assert run(args) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("error: ")


def test_an_invalid_name_is_refused_before_anything_is_asked(capfd: Out) -> None:
    assert run(["pull", "Upper/Case"]) == 1
    assert capfd.readouterr().err.startswith("hint: a repository name is lower case\n")


def test_load_prints_what_it_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Out
) -> None:
    def load(stream: IO[bytes], observer: Any, *, environ: Mapping[str, str]) -> list[str]:
        return stream.read().decode().split()

    monkeypatch.setattr(app_images, "load", load)
    (tmp_path / "a.tar").write_text("x:1 y:2")
    assert run(["load", "-i", str(tmp_path / "a.tar")]) == 0
    assert capfd.readouterr().out == "Loaded image: x:1\nLoaded image: y:2\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"z:3")))
    assert run(["load", "-q"]) == 0
    assert capfd.readouterr().out == "z:3\n"
    assert run(["load", "-i", str(tmp_path / "none.tar")]) == 1
    assert "cannot read" in capfd.readouterr().err


def test_save_replaces_the_file_only_when_it_is_complete(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def save(names: list[str], out: IO[bytes], *, environ: Any, format: str) -> None:
        out.write(f"{format} {names}".encode())
        if "bad" in names:
            raise NotFoundError("no image bad in the store")

    monkeypatch.setattr(app_images, "save", save)
    target = tmp_path / "a.tar"
    assert run(["save", "-o", str(target), "x", "y"]) == 0
    assert target.read_text() == "docker ['x', 'y']"
    assert run(["save", "-o", str(target), "--format", "oci", "bad"]) == 1
    assert target.read_text() == "docker ['x', 'y']"
    assert os.listdir(tmp_path) == ["a.tar"]
    assert run(["save", "-o", str(tmp_path / "no" / "dir"), "x"]) == 1
    assert run(["save", "-o", "/dev/null", "x"]) == 0
    assert Path("/dev/null").is_char_device()


def test_save_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def save(names: list[str], out: IO[bytes], *, environ: Any, format: str) -> None:
        out.write(b"\xff\x00")

    monkeypatch.setattr(app_images, "save", save)
    assert run(["save", "x"]) == 0
    assert capfdbinary.readouterr() == (b"\xff\x00", b"")


REPORT = PruneReport((("layer", "l1", 2_000_000), ("image", "sha256:ab", 500)), 2_000_500)


@pytest.fixture
def pruned(monkeypatch: pytest.MonkeyPatch) -> list[PruneRequest]:
    asked: list[PruneRequest] = []

    def prune(request: PruneRequest, *, environ: Mapping[str, str]) -> PruneReport:
        asked.append(request)
        return REPORT

    module = SimpleNamespace(prune=prune)
    monkeypatch.setitem(sys.modules, "jettison.app.prune", module)
    return asked


def test_prune_reports_what_is_gone(pruned: list[PruneRequest], capfd: Out) -> None:
    assert run(["prune", "-f"]) == 0
    assert capfd.readouterr().out == (
        "KIND      ID          SIZE\n"
        "layer     l1          2MB\n"
        "image     sha256:ab   500B\n"
        "\n"
        "Total reclaimed space: 2MB\n"
    )
    assert pruned == [PruneRequest()]


def test_prune_flags(pruned: list[PruneRequest], capfd: Out) -> None:
    args = ["-a", "-f", "--filter", "until=24h", "--keep-storage", "10gb", "--format", "json"]
    assert run(["prune", *args]) == 0
    assert pruned == [PruneRequest(all=True, unused_for=86400, keep_bytes=10 << 30)]
    assert json.loads(capfd.readouterr().out) == {
        "Removed": [
            {"Kind": "layer", "ID": "l1", "Size": 2_000_000},
            {"Kind": "image", "ID": "sha256:ab", "Size": 500},
        ],
        "SpaceReclaimed": 2_000_500,
    }


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("", 1)])
def test_prune_asks_first(
    pruned: list[PruneRequest],
    monkeypatch: pytest.MonkeyPatch,
    capfd: Out,
    answer: str,
    status: int,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert run(["prune"]) == status
    assert bool(pruned) is (status == 0)
    assert "Are you sure you want to continue? [y/N] " in capfd.readouterr().err


def test_doctor_shows_what_mends_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: Out
) -> None:
    def doctor(*, environ: Mapping[str, str]) -> list[Check]:
        return [Check("kernel", True, "6.1"), Check("newuidmap", False, "absent", "apt-get x")]

    module = SimpleNamespace(doctor=doctor)
    monkeypatch.setitem(sys.modules, "jettison.app.doctor", module)
    assert run(["doctor"]) == 1
    assert capfd.readouterr().out == (
        "ok    kernel     6.1\nFAIL  newuidmap  absent\n      mend: apt-get x\n\n1 check failed\n"
    )
    assert run(["doctor", "--format", "json"]) == 1
    assert json.loads(capfd.readouterr().out)[1]["Mend"] == "apt-get x"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    asked: list[tuple[str, ...]] = []

    def login(server: str, username: str, password: str, *, environ: Mapping[str, str]) -> None:
        asked.append((server, username, password))

    def logout(server: str, *, environ: Mapping[str, str]) -> bool:
        asked.append((server,))
        return server == "docker.io"

    module = SimpleNamespace(login=login, logout=logout)
    monkeypatch.setitem(sys.modules, "jettison.app.login", module)
    return asked


def test_login_and_logout(
    registry: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capfd: Out
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("se cret \n"))
    assert run(["login", "-u", "me", "--password-stdin", "r.example"]) == 0
    assert run(["login", "-u", "me", "-p", "x"]) == 0
    assert run(["logout"]) == 0
    assert run(["logout", "r.example"]) == 0
    assert registry == [
        ("r.example", "me", "se cret "),
        ("docker.io", "me", "x"),
        ("docker.io",),
        ("r.example",),
    ]
    said = capfd.readouterr()
    assert said.out.splitlines() == [
        "Login Succeeded",
        "Login Succeeded",
        "Removed login credentials for docker.io",
        "Not logged in to r.example",
    ]
    assert "use --password-stdin" in said.err


def test_login_asks_only_on_a_terminal(
    registry: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capfd: Out
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("me\n"))
    assert run(["login"]) == 2
    assert "no terminal" in capfd.readouterr().err
    assert registry == []


def test_version_as_json(capfd: Out) -> None:
    assert run(["version", "--format", "json"]) == 0
    assert set(json.loads(capfd.readouterr().out)) == {"Version", "Python", "Platform", "Kernel"}
