"""Executing RUN: a command in a container on the layers of its root."""

from __future__ import annotations

import os
import shlex
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from jettison.errors import Cancelled, OutOfMemoryError, RunError, StepError
from jettison.model.event import Observer, StepLog
from jettison.plan.steps import (
    BindMount,
    CacheMount,
    Local,
    Run,
    RunMount,
    SecretMount,
    SshMount,
    StepInfo,
    TmpfsMount,
)
from jettison.sandbox.container import (
    Bind,
    ContainerMount,
    SecretFile,
    SshSocket,
    Tmpfs,
    TreeBind,
    run_in,
)
from jettison.sandbox.limits import Limits
from jettison.sandbox.runtime import OnOutput, discard_output
from jettison.sandbox.spec import ContainerSpec
from jettison.solve.caches import cache_directory
from jettison.solve.lookup import Snapshot
from jettison.solve.trees import Trees
from jettison.store.faults import free_space, is_full

if TYPE_CHECKING:
    from jettison.fs.owners import UserIds
    from jettison.fs.tree import Tree
    from jettison.sandbox.runtime import Runtime
    from jettison.solve.solver import SnapshotOf
    from jettison.store.layers import Staging
    from jettison.store.store import Store

TAIL_LINES = 20
"""Lines of a failed command's output that its error repeats."""

_PIPES = "/dev/pipes"


class Grants(Struct, frozen=True):
    """What RUN steps may be given from outside.

    ``secret(id)`` is a secret's value, ``agent(id)`` the path of an ssh agent's socket; None if
    the build was given none of that id. ``ca_bundle`` is the host's, if it is to be shown.
    ``limits`` bound each step by itself. All this is no part of what a step is (for limits as in
    BuildKit, where they are metadata of a vertex).
    """

    secret: Callable[[str], bytes | None]
    agent: Callable[[str], str | None]
    ca_bundle: str | None = None
    limits: Limits = Limits()


OnFailure = Callable[[str, RunError, Callable[[], int]], None]
"""Told of a command that failed, while its mounts and caches are still there: the step's name, the
error, and what opens a shell where it failed, on this process's terminal, and returns when that
ends. Called in the thread of the step, perhaps of several at once.
"""


