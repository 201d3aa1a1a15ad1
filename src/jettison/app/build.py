"""``jettison build``: from a request to images."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jettison.app.ahead import Ahead, chains
from jettison.app.context import BuildContext, ignore_file, materialize, open_context
from jettison.app.grants import Agents, secret_reader
from jettison.app.request import BuildRequest, BuildResult
from jettison.app.session import Session, open_session
from jettison.app.sources import BaseImages, classify
from jettison.app.space import bounds_of
from jettison.errors import SandboxError, StoreError
from jettison.fs.context import ContextTree
from jettison.fs.patterns import read_ignorefile
from jettison.model.event import Observer
from jettison.model.platform import Platform, make_platform
from jettison.plan.options import (
    NamedContext,
    NamedGit,
    NamedImage,
    NamedLocal,
    NamedScratch,
    PlanOptions,
)
from jettison.plan.planner import CONTEXT
from jettison.plan.steps import BuildPlan, Git, Http, Step

if TYPE_CHECKING:
    from jettison.sandbox.runtime import Runtime
    from jettison.solve.bench import Bench
    from jettison.solve.remote import Remotes
    from jettison.solve.running import CommandRunner, OnFailure

_SYNC_SECONDS, _SYNC_SHARE = 0.5, 0.05
"""How long a build waits at its end for the disk: seconds at least, share of the build's time."""


def build(
    request: BuildRequest,
    observer: Observer,
    *,
    environ: Mapping[str, str],
    cancel: threading.Event,
    on_failure: OnFailure | None = None,
) -> BuildResult:
    """Build what is asked for; the outputs are written when this returns, or not at all.

    ``on_failure`` may look at the container of a RUN that failed. Raises JettisonError for
    everything the user can mend, Cancelled once ``cancel`` is set and everything has stopped.
    """
    with open_session(environ) as session, ExitStack() as stack:
        return _Build(request, observer, session, cancel, stack, on_failure).run()


def check(
    request: BuildRequest,
    observer: Observer,
    *,
    environ: Mapping[str, str],
    cancel: threading.Event,
) -> None:
    """Plan what `build` would build, all stages if no target is named, and make nothing: what the
    build checks find goes to ``observer``.

    Raises what `build` raises up to there.
    """
    with open_session(environ) as session, ExitStack() as stack:
        _Build(request, observer, session, cancel, stack).check()


def build_platform() -> Platform:
    """The platform of this host."""
    return make_platform("linux", os.uname().machine)


