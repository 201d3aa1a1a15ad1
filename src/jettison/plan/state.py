"""What a stage has become after some of its instructions."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from jettison.dockerfile.instructions import ArgValue
from jettison.model.oci import ImageConfig, RunConfig
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.model.span import Span
from jettison.plan.configs import valid
from jettison.plan.outline import Capture
from jettison.plan.steps import HistoryEntry, Step

DEFAULT_SHELL = ("/bin/sh", "-c")


class Tree(Struct, frozen=True):
    """Files to copy or mount: those of ``step`` (None: no files).

    ``foreign`` if they come from the client, where owners mean nothing.
    """

    step: Step | None
    foreign: bool = False


class StageState(Struct, kw_only=True):
    """``env`` is what expansion and RUN see: the image's variables and the declared ARGs.

    ``args`` are the ARGs declared so far, also in the stages this one is based on. ``last`` holds
    where CMD, ENTRYPOINT and HEALTHCHECK stood last in this stage.
    """

    platform: Platform
    image: ImageConfig
    root: Step | None = None
    base: ResolvedImage | None = None
    history: list[HistoryEntry] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    args: list[ArgValue] = field(default_factory=list)
    absolute_workdir: bool = False
    """WORKDIR has been given in this Dockerfile, so relative ones are well defined."""
    last: dict[str, Span] = field(default_factory=dict)
    capture: Capture = field(default_factory=Capture)
    """What this stage takes from outside, for `outline`."""

    @property
    def config(self) -> RunConfig:
        return self.image.config

    @property
    def shell(self) -> tuple[str, ...]:
        return self.config.Shell or DEFAULT_SHELL

    @property
    def workdir(self) -> str:
        return self.config.WorkingDir or "/"

    def configure(self, **changes: Any) -> None:
        """Set fields of the image's run configuration."""
        config = msgspec.structs.replace(self.image.config, **changes)
        self.image = msgspec.structs.replace(self.image, config=config)

    def set_author(self, author: str) -> None:
        self.image = msgspec.structs.replace(self.image, author=author)

    def set_env(self, key: str, value: str) -> None:
        """Set a variable for expansion and RUN; it moves behind all others, as in BuildKit."""
        self.env.pop(key, None)
        self.env[key] = value

    def record(self, created_by: str, step: Step | None = None) -> None:
        """Add a line to the history; with ``step`` the stage's files are now what it makes."""
        self.history.append(HistoryEntry(created_by=valid(created_by), step=step))
        if step is not None:
            self.root = step

    def derive(self) -> StageState:
        """The state in which a stage based on this one begins (its ONBUILDs are not inherited)."""
        child = replace(
            self,
            history=list(self.history),
            env=dict(self.env),
            args=list(self.args),
            last={},
        )
        child.configure(OnBuild=None)
        return child