class CommandRunner:
    """Runs the RUN steps of one build."""

    def __init__(
        self,
        store: Store,
        trees: Trees,
        runtime: Callable[[], Runtime],
        grants: Grants,
        observer: Observer,
        cancel: threading.Event,
        *,
        log_directory: str,
        materialize: Callable[[Run, BindMount | CacheMount, Local], Snapshot],
        on_failure: OnFailure | None = None,
    ) -> None:
        self._store = store
        self._trees = trees
        self._runtime = runtime
        self._grants = grants
        self._observer = observer
        self._cancel = cancel
        self._log_directory = log_directory
        self._materialize = materialize
        self._on_failure = on_failure

    def run(
        self, step: Run, info: StepInfo, vertex: str, staging: Staging, snapshot_of: SnapshotOf
    ) -> None:
        """Run the command; what it changed is in ``staging.upper`` afterwards.

        Raises RunError if it ends with a status other than 0, StepError if it cannot be started
        as asked, Cancelled if the build was cancelled.
        """
        from jettison.fs.owners import resolve_user
        from jettison.fs.upper import Upper

        layers = snapshot_of(step.root) if step.root is not None else ()
        below = self._trees.stack(layers)
        Upper(below, str(staging.upper))  # gives the new layer the root's mode and owner
        user = resolve_user(below, step.user)
        with ExitStack() as stack, self._log(vertex) as log:
            env, mounts = self._mounts(step, stack, snapshot_of)
            spec = self._spec(step, info, env, user)
            contain = partial(self._contain, staging=staging, layers=layers, mounts=mounts)
            try:
                self._command(step, contain, spec, _Output(self._observer, vertex, log))
            except RunError as error:
                if self._on_failure is not None:
                    shell = replace(spec, args=(shell_of(step, below),), terminal=True)
                    self._on_failure(info.name, error, partial(contain, shell, inherit=True))
                raise

    def _command(
        self, step: Run, contain: Callable[..., int], spec: ContainerSpec, output: _Output
    ) -> None:
        killed, hint = "", _foreign(step)
        try:
            status = contain(spec, on_output=output)
        except OutOfMemoryError as error:
            status, killed, hint = error.status, f" ({error.message})", error.hint
        if self._cancel.is_set():
            raise Cancelled
        if status:
            raise RunError(
                f"process {_quoted(step)} did not complete successfully: exit code: {status}"
                + killed,
                status=status,
                tail=output.tail(),
                log=output.name,
                hint=self._full() or hint or self._limited(output.tail()),
            )

    def _full(self) -> str | None:
        """Why a command may have failed that does not say so: there was nothing to write to."""
        layers = self._store.paths.layers
        if not is_full(layers):
            return None
        return f"no space left on {layers} ({free_space(layers)}): jettison prune frees some"

    def _limited(self, tail: tuple[str, ...]) -> str | None:
        """What may have failed only because of the user who builds."""
        words = ("Invalid argument", "not permitted", "not mapped")
        if not self._runtime().host.single_id or not any(w in line for w in words for line in tail):
            return None
        return (
            "only one user id is mapped here, so chown to others and changing to them fail; "
            "subordinate ids mend that (see jettison doctor)"
        )

    def _contain(
        self,
        spec: ContainerSpec,
        *,
        staging: Staging,
        layers: Snapshot,
        mounts: list[ContainerMount],
        on_output: OnOutput = discard_output,
        inherit: bool = False,
    ) -> int:
        """Run a container on the step's root; the next one on it finds what this one left."""
        work, scratch = (Path(tempfile.mkdtemp(dir=staging.path)) for _ in range(2))
        return run_in(
            self._runtime(),
            spec,
            layers=layers,
            base=str(self._store.layers.path("")).rstrip("/"),
            upper=str(staging.upper),
            work=str(work),
            scratch=str(scratch),
            container_mounts=mounts,
            ca_bundle=self._grants.ca_bundle,
            on_output=on_output,
            cancel=self._cancel,
            inherit=inherit,
        )

    def _spec(
        self, step: Run, info: StepInfo, env: Mapping[str, str], user: UserIds
    ) -> ContainerSpec:
        variables = dict(step.env)
        variables.setdefault("HOME", user.home)
        variables.update(info.proxy)
        variables.update(env)
        return ContainerSpec(
            args=step.argv,
            env=tuple(variables.items()),
            cwd=step.cwd,
            uid=user.uid,
            gid=user.gid,
            groups=user.groups,
            hostname=step.hostname,
            network=step.network,
            insecure=step.insecure,
            shm_size=step.shm_size,
            ulimits=tuple((u.name, u.soft, u.hard) for u in step.ulimits),
            extra_hosts=step.extra_hosts,
            cgroup_parent=step.cgroup_parent,
            limits=self._grants.limits,
        )

    def _mounts(
        self, step: Run, stack: ExitStack, snapshot_of: SnapshotOf
    ) -> tuple[dict[str, str], list[ContainerMount]]:
        """The mounts of a step as the sandbox makes them, and the variables they bring."""
        env: dict[str, str] = {}
        mounts: list[ContainerMount] = [
            SecretFile(target=f"{_PIPES}/{file.name}", data=file.content, mode=0o755)
            for file in step.files
        ]
        # Caches are taken in the order of their ids, so that no two steps wait for each other.
        made: dict[RunMount, list[ContainerMount]] = {}
        for mount in sorted(step.mounts, key=lambda m: getattr(m, "id", "")):
            if mount not in made:
                made[mount] = list(self._mount(step, mount, stack, snapshot_of, env))
        for mount in step.mounts:
            mounts += made[mount]
        return env, mounts

    def _mount(
        self,
        step: Run,
        mount: RunMount,
        stack: ExitStack,
        snapshot_of: SnapshotOf,
        env: dict[str, str],
    ) -> Iterator[ContainerMount]:
        if isinstance(mount, TmpfsMount):
            yield Tmpfs(target=mount.target, size=mount.size, read_only=mount.read_only)
        elif isinstance(mount, BindMount):
            layers, source = self._tree(step, mount, snapshot_of)
            yield TreeBind(
                layers=layers, target=mount.target, source=source, read_only=mount.read_only
            )
        elif isinstance(mount, CacheMount):
            directory = stack.enter_context(self._cache(step, mount, snapshot_of))
            yield Bind(source=directory, target=mount.target, read_only=mount.read_only)
        elif isinstance(mount, SecretMount):
            yield from self._secret(mount, env)
        else:
            yield from self._ssh(mount, env)

    def _tree(
        self, step: Run, mount: BindMount | CacheMount, snapshot_of: SnapshotOf
    ) -> tuple[Snapshot, str]:
        """The layers a mount shows, and the path in them."""
        if mount.step is None:
            return (), mount.source
        if isinstance(mount.step, Local):
            return self._materialize(step, mount, mount.step), mount.source
        return snapshot_of(mount.step), mount.source

    def _cache(
        self, step: Run, mount: CacheMount, snapshot_of: SnapshotOf
    ) -> AbstractContextManager[str]:
        layers, _ = self._tree(step, mount, snapshot_of)
        return cache_directory(
            self._store.cache_mounts,
            mount,
            layers,
            self._trees.stack(layers),
            self._stop_if_cancelled,
        )

    def _stop_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _secret(self, mount: SecretMount, env: dict[str, str]) -> Iterator[ContainerMount]:
        value = self._grants.secret(mount.id)
        if value is None and mount.required:
            raise StepError(
                f"secret {mount.id}: not found",
                hint=f"pass it with --secret id={mount.id},src=FILE or ,env=VARIABLE",
            )
        if mount.env is not None:
            env[mount.env] = (value or b"").decode("utf-8", "surrogateescape")
        if mount.target is not None and value is not None:
            yield SecretFile(
                target=mount.target, data=value, uid=mount.uid, gid=mount.gid, mode=mount.mode
            )

    def _ssh(self, mount: SshMount, env: dict[str, str]) -> Iterator[ContainerMount]:
        env["SSH_AUTH_SOCK"] = mount.target
        agent = self._grants.agent(mount.id)
        if agent is not None:
            yield SshSocket(
                target=mount.target, agent=agent, uid=mount.uid, gid=mount.gid, mode=mount.mode
            )
        elif mount.required:
            raise StepError(
                f"no SSH key {mount.id!r} forwarded from the client",
                hint=f"pass it with --ssh {mount.id}",
            )

    @contextmanager
    def _log(self, vertex: str) -> Iterator[IO[bytes]]:
        path = os.path.join(self._log_directory, f"{vertex[:12]}.log")
        os.makedirs(self._log_directory, exist_ok=True)
        with open(path, "wb") as log:
            yield log


