"""``jettison base`` on a small signed archive: all that is in the image, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.debarchive import DebArchive, Key
from tests.integration.support.runner import SOURCE, Jettison
from tests.integration.support.users import ordinary_user

PEM = (
    "-----BEGIN CERTIFICATE-----\n"
    + base64.encodebytes(b"der").decode()
    + ("-----END CERTIFICATE-----\n")
)
SPEC = """\
description: A small base
contents:
  packages: [app, ca-certificates]
  exclude:
    debconf: asks questions
accounts:
  run-as: nonroot
  users: [{username: nonroot, uid: 65532}]
paths:
  - {path: /data, type: directory, uid: 65532, gid: 65532, permissions: 0o750}
  - {path: /data/empty, type: empty-file}
  - {path: /usr/bin/other, type: hardlink, source: /usr/bin/echo}
  - {path: "/opt/${arch}", type: symlink, source: "/usr/lib/${multiarch}"}
  - {path: /etc/app.conf, type: permissions, permissions: 0o600, gid: 65532}
remove: [/usr/share/app/more*]
environment: {PATH: /usr/bin}
entrypoint: {command: /usr/bin/echo hello}
work-dir: /data
volumes: [/data]
stop-signal: SIGINT
annotations: {org.example.team: ours}
debug: {packages: [busybox-static], entrypoint: {command: /busybox/sh}}
"""
LATER = "import time; now = time.time; time.time = lambda: now() + 400 * 86400"
EPOCH = 1_700_000_000  # of the packages' files


@dataclass
class Place:
    """A directory with a spec, the archive it is made of, and the command line."""

    path: Path
    archive: DebArchive
    jettison: Jettison

    @property
    def line(self) -> str:
        return (
            f"deb [signed-by={self.archive.key.keyring}] file://{self.archive.root} bookworm main"
        )

    @property
    def spec(self) -> Path:
        return self.path / "small.yaml"

    @property
    def lock(self) -> Path:
        return self.path / "small.lock.json"

    def locked(self) -> Place:
        self.jettison("base", "lock", self.spec, "--archive", self.line, "--arch", "amd64,arm64")
        return self

    def build(self, *flags: str, spec: str = "", runner: Jettison | None = None) -> Image:
        out = self.path / f"out-{len(list(self.path.glob('out-*')))}.tar"
        run = runner or self.jettison
        done = run("base", "build", spec or self.spec, "-q", "-o", out, *flags)
        return Image(out, done.stdout.strip(), done.stderr)


@dataclass
class Image:
    """An OCI archive that was made."""

    path: Path
    digest: str
    stderr: str

    def blob(self, digest: str) -> bytes:
        with tarfile.open(self.path) as tar:
            file = tar.extractfile("blobs/" + digest.replace(":", "/"))
            assert file is not None
            return file.read()

    def document(self, digest: str = "") -> Any:
        return json.loads(self.blob(digest or self.digest))

    def config(self) -> Any:
        return self.document(self.document()["config"]["digest"])

    def layer(self) -> tarfile.TarFile:
        (layer,) = self.document()["layers"]
        return tarfile.open(fileobj=io.BytesIO(self.blob(layer["digest"])))

    def read(self, path: str) -> str:
        with self.layer() as tar:
            file = tar.extractfile(path)
            assert file is not None
            return file.read().decode()

    def lines(self) -> list[str]:
        """Everything in the layer, as ``/path: kind mode uid:gid``."""
        with self.layer() as tar:
            return [f"/{m.name}: {_kind(m)} {m.uid}:{m.gid}" for m in tar]

    def times(self) -> set[int]:
        with self.layer() as tar:
            return {int(member.mtime) for member in tar}


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym():
        return f"-> {member.linkname}"
    if member.islnk():
        return f"= {member.linkname}"
    return f"{'dir' if member.isdir() else 'file'} {member.mode:04o}"


def add_packages(archive: DebArchive) -> None:
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    for architecture in ("amd64", "arm64"):
        archive.add(
            "app",
            architecture=architecture,
            fields="Depends: lib (>= 1), debconf\n",
            files={
                "etc/app.conf": "x\n",
                "usr/share/app/data": "data\n",
                "usr/share/app/more-of-it/a": "a\n",
                "usr/share/doc/app/README": "read\n",
                "usr/share/doc/app/copyright": "free\n",
                "usr/share/man/man1/app.1": "manual\n",
            },
            programs={"bin/echo": busybox},
            scripts={"postinst": "#!/bin/sh\nset -e\nadduser --system app\n"},
        )
        archive.add(
            "busybox-static", architecture=architecture, files={}, programs={"bin/busybox": busybox}
        )
        archive.add(
            "lib",
            "1",
            architecture,
            files={"lib/libx.so.1.0": "elf\n", "lib/libx.a": "ar\n"},
            links={"lib/libx.so.1": "libx.so.1.0", "usr/share/doc/lib": "app"},
        )
    archive.add("debconf", architecture="all", files={"usr/bin/debconf": "#!/bin/sh\n"})
    archive.add(
        "ca-certificates",
        architecture="all",
        files={f"usr/share/ca-certificates/m/{name}.crt": PEM for name in "ba"},
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, key: Key) -> DebArchive:
    root = tmp_path_factory.mktemp("small") / "debian"
    made = DebArchive(root, key, date="Mon, 01 Jan 2024 00:00:00 UTC")
    add_packages(made)
    made.publish()
    return made


@pytest.fixture
def place(tmp_path: Path, archive: DebArchive) -> Iterator[Place]:
    (tmp_path / "small.yaml").write_text(SPEC)
    runner = Jettison(tmp_path / "store", {"TZ": "UTC"})
    yield Place(tmp_path, archive, runner)


def test_the_tree_of_an_image(place: Place) -> None:
    image = place.locked().build("--arch", "amd64")
    assert (
        image.lines()
        == """\
