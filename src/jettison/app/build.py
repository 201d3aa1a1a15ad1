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
from jettison.model.event import Observer, Silent
from jettison.model.platform import Platform, make_platform
from jettison.model.span import SourceText
from jettison.plan.options import (
    NamedContext,
    NamedGit,
    NamedImage,
    NamedLocal,
    NamedScratch,
    PlanOptions,
)
from jettison.plan.planner import CONTEXT
from jettison.plan.steps import BuildPlan, Git, Http, Local, Step

if TYPE_CHECKING:
    from jettison.app.attestations import Attestations
    from jettison.app.outputs import Outputs
    from jettison.dockerfile.instructions import Dockerfile
    from jettison.plan.outline import Outline, Target
    from jettison.sandbox.runtime import Runtime
    from jettison.solve.bench import Bench
    from jettison.solve.imported import Imported
    from jettison.solve.remote import Remotes
    from jettison.solve.running import CommandRunner, OnFailure
    from jettison.solve.solver import Solver

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


def outline(
    request: BuildRequest, *, environ: Mapping[str, str], cancel: threading.Event
) -> tuple[Outline, SourceText]:
    """What the target takes from outside (arguments, secrets, agents), and the Dockerfile.

    Raises what `build` raises before anything is made.
    """
    with open_session(environ) as session, ExitStack() as stack:
        return _Build(request, Silent(), session, cancel, stack).outline()