def shell_of(step: Run, tree: Tree) -> str:
    """The shell to look around with: the step's own, else the first that its root has."""
    own = step.argv[0] if step.argv[1:2] == ("-c",) else None
    for path in (own, "/bin/bash", "/bin/sh", "/bin/ash", "/busybox/sh"):
        if path is not None and tree.lstat(tree.resolve(path)) is not None:
            return path
    return own or "/bin/sh"


def _foreign(step: Run) -> str | None:
    """Why a failed command may never have had a chance: its platform needs an emulator.

    Only said afterwards: an image may claim a platform and hold programs that run here.
    """
    from jettison.sandbox.emulate import can_run

    answer = can_run(step.platform)
    return None if answer else answer.reason


class _Output:
    """Where a command's output goes: the observer, the log on disk, and the tail for an error."""

    def __init__(self, observer: Observer, vertex: str, log: IO[bytes]) -> None:
        self._observer = observer
        self._vertex = vertex
        self._log = log
        self._tail = bytearray()
        self._lock = threading.Lock()

    def __call__(self, stream: int, data: bytes) -> None:
        with self._lock:
            self._log.write(data)
            self._tail += data
            if len(self._tail) > 1 << 16:
                del self._tail[: -(1 << 15)]
        self._observer.emit(StepLog(self._vertex, stream, data))

    @property
    def name(self) -> str:
        """The log's path."""
        return self._log.name

    def tail(self) -> tuple[str, ...]:
        lines = bytes(self._tail).decode("utf-8", "replace").splitlines()
        return tuple(deque(lines, maxlen=TAIL_LINES))


def _quoted(step: Run) -> str:
    return '"' + " ".join(a if i else shlex.quote(a) for i, a in enumerate(step.argv)) + '"'