/bin: -> usr/bin 0:0
/data: dir 0750 65532:65532
/data/empty: file 0644 0:0
/dev: dir 0755 0:0
/etc: dir 0755 0:0
/etc/app.conf: file 0600 0:65532
/etc/group: file 0644 0:0
/etc/nsswitch.conf: file 0644 0:0
/etc/passwd: file 0644 0:0
/etc/ssl: dir 0755 0:0
/etc/ssl/certs: dir 0755 0:0
/etc/ssl/certs/ca-certificates.crt: file 0644 0:0
/home: dir 0755 0:0
/home/nonroot: dir 0700 65532:65532
/lib: -> usr/lib 0:0
/lib64: -> usr/lib64 0:0
/opt: dir 0755 0:0
/opt/amd64: -> /usr/lib/x86_64-linux-gnu 0:0
/proc: dir 0755 0:0
/root: dir 0700 0:0
/run: dir 0755 0:0
/run/lock: dir 1777 0:0
/sbin: -> usr/sbin 0:0
/sys: dir 0755 0:0
/tmp: dir 1777 0:0
/usr: dir 0755 0:0
/usr/bin: dir 0755 0:0
/usr/bin/echo: file 0755 0:0
/usr/bin/other: = usr/bin/echo 0:0
/usr/lib: dir 0755 0:0
/usr/lib/libx.so.1: -> libx.so.1.0 0:0
/usr/lib/libx.so.1.0: file 0644 0:0
/usr/lib/ssl: dir 0755 0:0
/usr/lib/ssl/cert.pem: -> /etc/ssl/certs/ca-certificates.crt 0:0
/usr/lib/ssl/certs: -> /etc/ssl/certs 0:0
/usr/lib64: dir 0755 0:0
/usr/sbin: dir 0755 0:0
/usr/share: dir 0755 0:0
/usr/share/app: dir 0755 0:0
/usr/share/app/data: file 0644 0:0
/usr/share/ca-certificates: dir 0755 0:0
/usr/share/ca-certificates/m: dir 0755 0:0
/usr/share/ca-certificates/m/a.crt: file 0644 0:0
/usr/share/ca-certificates/m/b.crt: file 0644 0:0
/usr/share/doc: dir 0755 0:0
/usr/share/doc/app: dir 0755 0:0
/usr/share/doc/app/copyright: file 0644 0:0
/usr/share/doc/lib: -> app 0:0
/var: dir 0755 0:0
/var/lib: dir 0755 0:0
/var/lib/dpkg: dir 0755 0:0
/var/lib/dpkg/status.d: dir 0755 0:0
/var/lib/dpkg/status.d/app: file 0644 0:0
/var/lib/dpkg/status.d/app.md5sums: file 0644 0:0
/var/lib/dpkg/status.d/ca-certificates: file 0644 0:0
/var/lib/dpkg/status.d/ca-certificates.md5sums: file 0644 0:0
/var/lib/dpkg/status.d/lib: file 0644 0:0
/var/lib/dpkg/status.d/lib.md5sums: file 0644 0:0
/var/lock: -> /run/lock 0:0
/var/run: -> /run 0:0
/var/tmp: dir 1777 0:0
""".splitlines()
    )
    assert image.times() == {EPOCH}


def test_files_that_scripts_would_have_made(place: Place) -> None:
    image = place.locked().build("--arch", "amd64")
    assert image.read("etc/passwd").splitlines() == [
        "root:x:0:0:root:/root:/sbin/nologin",
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin",
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin",
    ]
    assert image.read("etc/group").splitlines() == [
        "root:x:0:", "nogroup:x:65534:", "nonroot:x:65532:",
    ]  # fmt: skip
    assert image.read("etc/ssl/certs/ca-certificates.crt") == PEM * 2
    assert "hosts:          files dns\n" in image.read("etc/nsswitch.conf")


def test_the_package_database_names_what_is_there(place: Place) -> None:
    image = place.locked().build("--arch", "amd64")
    status = image.read("var/lib/dpkg/status.d/app")
    assert status.startswith("Package: app\nVersion: 1\nArchitecture: amd64\n")
    assert status.endswith("Depends: lib (>= 1), debconf\n")
    sums = image.read("var/lib/dpkg/status.d/app.md5sums").splitlines()
    assert [line.partition("  ")[2] for line in sums] == [
        "etc/app.conf", "usr/bin/echo", "usr/share/app/data", "usr/share/doc/app/copyright",
    ]  # fmt: skip
    assert hashlib.md5(b"data\n").hexdigest() + "  usr/share/app/data" in sums


def test_the_config_is_what_the_spec_says(place: Place) -> None:
    image = place.locked().build("--arch", "arm64")
    config = image.config()
    lock = "sha256:" + hashlib.sha256(place.lock.read_bytes()).hexdigest()
    annotations = {
        "dev.jettison.base.lock": lock,
        "org.example.team": "ours",
        "org.opencontainers.image.description": "A small base",
    }
    assert (config["architecture"], config["os"]) == ("arm64", "linux")
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["config"] == {
        "User": "65532:65532",
        "Env": ["PATH=/usr/bin"],
        "Entrypoint": ["/usr/bin/echo", "hello"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/data",
        "Labels": annotations,
        "StopSignal": "SIGINT",
    }
    assert image.document()["annotations"] == annotations
    assert [entry["created_by"] for entry in config["history"]] == [
        f"jettison base build {place.spec.name}"
    ]
    assert "/lib64: -> usr/lib64 0:0" not in image.lines()
    assert "/opt/arm64: -> /usr/lib/aarch64-linux-gnu 0:0" in image.lines()


def test_several_architectures_are_an_index(place: Place) -> None:
    image = place.locked().build()
    assert len(image.document()["layers"]) == 1
    both = place.build("--arch", "amd64,arm64").document()
    assert [m["platform"]["architecture"] for m in both["manifests"]] == ["amd64", "arm64"]


def test_one_lock_is_one_image_whoever_builds_it_wherever_and_whenever(
    place: Place, tmp_path: Path
) -> None:
    first = place.locked().build("--arch", "amd64,arm64").digest
    assert place.build("--arch", "amd64,arm64").digest == first
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "sitecustomize.py").write_text(LATER)
    paths = {"PYTHONPATH": f"{tmp_path}/later:{SOURCE}", "TZ": "Asia/Tokyo", "LANG": "C"}
    elsewhere = Jettison(tmp_path / "another-store", paths)
    assert place.build("--arch", "amd64,arm64", runner=elsewhere).digest == first


@pytest.mark.root
def test_an_ordinary_user_makes_the_same_image(place: Place) -> None:
    with ordinary_user() as user:
        root = Path(shutil.copytree(place.archive.root, user.home / "archive"))
        shutil.copy(place.archive.key.keyring, user.home)
        line = f"deb [signed-by={user.home}/keyring.gpg] file://{root} bookworm main"
        place.jettison("base", "lock", place.spec, "--archive", line, "--arch", "amd64")
        for name in ("small.yaml", "small.lock.json"):
            shutil.copy(place.path / name, user.home)
        user.own(user.home)
        spec = user.home / "small.yaml"
        done = user.jettison()("base", "build", spec, "-q", "--arch", "amd64")
        assert done.stdout.strip() == place.build("--arch", "amd64").digest


def test_no_index_is_asked_once_there_is_a_lock(place: Place, tmp_path: Path) -> None:
    place.locked()
    dists = place.archive.root / "dists"
    dists.rename(tmp_path / "dists")
    try:
        assert place.build("--arch", "amd64").digest.startswith("sha256:")
    finally:
        (tmp_path / "dists").rename(dists)


@pytest.mark.parametrize("change", ["lock", "spec", "package"])
def test_what_was_tampered_with_is_refused_and_nothing_is_made(place: Place, change: str) -> None:
    place.locked()
    package = next(place.archive.root.rglob("lib_1_amd64.deb"))
    before = package.read_bytes()
    if change == "lock":
        place.lock.write_text(place.lock.read_text().replace('"lib"', '"bil"'))
    elif change == "spec":
        place.spec.write_text(SPEC.replace("[app,", "[lib, app,"))
    else:
        package.write_bytes(before[:-1] + b"?")
    try:
        flags = ("-t", "small", "--arch", "amd64")
        done = place.jettison("base", "build", place.spec, *flags, check=False)
    finally:
        package.write_bytes(before)
    assert done.returncode == 1
    expected = {
        "lock": "is not as it was written",
        "spec": "the lock is of another spec",
        "package": "the file is not the one that was pinned",
    }
    assert expected[change] in done.stderr
    assert "Traceback" not in done.stderr
    assert place.jettison("images", "-q").stdout == ""


def test_scripts_that_do_more_are_told(place: Place) -> None:
    done = place.locked().jettison("base", "build", place.spec, "--arch", "amd64")
    text = "app's postinst does what nothing declares here: adduser --system app"
    assert text in done.stderr
    assert "lib's" not in done.stderr


def test_libraries_that_only_a_cache_would_find_are_told(tmp_path: Path, key: Key) -> None:
    archive = DebArchive(tmp_path / "debian", key, date="Mon, 01 Jan 2024 00:00:00 UTC")
    archive.add("far", "1", "all", files={"etc/ld.so.conf.d/far.conf": "/usr/lib/far\n"})
    archive.publish()
    (tmp_path / "small.yaml").write_text("contents: {packages: [far]}\n")
    place = Place(tmp_path, archive, Jettison(tmp_path / "store")).locked()
    done = place.jettison("base", "build", place.spec, "--arch", "amd64")
    assert "far's ld.so.conf.d does what nothing declares here: /usr/lib/far" in done.stderr


@pytest.mark.userns
def test_scanners_see_the_packages(place: Place) -> None:
    place.locked().jettison("base", "build", place.spec, "-t", "small", "--arch", "amd64")
    (place.path / "Dockerfile").write_text("FROM small\n")
    out = place.path / "scanned"
    place.jettison("build", "--sbom=true", "-o", f"type=local,dest={out}", place.path)
    (sbom,) = out.glob("sbom*.json")
    found = json.loads(sbom.read_text())["predicate"]["packages"]
    assert {"app", "ca-certificates", "lib"} <= {package["name"] for package in found}


def test_the_debug_twin_has_the_same_packages_and_a_shell(place: Place) -> None:
    image = place.locked().build("--arch", "amd64", spec=f"{place.spec}:debug")
    plain = place.build("--arch", "amd64")
    more = set(image.lines()) - set(plain.lines())
    assert "/busybox/sh: -> /usr/bin/busybox 0:0" in more
    assert "/usr/bin/busybox: file 0755 0:0" in more
    assert set(plain.lines()) < set(image.lines())
    assert image.config()["config"]["Entrypoint"] == ["/busybox/sh"]
    assert image.config()["config"]["Env"] == ["PATH=/usr/bin:/busybox"]
    assert not [line for line in plain.lines() if "busybox" in line]


@pytest.mark.userns
def test_an_image_runs_and_is_a_base_for_plain_dockerfiles(place: Place) -> None:
    place.locked().jettison("base", "build", place.spec, "-t", "small", "--arch", "amd64")
    assert place.jettison("run", "small").stdout == "hello\n"
    (place.path / "Dockerfile").write_text(
        'FROM small\nCOPY --chown=65532 small.yaml /data/x\nENTRYPOINT ["/usr/bin/echo", "mine"]\n'
    )
    place.jettison("build", "-t", "mine", place.path)
    assert place.jettison("run", "mine").stdout == "mine\n"


def test_source_date_epoch_is_the_latest_time(place: Place) -> None:
    place.locked()
    early = place.jettison.having({"SOURCE_DATE_EPOCH": "1600000000"})
    image = place.build("--arch", "amd64", runner=early)
    assert image.times() == {1_600_000_000}
    assert image.config()["created"] == "2020-09-13T12:26:40Z"
    done = early("base", "build", place.spec, check=False, SOURCE_DATE_EPOCH="soon")
    assert done.returncode == 2
    assert "SOURCE_DATE_EPOCH is no number of seconds" in done.stderr


def test_what_a_base_is_made_of_is_shown(place: Place) -> None:
    done = place.jettison("base", "show", place.spec, "--archive", place.line, "--format", "json")
    shown = json.loads(done.stdout)
    assert shown["Locked"] is False
    assert [(p["Name"], p["Chain"]) for p in shown["Packages"]] == [
        ("app", ["app"]),
        ("ca-certificates", ["ca-certificates"]),
        ("lib", ["app", "lib"]),
    ]
    assert shown["LeftOut"] == ["debconf: asks questions"]
    place.locked()
    text = place.jettison("base", "show", f"{place.spec}:debug").stdout
    assert [line.split()[0] for line in text.splitlines()] == [
        "PACKAGE", "app", "busybox-static", "ca-certificates", "lib", "left",
    ]  # fmt: skip


def test_without_a_lock_the_newest_is_taken_and_told(place: Place) -> None:
    done = place.jettison("base", "build", place.spec, "--archive", place.line, "--arch", "amd64")
    assert "there is no lock" in done.stderr
    lost = place.jettison("base", "build", place.spec, "--lock", "no.json", check=False)
    assert lost.returncode == 1
    assert "no lock no.json" in lost.stderr


@pytest.mark.parametrize(
    ("fields", "winner"),
    [("", ""), ("Replaces: one (<< 2)\n", "two"), ("Replaces: one (<< 1)\n", "")],
)
def test_two_packages_with_one_file(tmp_path: Path, key: Key, fields: str, winner: str) -> None:
    archive = DebArchive(tmp_path / "debian", key, date="Mon, 01 Jan 2024 00:00:00 UTC")
    archive.add("one", "1", "all", files={"usr/share/x/file": "one\n", "usr/share/x/own": "1\n"})
    archive.add("two", "1", "all", fields=fields, files={"usr/share/x/file": "two\n"})
    archive.publish()
    (tmp_path / "small.yaml").write_text("contents: {packages: [two, one]}\n")
    place = Place(tmp_path, archive, Jettison(tmp_path / "store"))
    place.locked()
    if winner:
        image = place.build("--arch", "amd64")
        assert image.read("usr/share/x/file") == "two\n"
        sums = image.read("var/lib/dpkg/status.d/one.md5sums")
        assert [line.partition("  ")[2] for line in sums.splitlines()] == ["usr/share/x/own"]
        return
    done = place.jettison("base", "build", place.spec, "--arch", "amd64", check=False)
    assert done.returncode == 1
    assert "both one and two have a file /usr/share/x/file" in done.stderr


def test_hostile_packages_stay_inside(tmp_path: Path, key: Key) -> None:
    archive = DebArchive(tmp_path / "debian", key, date="Mon, 01 Jan 2024 00:00:00 UTC")
    archive.add("one", "1", "all", files={}, links={"etc/out": "../../../../usr/share"})
    archive.add("base-files", "1", "all", files={"usr/share/here": "x\n"})
    archive.add("two", "1", "all", files={"etc/out/evil": "x\n"})
    archive.publish()
    (tmp_path / "small.yaml").write_text("contents: {packages: [base-files, two, one]}\n")
    place = Place(tmp_path, archive, Jettison(tmp_path / "store")).locked()
    image = place.build("--arch", "amd64")
    assert "/usr/share/evil: file 0644 0:0" in image.lines()
    assert "evil" not in os.listdir("/usr/share")


def test_the_catalogue_is_listed_and_names_are_suggested(tmp_path: Path) -> None:
    jettison = Jettison(tmp_path / "store")
    rows = [
        json.loads(line)
        for line in jettison("base", "ls", "--format", "json").stdout.split("\n")[:-1]
    ]
    assert {"static", "java17", "python3"} <= {row["Name"] for row in rows}
    done = jettison("base", "build", "statc", check=False)
    assert done.returncode == 1
    assert "did you mean static?" in done.stderr
    done = jettison("base", "build", "static", "--arch", "amd46", check=False)
    assert done.returncode == 2
    assert "did you mean amd64 or arm64?" in done.stderr
