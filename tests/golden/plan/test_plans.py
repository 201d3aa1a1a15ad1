"""Dockerfile -> steps, as text one can read. To change expectations, reason, then edit the text."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from jettison.dockerfile.parse import parse
from jettison.errors import NotFoundError
from jettison.model.digest import Digest, sha256_digest
from jettison.model.event import Silent
from jettison.model.oci import Descriptor, History, ImageConfig, RootFS, RunConfig
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan
from jettison.plan.steps import (
    BindMount,
    BuildPlan,
    CacheMount,
    Copy,
    FileSource,
    Git,
    Http,
    ImagePlan,
    Local,
    Merge,
    Mkdir,
    PathSource,
    Run,
    RunMount,
    SecretMount,
    Source,
    SshMount,
    Step,
)

HERE = Path(__file__).parent
AMD64 = Platform(architecture="amd64", os="linux")


class Registry:
    """Two images: debian, with a shell's worth of configuration, and one that has triggers."""

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        short = name.removeprefix("docker.io/library/").removesuffix(":latest")
        configs = {
            "debian": RunConfig(Env=("PATH=/usr/bin:/bin", "LANG=C"), Cmd=("bash",)),
            "triggers": RunConfig(
                Env=("PATH=/bin",),
                WorkingDir="/app",
                User="app",
                OnBuild=("ARG MODE=prod", "COPY . ."),
            ),
        }
        if short not in configs:
            raise NotFoundError(f"{name}: not found")
        config = ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            config=configs[short],
            history=(History(created_by=f"make {short}"),),
            rootfs=RootFS(diff_ids=(sha256_digest(f"{short} {platform}".encode()),)),
        )
        return ResolvedImage(short, Digest("sha256:" + "0" * 64), config, (), NoBlobs())


class NoBlobs:
    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        raise AssertionError("planning reads no layer")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.Dockerfile")), ids=lambda path: path.stem)
def test_plan(path: Path) -> None:
    text = path.read_text()
    options = PlanOptions(build_platform=AMD64)
    made = plan(parse(text, "Dockerfile"), options, Registry(), Silent())
    assert render(made) == path.with_suffix(".steps").read_text()


def render(plan: BuildPlan) -> str:
    """A plan as text: the steps in the order they are needed, numbered; then the image."""
    return "".join(_Renderer(plan).image(image) for image in plan.images)


class _Renderer:
    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan
        self._numbers: dict[Step, int] = {}
        self._lines: list[str] = []

    def image(self, image: ImagePlan) -> str:
        root = self._id(image.root)
        lines = [*self._lines, f"{image.platform}: {root}"]
        config = image.config.config
        for name in config.__struct_fields__:
            value = getattr(config, name)
            if value != getattr(RunConfig(), name):
                lines.append(f"  {name}: {value}")
        lines += [f"  author: {image.config.author}"] if image.config.author else []
        lines += [f"  | {entry.created_by}" for entry in image.config.history or ()]
        lines += [f"  {self._id(e.step):>4} {e.created_by}" for e in image.history]
        return "\n".join(lines) + "\n"

    def _id(self, step: Step | None) -> str:
        if step is None:
            return "-"
        if step not in self._numbers:
            body = self._body(step)
            number = self._numbers[step] = len(self._numbers) + 1
            name = self._plan.infos[step].name
            self._lines.append(f"#{number} {name}")
            self._lines += [f"    {line}" for line in body]
        return f"#{self._numbers[step]}"

    def _body(self, step: Step) -> list[str]:
        match step:
            case Source():
                source = self._plan.sources[step.diff_ids]
                other = source.config.architecture != AMD64.architecture
                return [f"image {source.name}" + f" for {source.config.platform}" * other]
            case Local(name=name):
                return [f"directory {name}"]
            case Http():
                return [f"fetch {step.url} as {step.filename} {step.checksum or ''}".rstrip()]
            case Git():
                line = f"clone {step.url} ref={step.ref} subdir={step.subdir}"
                return [line + " with .git" * step.keep_git_dir]
            case Mkdir():
                return [f"on {self._id(step.root)}: mkdir {step.path} for {step.user or 'root'}"]
            case Merge():
                return [f"on {self._id(step.root)}: lay {self._id(step.upper)}"]
            case Copy():
                return self._copy(step)
            case Run():
                return self._run(step)
        raise AssertionError(step)

    def _copy(self, step: Copy) -> list[str]:
        flags = [
            f"{name}={getattr(step, name)}"
            for name in ("chown", "chmod", "parents", "exclude")
            if getattr(step, name)
        ]
        head = f"on {self._id(step.root)}: copy to {step.dest}"
        return [" ".join([head, *flags]), *(self._source(source) for source in step.sources)]

    def _source(self, source: PathSource | FileSource) -> str:
        if isinstance(source, FileSource):
            return f"  file {source.name} {source.mode:o} {source.content!r}"
        words = [f"  {source.path} of {self._id(source.step)}"]
        words += [n for n in ("wildcard", "unpack", "reset_owner") if getattr(source, n)]
        return " ".join(words)

    def _run(self, step: Run) -> list[str]:
        lines = [f"on {self._id(step.root)}: run {list(step.argv)}"]
        lines.append(f"  in {step.cwd} as {step.user or 'root'}")
        lines += [f"  {key}={value}" for key, value in step.env]
        lines += [f"  {self._mount(mount)}" for mount in step.mounts]
        lines += [self._source(file) for file in step.files]
        lines += [f"  {n}" for n in ("insecure",) if getattr(step, n)]
        lines += [f"  network {step.network}"] if step.network != "default" else []
        return lines

    def _mount(self, mount: RunMount) -> str:
        if isinstance(mount, BindMount):
            mode = "ro" if mount.read_only else "rw"
            return f"bind {mount.source} of {self._id(mount.step)} at {mount.target} {mode}"
        if isinstance(mount, CacheMount):
            line = f"cache {mount.id} at {mount.target} {mount.sharing} {mount.mode:o}"
            line += f" {mount.uid}:{mount.gid}" if mount.uid or mount.gid else ""
            return line + " ro" * mount.read_only
        if isinstance(mount, SecretMount | SshMount):
            kind = "secret" if isinstance(mount, SecretMount) else "ssh"
            line = f"{kind} {mount.id}" + (f" at {mount.target}" if mount.target else "")
            line += f" as ${mount.env}" if isinstance(mount, SecretMount) and mount.env else ""
            return line + " required" * mount.required
        return f"tmpfs at {mount.target}" + (f" of {mount.size}" if mount.size else "")
