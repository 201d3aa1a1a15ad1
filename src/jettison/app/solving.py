"""From a plan to layers: wires the solver to the store, the sandbox and imported caches."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jettison.app.ahead import Ahead
from jettison.app.request import BuildRequest
from jettison.app.session import Session
from jettison.app.supplies import Supplies
from jettison.fs.context import ContextTree
from jettison.model.event import Observer
from jettison.plan.steps import BuildPlan, Local, Step

if TYPE_CHECKING:
    from jettison.app.outputs import Outputs
    from jettison.solve.bench import Bench
    from jettison.solve.imported import Imported
    from jettison.solve.running import CommandRunner, OnFailure
    from jettison.solve.solver import Solver

Snapshots = dict[Step, tuple[str, ...]]
"""The layer ids of each step that is wanted, lowest first."""


class Solving:
    """The solving of one build; ``on_failure`` may look at the container of a RUN that failed."""

    def __init__(
        self,
        request: BuildRequest,
        session: Session,
        supplies: Supplies,
        observer: Observer,
        cancel: threading.Event,
        on_failure: OnFailure | None,
    ) -> None:
        self._request = request
        self._session = session
        self._supplies = supplies
        self._store = session.store
        self._observer = observer
        self._cancel = cancel
        self._on_failure = on_failure
        self.imported: Imported | None = None
        """The caches of --cache-from, if there are any."""

    def solve(
        self,
        plan: BuildPlan,
        contexts: Mapping[str, ContextTree],
        ahead: Ahead,
        outputs: Outputs,
        stack: ExitStack,
    ) -> tuple[Snapshots, Solver, Bench]:
        """Have what ``plan`` wants, and ``outputs`` need of it; ``stack`` closes what is opened."""
        self.imported = self._import(stack)
        roots = self._roots(plan)
        solver, bench = self._solver(plan, roots, contexts, ahead)
        snapshots = solver.solve(roots)
        if self.imported is not None:
            snapshots = self._settle(solver, roots, self.imported, outputs)
        return snapshots, solver, bench

    def _roots(self, plan: BuildPlan) -> list[Step]:
        """The steps whose results are wanted: the images, and what else an SBOM looks at."""
        roots = [image.root for image in plan.images if image.root is not None]
        if self._request.sbom:
            scans = (step for image in plan.images for _, step in image.scans)
            roots += [step for step in scans if not isinstance(step, Local)]
        return roots

    def _import(self, stack: ExitStack) -> Imported | None:
        if not self._request.cache_from:
            return None
        from jettison.app.cache_import import import_caches

        return import_caches(
            self._request.cache_from, self._session, stack, self._observer, self._cancel
        )

    def _settle(
        self, solver: Solver, roots: list[Step], imported: Imported, outputs: Outputs
    ) -> Snapshots:
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
        roots: list[Step],
        contexts: Mapping[str, ContextTree],
        ahead: Ahead,
    ) -> tuple[Solver, Bench]:
        from jettison.solve.bench import Bench, StoreRecords
        from jettison.solve.solver import Solver
        from jettison.solve.trees import Trees, as_named

        bench = Bench(
            self._store,
            Trees(self._store, as_named(contexts, roots)),
            plan.sources,
            self._observer,
            self._cancel,
            rootless=self._session.rootless,
            runner=self._runner,
            remotes=self._supplies.remotes,
            imported=self.imported,
        )
        solver = Solver(
            plan.infos,
            StoreRecords(self._store, self.imported),
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

        supplies = self._supplies
        return CommandRunner(
            self._store,
            bench.trees,
            supplies.runtime,
            Grants(supplies.secret, supplies.agent, supplies.ca_bundle(), self._request.limits),
            self._observer,
            self._cancel,
            log_directory=str(self._store.logs),
            materialize=bench.materialize,
            on_failure=self._on_failure,
        )
