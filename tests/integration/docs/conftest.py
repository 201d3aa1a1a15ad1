"""A store with a small stand-in for Debian, and a project for the commands to work on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from jettison.sandbox.tinyelf import program
from tests.integration.docs.blocks import ROOT
from tests.integration.support.layouts import Entry, busybox_entries, make_tar

APPLETS = "chmod find grep head printf sed sort tail tar tee test true wc"
FAKES = {
    "apt-get": "#!/bin/sh\necho apt-get $*\n",
    "bash": '#!/bin/sh\nexec sh "$@"\n',
    "curl": "#!/bin/sh\necho curl $*\n",
    # go build … -o FILE …: the program that comes out ends at once, with status 0.
    "go": '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\ncp /usr/lib/nothing "$2"\n',
}
DATA = ("etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo/UTC")
DOCKERFILE = """\
FROM debian:12 AS test
RUN echo passed >/passed

FROM scratch AS binaries
COPY --from=test /passed /bin/app

FROM debian:12
COPY --from=test /passed /passed
ENTRYPOINT ["/bin/echo"]
"""


@dataclass(frozen=True)
class Place:
    """Where the commands of one page run: a copy of the project, a copy of the store."""

    directory: Path
    environ: dict[str, str]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{command}"], cwd=self.directory, env=self.environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60,
        )  # fmt: skip


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in's root file system, a tar."""
    path = tmp_path_factory.mktemp("debian") / "root.tar"
    path.write_bytes(make_tar(_debian()))
    return path


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory, debian: Path) -> Place:
    """A store that holds debian:bookworm, debian:12 and app, and the project."""
    place = _place(tmp_path_factory.mktemp("docs"), debian)
    _make_project(place)
    for command in (
        "scripts/debian-base bookworm",
        "jettison tag debian:bookworm debian:12",
        "jettison build -t app .",
    ):
        done = place.run(command)
        assert done.returncode == 0, done.stdout
    return place


@pytest.fixture
def place(stand_in: Place, tmp_path: Path, debian: Path) -> Place:
    """A fresh copy of all of it."""
    mine = _place(tmp_path, debian)
    subprocess.run(["cp", "-a", stand_in.environ["JETTISON_ROOT"], tmp_path / "store"], check=True)
    subprocess.run(["cp", "-a", stand_in.directory, tmp_path], check=True)
    return mine


def _place(base: Path, debian: Path) -> Place:
    programs = base / "programs"
    programs.mkdir()
    for name, text in {
        "jettison": f'exec {sys.executable} -m jettison "$@"',
        # Writes the stand-in where the script wants Debian.
        "mmdebstrap": f'for a; do case $a in *.tar) cp {debian} "$a" ;; esac; done',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    environ = {
        "JETTISON": "jettison",
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(base),
        "JETTISON_ROOT": str(base / "store"),
        "LC_ALL": "C.UTF-8",
    }
    return Place(base / "project", environ)


def _make_project(place: Place) -> None:
    place.directory.mkdir()
    for name in ("examples", "scripts"):
        shutil.copytree(ROOT / name, place.directory / name)
    (place.directory / "Dockerfile").write_text(DOCKERFILE)
    author = "-c user.name=docs -c user.email=docs@localhost"
    done = place.run(f"git init -q . && git add . && git {author} commit -q -m docs")
    assert done.returncode == 0, done.stdout


def _debian() -> list[Entry]:
    """What of Debian the documented builds touch, on busybox."""
    directories = "etc/ssl etc/ssl/certs usr usr/bin usr/lib usr/local usr/local/bin usr/share"
    nothing = program("amd64")
    assert nothing is not None
    return [
        *busybox_entries(),
        *(Entry(name) for name in [*directories.split(), "usr/share/zoneinfo"]),
        *(Entry(f"usr/bin/{name}", link="/bin/busybox") for name in APPLETS.split()),
        *(Entry(f"usr/bin/{name}", text.encode()) for name, text in FAKES.items()),
        *(Entry(name, b"data\n", mode=0o644) for name in DATA),
        # tinyelf's program, with mov edi,0 for its mov edi,42
        Entry("usr/lib/nothing", nothing.replace(b"\xbf\x2a", b"\xbf\x00")),
    ]