def targets(
    request: BuildRequest, *, environ: Mapping[str, str], cancel: threading.Event
) -> tuple[tuple[Target, ...], SourceText]:
    """The stages that can be built, and the Dockerfile. Raises what reading it raises."""
    with open_session(environ) as session, ExitStack() as stack:
        return _Build(request, Silent(), session, cancel, stack).targets()


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
        self._agents: Agents | None = None
        self._agents_lock = threading.Lock()
        self._secret = secret_reader(request.secrets, session.environ)
        self._images = self._base_images()
        self._bounds = bounds_of(session.environ)

    def run(self) -> BuildResult:
        from jettison.app.outputs import Outputs

        outputs = Outputs(self._request, self._session, self._observer, self._cancel)
        started = time.time()
        context = self._context()
        plan, contexts = self._plan(context)
        with Ahead(self._store, chains(plan), outputs.compression, self._cancel) as ahead:
            imported = self._import()
            solver, bench = self._solver(plan, contexts, ahead, imported)
            roots = self._roots(plan)
            snapshots = solver.solve(roots)
            if imported is not None:
                snapshots = self._settle(solver, roots, imported, outputs)
            self._store.durability.begin_sync()
            ahead.finish()
        attestations = None
        if self._request.sbom or self._request.provenance is not None:
            attestations = self._attestations(plan, snapshots, context, contexts, started)
        if not self._request.cache_to:
            result = outputs.write(plan, snapshots, imported, attestations=attestations)
        else:
            from jettison.app.cache_export import CacheExporter
            from jettison.solve.exported import Solved

            solved = Solved(solver, bench, imported)
            exporter = CacheExporter(
                self._session, plan, solved, self._observer, self._cancel, outputs.compression
            )
            result = outputs.write(plan, snapshots, imported, exporter.inline, attestations)
            for spec in self._request.cache_to:
                if spec.type != "inline":
                    exporter.export(spec)
        self._images.keep(self._store)
        spent = time.monotonic() - self._started
        self._store.durability.end_sync(max(_SYNC_SECONDS, _SYNC_SHARE * spent))
        if self._store.layers.made or self._store.blobs.made:
            with contextlib.suppress(StoreError):  # the build itself is done
                self._bounds.keep(self._store)
        return result

    def _attestations(
        self,
        plan: BuildPlan,
        snapshots: Mapping[Step, tuple[str, ...]],
        context: BuildContext,
        contexts: Mapping[str, ContextTree],
        started: float,
    ) -> Attestations:
        from jettison.app.attestations import Attestations, BuildFacts

        facts = BuildFacts(
            plan=plan,
            snapshots=snapshots,
            context=context,
            trees=contexts,
            images=self._images.resolved(),
            pin=lambda step: self._get_remotes().pin(step).partition(" ")[0],
            platform=build_platform(),
            started=started,
            clock=time.time,
        )
        return Attestations(self._request, facts, self._session, self._cancel)

    def check(self) -> None:
        self._plan(self._context(), all_stages=not self._request.target)

    def outline(self) -> tuple[Outline, SourceText]:
        from jettison.plan.planner import outline

        context = self._context()
        dockerfile = self._parse(context)
        options, _ = self._plan_options(context)
        self._prefetch(dockerfile, options)
        return outline(dockerfile, options, self._images), _source(context)

    def targets(self) -> tuple[tuple[Target, ...], SourceText]:
        from jettison.plan.outline import targets

        context = self._context()
        return targets(self._parse(context)), _source(context)

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
        from jettison.plan.planner import plan

        dockerfile = self._parse(context)
        options, contexts = self._plan_options(context, all_stages=all_stages)
        self._prefetch(dockerfile, options)
        return plan(dockerfile, options, self._images, self._observer), contexts

    def _parse(self, context: BuildContext) -> Dockerfile:
        from jettison.dockerfile.parse import parse

        syntax = self._request.build_args.get("BUILDKIT_SYNTAX")
        return parse(context.dockerfile.text, context.dockerfile.name, syntax=syntax)

    def _prefetch(self, dockerfile: Dockerfile, options: PlanOptions) -> None:
        from jettison.plan.needed import needed_images

        self._images.prefetch(
            (base.reference, base.platform) for base in needed_images(dockerfile, options)
        )

    def _plan_options(
        self, context: BuildContext, *, all_stages: bool = False
    ) -> tuple[PlanOptions, dict[str, ContextTree]]:
        request = self._request
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
        return options, contexts

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

        opened: list[ImageSource] = []
        lock = threading.Lock()

        def registry() -> ImageSource:
            from jettison.app.registries import registry_source

            with lock:  # one for all base images: connections and tokens are used again
                if not opened:
                    source = registry_source(session, self._cancel)
                    opened.append(self._stack.enter_context(source))
                return opened[0]

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

    def _roots(self, plan: BuildPlan) -> list[Step]:
        """The steps whose results are wanted: the images, and what else an SBOM looks at."""
        roots = [image.root for image in plan.images if image.root is not None]
        if self._request.sbom:
            scans = (step for image in plan.images for _, step in image.scans)
            roots += [step for step in scans if not isinstance(step, Local)]
        return roots

    def _import(self) -> Imported | None:
        if not self._request.cache_from:
            return None
        from jettison.app.cache_import import import_caches

        return import_caches(
            self._request.cache_from, self._session, self._stack, self._observer, self._cancel
        )

    def _settle(
        self, solver: Solver, roots: list[Step], imported: Imported, outputs: Outputs
    ) -> dict[Step, tuple[str, ...]]:
        """Have what the outputs need of layers that only a cache has; the rest stays there."""
        files, download = outputs.reads_files, outputs.needs_blobs

        def have(snapshot: tuple[str, ...], vertex: str) -> bool:
            if files and imported.lazy(snapshot):
                return False
            return imported.have(snapshot, vertex, download=download)

        return solver.settle(roots, have)

    def _solver(
        self,
        plan: BuildPlan,
        contexts: Mapping[str, ContextTree],
        ahead: Ahead,
        imported: Imported | None,
    ) -> tuple[Solver, Bench]:
        from jettison.solve.bench import Bench, StoreRecords
        from jettison.solve.solver import Solver
        from jettison.solve.trees import Trees, as_named

        bench = Bench(
            self._store,
            Trees(self._store, as_named(contexts, self._roots(plan))),
            plan.sources,
            self._observer,
            self._cancel,
            rootless=self._session.rootless,
            runner=self._runner,
            remotes=self._get_remotes,
            imported=imported,
        )
        solver = Solver(
            plan.infos,
            StoreRecords(self._store, imported),
            bench,
            self._observer,
            cancel=self._cancel,
            workers=max(4, os.cpu_count() or 1),
            made=ahead.made,
            origin=f"{self._request.context} {self._request.dockerfile or ''}",
            explain=self._request.explain,
        )
        return solver, bench

    def _runner(self, bench: Bench) -> CommandRunner:
        from jettison.solve.running import CommandRunner, Grants

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
            Grants(self._secret, self._agent, self._ca_bundle(), self._request.limits),
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
        from jettison.solve.access import Access
        from jettison.solve.remote import Remotes

        if self._remotes is None:
            self._remotes = Remotes(
                self._store,
                self._session.environ,
                self._observer,
                self._cancel,
                Access(self._secret, self._agent),
            )
        return self._remotes

    def _agent(self, agent_id: str) -> str | None:
        """The socket of an ssh agent that --ssh names, None if it names none."""
        with self._agents_lock:
            if self._agents is None:
                scratch = self._stack.enter_context(self._store.staging.directory())
                self._agents = Agents(
                    self._request.ssh, self._session.environ, self._stack, str(scratch)
                )
        return self._agents.socket(agent_id)


def _source(context: BuildContext) -> SourceText:
    return SourceText(context.dockerfile.name, context.dockerfile.text)


def _is_true(text: str | None) -> bool:
    """A boolean build argument, as Go reads one."""
    return (text or "").lower() in ("1", "t", "true")


def _named_tree(directory: str) -> ContextTree:
    """A named context, without what its own .dockerignore names."""
    ignore = ignore_file(directory, None)
    return ContextTree(directory, read_ignorefile(ignore) if ignore is not None else None)