class _Build:
    """One build, from the opened context to the written outputs."""

    def __init__(
        self,
        request: BuildRequest,
        observer: Observer,
        session: Session,
        cancel: threading.Event,
        stack: ExitStack,
        on_failure: OnFailure | None = None,
    ) -> None:
        self._request = request
        self._started = time.monotonic()
        self._on_failure = on_failure
        self._observer = observer
        self._session = session
        self._store = session.store
        self._cancel = cancel
        self._stack = stack
        self._scratch: str | None = None
        self._remotes: Remotes | None = None
        self._secret = secret_reader(request.secrets, session.environ)
        self._images = self._base_images()
        self._bounds = bounds_of(session.environ)

    def run(self) -> BuildResult:
        from jettison.app.outputs import Outputs

        outputs = Outputs(self._request, self._session, self._observer, self._cancel)
        context = self._context()
        plan, contexts = self._plan(context)
        with Ahead(self._store, chains(plan), outputs.compression, self._cancel) as ahead:
            snapshots = self._solve(plan, contexts, ahead)
            self._store.durability.begin_sync()
            ahead.finish()
        result = outputs.write(plan, snapshots)
        self._images.keep(self._store)
        spent = time.monotonic() - self._started
        self._store.durability.end_sync(max(_SYNC_SECONDS, _SYNC_SHARE * spent))
        if self._store.layers.made or self._store.blobs.made:
            with contextlib.suppress(StoreError):  # the build itself is done
                self._bounds.keep(self._store)
        return result

    def check(self) -> None:
        self._plan(self._context(), all_stages=not self._request.target)

    def _scratch_directory(self, name: str) -> str:
        """A path for what has to be fetched; made only when something is put there."""
        if self._scratch is None:
            self._scratch = str(self._stack.enter_context(self._store.staging.directory()))
        return os.path.join(self._scratch, name)

    # ---------------------------------------------------------------- planning

    def _context(self) -> BuildContext:
        return open_context(
            self._request.context,
            self._request.dockerfile,
            scratch=self._scratch_directory("context"),
            stdin=self._request.stdin,
            environ=self._session.environ,
            keep_git_dir=_is_true(self._request.build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR")),
        )

    def _plan(
        self, context: BuildContext, *, all_stages: bool = False
    ) -> tuple[BuildPlan, dict[str, ContextTree]]:
        from jettison.dockerfile.parse import parse
        from jettison.plan.needed import needed_images
        from jettison.plan.planner import plan

        request = self._request
        syntax = request.build_args.get("BUILDKIT_SYNTAX")
        dockerfile = parse(context.dockerfile.text, context.dockerfile.name, syntax=syntax)
        ignore = read_ignorefile(context.ignore) if context.ignore is not None else None
        contexts = {CONTEXT: ContextTree(context.directory, ignore)}
        options = PlanOptions(
            build_platform=build_platform(),
            platforms=request.platforms,
            build_args=request.build_args,
            target=request.target,
            labels=request.labels,
            contexts=self._named_contexts(contexts),
            no_cache=request.no_cache,
            network=request.network,
            add_hosts=request.add_hosts,
            shm_size=request.shm_size,
            ulimits=request.ulimits,
            cgroup_parent=request.cgroup_parent,
            entitlements=request.allow,
            ignore=ignore,
            context_epoch=context.epoch,
            epoch_of=self._epoch_of,
            all_stages=all_stages,
        )
        self._images.prefetch(
            (base.reference, base.platform) for base in needed_images(dockerfile, options)
        )
        return plan(dockerfile, options, self._images, self._observer), contexts

    def _epoch_of(self, source: Git | Http) -> int | None:
        return self._get_remotes().epoch(source)

    def _named_contexts(self, contexts: dict[str, ContextTree]) -> dict[str, NamedContext]:
        named: dict[str, NamedContext] = {}
        for name, value in self._request.build_contexts.items():
            kind, rest = classify(value)
            if kind == "scratch":
                named[name] = NamedScratch()
            elif kind in ("image", "layout"):
                named[name] = NamedImage(rest)
            elif kind == "git":
                named[name] = NamedGit(rest)
            else:
                local = f"named {name}"
                scratch = self._scratch_directory(f"context-{len(contexts)}")
                directory = materialize(rest, scratch, self._session.environ)
                contexts[local] = _named_tree(directory)
                named[name] = NamedLocal(local)
        return named

    def _base_images(self) -> BaseImages:
        from jettison.model.source import ImageSource

        session = self._session

        def registry() -> ImageSource:
            from jettison.app.registries import registry_source

            return registry_source(session)

        def layout(path: str) -> ImageSource:
            from jettison.image.layout import open_layout

            return self._stack.enter_context(open_layout(path))

        return BaseImages(
            self._store.images,
            registry,
            layout,
            pull=self._request.pull,
            size=self._store.blobs.size,
        )

    # ---------------------------------------------------------------- solving

    def _solve(
        self, plan: BuildPlan, contexts: Mapping[str, ContextTree], ahead: Ahead
    ) -> dict[Step, tuple[str, ...]]:
        from jettison.solve.bench import Bench, StoreRecords
        from jettison.solve.solver import Solver
        from jettison.solve.trees import Trees

        bench = Bench(
            self._store,
            Trees(self._store, contexts),
            plan.sources,
            self._observer,
            self._cancel,
            rootless=self._session.rootless,
            runner=self._runner,
            remotes=self._get_remotes,
        )
        solver = Solver(
            plan.infos,
            StoreRecords(self._store),
            bench,
            self._observer,
            cancel=self._cancel,
            workers=max(4, os.cpu_count() or 1),
            made=ahead.made,
            origin=f"{self._request.context} {self._request.dockerfile or ''}",
            explain=self._request.explain,
        )
        roots = [image.root for image in plan.images if image.root is not None]
        return solver.solve(roots)

    def _runner(self, bench: Bench) -> CommandRunner:
        from jettison.solve.running import CommandRunner, Grants

        agents = Agents(
            self._request.ssh,
            self._session.environ,
            self._stack,
            str(self._stack.enter_context(self._store.staging.directory())),
        )
        runtime: list[Runtime] = []
        lock = threading.Lock()

        def find() -> Runtime:
            with lock:
                if not runtime:
                    runtime.append(self._session.runtime())
                return runtime[0]

        return CommandRunner(
            self._store,
            bench.trees,
            find,
            Grants(self._secret, agents.socket, self._ca_bundle()),
            self._observer,
            self._cancel,
            log_directory=str(self._store.logs),
            materialize=bench.materialize,
            on_failure=self._on_failure,
        )

    def _ca_bundle(self) -> str | None:
        if not self._request.host_ca:
            return None
        from jettison.sandbox.hostca import find_bundle

        bundle = find_bundle(self._session.environ)
        if bundle is None:
            raise SandboxError(
                "--host-ca: this host has no bundle of CA certificates",
                hint="install ca-certificates, or name a bundle in SSL_CERT_FILE",
            )
        return bundle

    def _get_remotes(self) -> Remotes:
        from jettison.solve.remote import Remotes

        if self._remotes is None:
            self._remotes = Remotes(
                self._store, self._session.environ, self._observer, self._cancel, self._secret
            )
        return self._remotes


def _is_true(text: str | None) -> bool:
    """A boolean build argument, as Go reads one."""
    return (text or "").lower() in ("1", "t", "true")


def _named_tree(directory: str) -> ContextTree:
    """A named context, without what its own .dockerignore names."""
    ignore = ignore_file(directory, None)
    return ContextTree(directory, read_ignorefile(ignore) if ignore is not None else None)
