"""``jettison build``: from a request to images."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jettison.app.ahead import Ahead, chains
from jettison.app.planning import Planning, build_platform
from jettison.app.request import BuildRequest, BuildResult
from jettison.app.session import Session, open_session
from jettison.app.solving import Solving
from jettison.app.space import bounds_of
from jettison.app.supplies import Supplies
from jettison.errors import StoreError
from jettison.model.event import Observer, Silent
from jettison.model.span import SourceText

if TYPE_CHECKING:
    from jettison.app.attestations import Attestations
    from jettison.app.solving import Snapshots
    from jettison.fs.context import ContextTree
    from jettison.plan.outline import Outline, Target
    from jettison.plan.steps import BuildPlan
    from jettison.solve.running import OnFailure

_SYNC_SECONDS, _SYNC_SHARE = 0.05, 0.05
"""How long a build waits at its end for the disk: seconds at least, share of the build's time. What
was made quickly is soon made again after a power cut; what took long is worth a wait.
"""


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
        planning = _planning(request, session, stack, observer, cancel)
        planning.plan(observer, all_stages=not request.target)


def outline(
    request: BuildRequest, *, environ: Mapping[str, str], cancel: threading.Event
) -> tuple[Outline, SourceText]:
    """What the target takes from outside (arguments, secrets, agents), and the Dockerfile.

    Raises what `build` raises before anything is made.
    """
    with open_session(environ) as session, ExitStack() as stack:
        planning = _planning(request, session, stack, Silent(), cancel)
        return planning.outline(), planning.source


def targets(
    request: BuildRequest, *, environ: Mapping[str, str], cancel: threading.Event
) -> tuple[tuple[Target, ...], SourceText]:
    """The stages that can be built, and the Dockerfile. Raises what reading it raises."""
    with open_session(environ) as session, ExitStack() as stack:
        planning = _planning(request, session, stack, Silent(), cancel)
        return planning.targets(), planning.source


def _planning(
    request: BuildRequest,
    session: Session,
    stack: ExitStack,
    observer: Observer,
    cancel: threading.Event,
) -> Planning:
    return Planning(request, session, Supplies(request, session, stack, observer, cancel))


class _Build:
    """One build, from the opened context to the written outputs."""

    def __init__(
        self,
        request: BuildRequest,
        observer: Observer,
        session: Session,
        cancel: threading.Event,
        stack: ExitStack,
        on_failure: OnFailure | None,
    ) -> None:
        self._request = request
        self._observer = observer
        self._session = session
        self._store = session.store
        self._cancel = cancel
        self._stack = stack
        self._supplies = Supplies(request, session, stack, observer, cancel)
        self._solving = Solving(request, session, self._supplies, observer, cancel, on_failure)
        self._bounds = bounds_of(session.environ)

    def run(self) -> BuildResult:
        from jettison.app.outputs import Outputs

        outputs = Outputs(self._request, self._session, self._observer, self._cancel)
        started, began = time.time(), time.monotonic()
        planning = Planning(self._request, self._session, self._supplies)
        plan, contexts = planning.plan(self._observer)
        with Ahead(self._store, chains(plan), outputs.compression, self._cancel) as ahead:
            snapshots, solver, bench = self._solving.solve(
                plan, contexts, ahead, outputs, self._stack
            )
            self._store.durability.begin_sync()
            ahead.finish()
        attestations = None
        if self._request.sbom or self._request.provenance is not None:
            attestations = self._attestations(planning, plan, snapshots, contexts, started)
        imported = self._solving.imported
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
        self._supplies.images.keep(self._store)
        self._settle_store(time.monotonic() - began)
        return result

    def _settle_store(self, spent: float) -> None:
        """Wait a little for the disk, and keep the store within its bounds."""
        self._store.durability.end_sync(max(_SYNC_SECONDS, _SYNC_SHARE * spent))
        if self._store.layers.made or self._store.blobs.made:
            with contextlib.suppress(StoreError):  # the build itself is done
                self._bounds.keep(self._store)

    def _attestations(
        self,
        planning: Planning,
        plan: BuildPlan,
        snapshots: Snapshots,
        contexts: Mapping[str, ContextTree],
        started: float,
    ) -> Attestations:
        from jettison.app.attestations import Attestations, BuildFacts

        facts = BuildFacts(
            plan=plan,
            snapshots=snapshots,
            context=planning.context,
            trees=contexts,
            images=self._supplies.images.resolved(),
            pin=lambda step: self._supplies.remotes().pin(step).partition(" ")[0],
            platform=build_platform(),
            started=started,
            clock=time.time,
        )
        return Attestations(self._request, facts, self._session, self._cancel)
