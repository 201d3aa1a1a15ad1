"""The command line, run as a process on a store of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jettison.image.archive import open_archive
from jettison.image.validate import validate

APPLETS = "sh cat cp echo env false grep head id ls mkdir mv printf pwd rm seq sha256sum sleep \
sort stat tail test touch true tr uname wc".split()
SOURCE = Path(__file__).parents[3] / "src"


@dataclass
class Jettison:
    """Runs the command line on one store. ``prefix`` comes before it (``setpriv`` and the like)."""

    store: Path
    environ: dict[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    python: str = sys.executable

    def having(self, environ: dict[str, str]) -> Jettison:
        """The same with more environment variables."""
        return replace(self, environ={**self.environ, **environ})

    def command(self, *arguments: str | Path) -> list[str]:
        return [*self.prefix, self.python, "-m", "jettison", *map(str, arguments)]

    def environment(self, **env: str) -> dict[str, str]:
        own = {"JETTISON_ROOT": str(self.store), "PYTHONPATH": str(SOURCE)}
        return {**os.environ, **own, **self.environ, **env}

    def raw(
        self, *arguments: str | Path, stdin: bytes = b"", check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end; standard output as it is."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(**env),
            input=stdin,
            capture_output=True,
            timeout=300,
        )
        if check:
            assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done

    def __call__(
        self, *arguments: str | Path, check: bool = True, stdin: bytes | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = self.raw(*arguments, stdin=stdin or b"", check=check, **env)
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def build(
        self,
        context: Path | str,
        *arguments: str | Path,
        check: bool = True,
        stdin: bytes | None = None,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        flags = ("--progress", "plain", *arguments)
        return self("build", *flags, context, check=check, stdin=stdin, **env)

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("inspect", name).stdout)[0]
        return found

    def names(self) -> list[str]:
        """``repository:tag`` of all images of the store, sorted."""
        lines = self("images", "--format", "json").stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        return sorted(f"{row['Repository']}:{row['Tag']}" for row in rows)


def problems(path: Path) -> list[str]:
    """What `jettison.image.validate` finds in all images of an archive, layout or store."""
    with open_archive(str(path)) as archive:
        images = archive.images()
        assert images, f"{path} holds no image"
        found = [f for image in images for f in validate(archive, image.descriptor)]
    return [f"{finding.code}: {finding.message}" for finding in found]


def write_rootfs(path: Path) -> None:
    """A tar of the smallest root file system with a shell: static busybox."""
    busybox = shutil.which("busybox")
    assert busybox is not None, "install busybox-static"
    with tarfile.open(path, "w") as tar:
        # dev, proc and sys are there already, as RUN would leave them behind.
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(directory)
        tar.add(busybox, "bin/busybox", filter=_by_root)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)


def _by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def build_base(jettison: Jettison, work: Path, rootfs: Path) -> None:
    """Build the image ``base``: busybox, with a shell."""
    context = work / "base"
    context.mkdir()
    shutil.copy(rootfs, context)
    (context / "Dockerfile").write_text(
        'FROM scratch\nADD rootfs.tar /\nENV PATH=/bin\nCMD ["sh"]\n'
    )
    jettison.build(context, "-t", "base")
