"""RUN --mount."""

from __future__ import annotations

import posixpath

from jettison.dockerfile.instructions import Mount, Run
from jettison.dockerfile.mounts import parse_mount
from jettison.dockerfile.text import quoted
from jettison.errors import PlanError
from jettison.model.span import Span
from jettison.plan.build import StageBuild
from jettison.plan.state import Tree
from jettison.plan.steps import (
    BindMount,
    CacheMount,
    RunMount,
    SecretMount,
    SshMount,
    TmpfsMount,
)

_SECRETS = "/run/secrets/"
_SSH_SOCKET = "/run/buildkit/ssh_agent."


def plan_mounts(build: StageBuild, instruction: Run) -> tuple[RunMount, ...]:
    """The mounts of a RUN, with the files behind them."""
    words = build.words(instruction)
    typed = [
        parse_mount(text, expand=words.word, span=instruction.span)
        for text in instruction.mount_texts
    ]
    build.report_undefined(words)
    trees = build.references(instruction, "mount")
    planner = _MountPlanner(build, instruction.span)
    return tuple(planner.plan(mount, tree) for mount, tree in zip(typed, trees, strict=True))


class _MountPlanner:
    def __init__(self, build: StageBuild, span: Span) -> None:
        self._build = build
        self._span = span
        self._sockets = 0

    def plan(self, mount: Mount, tree: Tree | None) -> RunMount:
        match mount.type:
            case "secret":
                return self._secret(mount)
            case "ssh":
                return self._ssh(mount)
            case "tmpfs":
                return TmpfsMount(
                    target=self._target(mount),
                    size=int(mount.size or 0),
                    read_only=bool(mount.read_only),
                )
            case "cache":
                return self._cache(mount, tree)
            case _:
                return self._bind(mount, tree)

    def _target(self, mount: Mount) -> str:
        target = self._absolute(mount.target or "")
        if target == "/":
            raise PlanError(f"invalid mount target {quoted(target)}", span=self._span)
        return target

    def _absolute(self, path: str) -> str:
        joined = posixpath.join(self._build.state.workdir, path)
        return posixpath.normpath("/" + joined.lstrip("/"))

    def _bind(self, mount: Mount, tree: Tree | None) -> BindMount:
        return BindMount(
            target=self._target(mount),
            step=(tree or self._build.shared.context).step,
            source=_source(mount),
            read_only=mount.read_only is not False,
        )

    def _cache(self, mount: Mount, tree: Tree | None) -> CacheMount:
        namespace = self._build.shared.build_args.get("BUILDKIT_CACHE_MOUNT_NS", "")
        name = mount.id or posixpath.normpath(mount.target or "/")
        return CacheMount(
            target=self._target(mount),
            id=f"{namespace}/{name}" if namespace else name,
            sharing=mount.sharing or "shared",
            step=None if tree is None else tree.step,
            source=_source(mount),
            read_only=bool(mount.read_only),
            uid=int(mount.uid or 0),
            gid=int(mount.gid or 0),
            mode=int(mount.mode, 8) if mount.mode else 0o755,
        )

    def _secret(self, mount: Mount) -> SecretMount:
        name = mount.source or mount.id or posixpath.basename(mount.target or "")
        if not name:
            raise PlanError("one of source, target required", span=self._span)
        target = mount.target
        if not target and mount.env is None:
            target = _SECRETS + posixpath.basename(name)
        return SecretMount(
            id=name,
            target=self._absolute(target) if target else None,
            env=mount.env,
            required=mount.required,
            uid=int(mount.uid or 0),
            gid=int(mount.gid or 0),
            mode=int(mount.mode, 8) if mount.mode else 0o400,
        )

    def _ssh(self, mount: Mount) -> SshMount:
        if mount.source:
            raise PlanError("ssh does not support source", span=self._span)
        target = self._absolute(mount.target) if mount.target else f"{_SSH_SOCKET}{self._sockets}"
        self._sockets += 1
        return SshMount(
            id=mount.id or "default",
            target=target,
            required=mount.required,
            uid=int(mount.uid or 0),
            gid=int(mount.gid or 0),
            mode=int(mount.mode, 8) if mount.mode else 0o600,
        )


def _source(mount: Mount) -> str:
    return posixpath.normpath("/" + (mount.source or "").lstrip("/"))
