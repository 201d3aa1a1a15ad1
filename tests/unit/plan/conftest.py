"""Planning for tests: images that exist only as configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import pytest

from jettison.dockerfile.parse import parse
from jettison.errors import NotFoundError
from jettison.model.digest import sha256_digest
from jettison.model.event import Event, Warned
from jettison.model.oci import Descriptor, History, ImageConfig, RootFS, RunConfig
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan
from jettison.plan.steps import BuildPlan

AMD64 = Platform(architecture="amd64", os="linux")


class Images:
    """An ImageSource of made-up images, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self._configs: dict[str, tuple[RunConfig, int]] = {}
        self._only: dict[str, Platform] = {}
        self.add("base", Env=("PATH=/bin", "FROM_BASE=yes"), Cmd=("run-base",))

    def add(self, name: str, layers: int = 1, only: Platform | None = None, **config: Any) -> None:
        self._configs[name] = (RunConfig(**config), layers)
        if only is not None:
            self._only[name] = only

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        short = name.removeprefix("docker.io/library/").removesuffix(":latest")
        self.asked.append((short, str(platform)))
        if short not in self._configs:
            raise NotFoundError(f"{name}: not found")
        run_config, layers = self._configs[short]
        offered = self._only.get(short, platform)
        config = ImageConfig(
            architecture=offered.architecture,
            os=offered.os,
            variant=offered.variant,
            created="2020-01-01T00:00:00Z",
            author="somebody",
            config=run_config,
            history=(History(created_by=f"make {short}"),) * layers,
            rootfs=RootFS(
                diff_ids=tuple(sha256_digest(f"{short} {n}".encode()) for n in range(layers))
            ),
        )
        return ResolvedImage(short, sha256_digest(name.encode()), config, (), _NoBlobs())


class _NoBlobs:
    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        raise AssertionError("planning reads no layer")


class Warnings:
    """An observer that keeps ``(rule, line)`` of each warning."""

    def __init__(self) -> None:
        self.events: list[Warned] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.events.append(event)

    @property
    def rules(self) -> list[tuple[str, int]]:
        return [(event.code, event.span.line if event.span else 0) for event in self.events]


@pytest.fixture
def images() -> Images:
    return Images()


@pytest.fixture
def warnings() -> Warnings:
    return Warnings()


@pytest.fixture
def planned(images: Images, warnings: Warnings) -> Callable[..., BuildPlan]:
    """Plans a Dockerfile given as text, with PlanOptions as keywords."""

    def make(text: str, **options: Any) -> BuildPlan:
        options.setdefault("build_platform", AMD64)
        dockerfile = parse(text, "Dockerfile")
        return plan(dockerfile, PlanOptions(**options), images, warnings)

    return make
