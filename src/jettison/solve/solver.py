"""Solves a step graph: looks up, then runs what is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from jettison.errors import Cancelled, JettisonError
from jettison.model.event import Observer, StepExplained, StepFinished, StepLog, StepStarted
from jettison.plan.ancestors import ancestors
from jettison.plan.steps import BindMount, Local, Merge, PathSource, Source, Step, StepInfo
from jettison.solve.graph import base_sources, readers
from jettison.solve.keys import Reader, Reference, key_of
from jettison.solve.lookup import Lookup, Records, Snapshot, in_keys
from jettison.solve.recorded import dump
from jettison.solve.schedule import run_all

SnapshotOf = Callable[[Step], Snapshot]

_SAY_AFTER = 0.5  # seconds of waiting for another build until it is said
_WAITING = b"waiting for another build that runs this step\n"


class Workbench(Protocol):
    """Everything about steps that touches the disk, the network or a container."""

    def local_digest(self, step: Step, reader: Reader, local: Local) -> str:
        """The content digest of what ``step`` selects from a build context."""
        ...

    def pin(self, step: Step) -> str | None:
        """What a remote source is at this moment (an ETag, a commit); None for other steps."""
        ...

    def image_layers(self, source: Source) -> Snapshot:
        """The layer ids an image has in the store, whether they are unpacked yet or not."""
        ...

    def unpacked(self, snapshot: Snapshot) -> bool:
        """Whether all layers are on disk."""
        ...

    def lazy(self, snapshot: Snapshot) -> bool:
        """Whether a layer, base images aside, is known only from an imported cache."""
        ...

    def fetch(self, snapshot: Snapshot, vertex: str) -> bool:
        """Have all layers on disk, those of the base image are; False if one cannot be had."""
        ...

    def read_digest(self, step: Step, reader: Reader, layers: Snapshot) -> str:
        """The content digest of what ``step`` reads from an unpacked snapshot."""
        ...

    def alone(self, key: str, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the lock on ``key``, which other builds of this store take too; ``waiting`` is
        called while one of them has it.
        """
        ...

    def listing(self, digest: str) -> str | None:
        """The files behind a digest given by `local_digest` or `read_digest`."""
        ...

    def execute(self, step: Step, info: StepInfo, vertex: str, snapshot_of: SnapshotOf) -> Snapshot:
        """Do the step; all its inputs are unpacked."""
        ...


class Solver:
    """One build's solving. ``vertex`` ids in events are definition keys; ``made`` is told of every
    step that was executed, from a worker thread. ``origin`` names the Dockerfile.
    ``explain``: say of each step why it had to be executed.
    """

    def __init__(
        self,
        infos: Mapping[Step, StepInfo],
        records: Records,
        workbench: Workbench,
        observer: Observer,
        *,
        cancel: threading.Event,
        workers: int,
        made: Callable[[Step, Snapshot], None] = lambda step, layers: None,
        origin: str = "",
        explain: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._infos = infos
        self._records = records
        self._bench = workbench
        self._observer = observer
        self._cancel = cancel
        self._workers = workers
        self._made = made
        self._origin = origin
        self._explain = explain
        self._clock = clock
        self._results: dict[str, Snapshot] = {}
        self._locks: dict[str, threading.RLock] = {}

    def solve(self, roots: Iterable[Step]) -> dict[Step, Snapshot]:
        """The snapshot of each root.

        Raises StepError (with the span of the instruction) for the first step that fails, after
        all others have been stopped; Cancelled if the build was cancelled.
        """
        roots = list(roots)
        order = ancestors(roots)
        self._order = order
        bench = self._bench
        self._lookup = Lookup(
            order,
            self._infos,
            self._records,
            local_digest=self._located(bench.local_digest),
            pin=self._pin,
            image_layers=bench.image_layers,
        )
        self._results.update(self._lookup.hits)
        self._steps = {self._lookup.keys[s]: s for s in reversed(order) if s in self._lookup.keys}
        self._locks = {key: threading.RLock() for key in self._steps}
        waits_for = self._missing(roots)
        self._announce_hits(waits_for)
        run_all(waits_for, self._run, workers=self._workers, cancel=self._cancel)
        return {root: self._results[self._lookup.keys[root]] for root in roots}

    def settle(
        self, roots: Iterable[Step], have: Callable[[Snapshot, str], bool]
    ) -> dict[Step, Snapshot]:
        """The snapshots of solved roots, with what an imported cache promised and does not have
        made here: steps for which ``have(snapshot, vertex)`` is false run. Raises as `solve`.
        """
        settled = {}
        for root in roots:
            key = self._lookup.keys[root]
            if not have(self._results[key], key):
                self._run(key, unpacked=True)
            settled[root] = self._results[key]
        return settled

    def known(self) -> Iterator[tuple[Step, str, Snapshot]]:
        """Steps with a result, inputs first, each with its definition key; no base images."""
        seen: set[str] = set()
        for step in self._order:
            if isinstance(step, Local | Source):
                continue
            key = self._lookup.keys[step]
            if key in self._results and key not in seen:
                seen.add(key)
                yield step, key, self._results[key]

    def key(self, step: Step) -> str:
        """The definition key of a step of the graph."""
        return self._lookup.keys[step]

    def result(self, step: Step) -> Snapshot | None:
        """What is known of a step of the graph."""
        return self._results.get(self._lookup.keys[step])

    def describe(self, step: Step, reference: Reference) -> list[object]:
        """What identifies a step of this build, with ``reference`` for its inputs."""
        return self._lookup.describe(step, reference)

    def _info(self, step: Step) -> StepInfo:
        return self._infos.get(step) or StepInfo(name=type(step).__name__.lower())

    def _located(
        self, digest: Callable[[Step, Reader, Local], str]
    ) -> Callable[[Step, Reader, Local], str]:
        """``digest``, with its errors placed at the instruction that selects."""

        def located(step: Step, reader: Reader, local: Local) -> str:
            try:
                return digest(step, reader, local)
            except JettisonError as error:
                info = self._info(step)
                vertex = f"select {id(step)}"
                self._observer.emit(StepStarted(vertex, info.name, self._clock()))
                self._finish(vertex, info, error=error.message)
                raise error.at(info.span) from None

        return located

    def _pin(self, step: Step) -> str | None:
        try:
            return self._bench.pin(step)
        except JettisonError as error:
            raise error.at(self._info(step).span) from None

    def _missing(self, roots: Iterable[Step]) -> dict[str, frozenset[str]]:
        """The steps that must run, by key, each with those it waits for."""
        keys, hit = self._lookup.keys, self._lookup.hit
        waits_for: dict[str, frozenset[str]] = {}
        pending = [s for s in roots if hit(s) is None]
        while pending:
            step = pending.pop()
            if keys[step] in waits_for:
                continue
            needs = list(self._needs(step))
            waits_for[keys[step]] = frozenset(keys[s] for s in needs)
            pending += needs
        return waits_for

    def _needs(self, step: Step) -> Iterator[Step]:
        """The jobs ``step`` waits for: inputs without a result, base images to unpack, and what
        it reads files of, if that has to be fetched. What it builds on is fetched only if the
        step is not found by its content.
        """
        if isinstance(step, Source):
            return
        if self._lookup.hit(step) is not None:  # its result is fetched: only its base is needed
            yield from self._packed(step)
            return
        for reader, source in readers(step):
            if isinstance(source, Local):
                continue
            if not isinstance(source, Source):
                found = self._lookup.hit(source)
                if found is None or self._bench.lazy(found):
                    if found is None or reader is not None:
                        yield source
                    continue
            yield from self._packed(source)

    def _packed(self, step: Step) -> Iterator[Source]:
        """The base images of ``step`` that are not unpacked."""
        for image in base_sources(step):
            if not self._bench.unpacked(self._bench.image_layers(image)):
                yield image

    def _announce_hits(self, waits_for: Mapping[str, frozenset[str]]) -> None:
        seen = set(waits_for)
        for step in self._order:
            if isinstance(step, Local) or self._lookup.keys[step] in seen:
                continue
            seen.add(self._lookup.keys[step])
            info = self._info(step)
            vertex = self._lookup.keys[step]
            self._observer.emit(StepStarted(vertex, info.name, self._clock()))
            self._finish(vertex, info, cached=True)

    def _finish(
        self,
        vertex: str,
        info: StepInfo,
        *,
        cached: bool = False,
        cancelled: bool = False,
        error: str | None = None,
    ) -> None:
        self._observer.emit(
            StepFinished(vertex, info.name, self._clock(), cached, cancelled, error)
        )

    def _run(self, key: str, *, unpacked: bool = False) -> None:
        """One job, in a worker thread; nothing if its result is on disk, where it will be
        afterwards if it is to be ``unpacked``.
        """
        with self._locks[key]:
            step = self._steps[key]
            found = self._results.get(key)
            if found is None or not self._bench.unpacked(found):
                self._run_one(step, key, unpacked)

    def _run_one(self, step: Step, key: str, unpacked: bool) -> None:
        info = self._info(step)
        self._observer.emit(StepStarted(key, info.name, self._clock()))
        try:
            cached = self._solve_one(step, key, info, unpacked)
        except Cancelled:
            self._finish(key, info, cancelled=True)
            raise
        except JettisonError as error:
            if self._cancel.is_set():
                self._finish(key, info, cancelled=True)
                raise Cancelled from None
            self._finish(key, info, error=error.message)
            raise error.at(info.span) from None
        except BaseException as error:
            self._finish(key, info, error=f"{type(error).__name__}: {error}")
            raise
        self._finish(key, info, cached=cached)

    def _solve_one(self, step: Step, key: str, info: StepInfo, unpacked: bool) -> bool:
        """Find the step by its content or execute it; returns whether it was found."""
        if isinstance(step, Source):
            self._execute(step, key, info)
            return False
        if (known := self._results.get(key)) is not None:
            unpacked = True
            if self._fetch(step, key, known):
                self._records.put(key, known, name=info.name)
                return True
        self._have_files(step)
        if not self._lookup.ignores_cache(step):
            found = self._records.get(key_of("content", self._described(step)))
            if found is not None and (not unpacked or self._fetch(step, key, found)):
                self._records.put(key, found, name=info.name)
                self._results[key] = found
                return True
        if unpacked or not isinstance(step, Merge):
            self._have_inputs(step)
        # Again: what the step builds on may have been made anew, since no cache had it.
        description = self._described(step)
        content_key = key_of("content", description)
        if self._lookup.ignores_cache(step):
            self._make(step, key, content_key, info, description)
            return False
        with self._bench.alone(f"step {content_key}", self._waiting(key)):
            found = self._records.get(content_key)  # another build may have made it meanwhile
            if found is not None and (not unpacked or self._fetch(step, key, found)):
                self._records.put(key, found, name=info.name)
                self._results[key] = found
                return True
            self._make(step, key, content_key, info, description)
        return False

    def _make(
        self, step: Step, key: str, content_key: str, info: StepInfo, description: list[object]
    ) -> None:
        if self._explain:
            self._say_why(step, key, info, content_key, description)
        layers = self._execute(step, key, info)
        parts = dump(description, self._bench.listing, origin=self._origin)
        self._records.put(content_key, layers, name=info.name, parts=parts)
        self._records.put(key, layers, name=info.name)

    def _described(self, step: Step) -> list[object]:
        return self.describe(step, self._by_content(step))

    def _execute(self, step: Step, key: str, info: StepInfo) -> Snapshot:
        layers = self._bench.execute(step, info, key, self._snapshot_of)
        self._results[key] = layers
        self._made(step, layers)
        return layers

    def _waiting(self, vertex: str) -> Callable[[], None]:
        """What to do again and again while another build runs a step: say so, watch ``cancel``."""
        since: float | None = self._clock()

        def waiting() -> None:
            nonlocal since
            if self._cancel.is_set():
                raise Cancelled
            if since is not None and self._clock() - since >= _SAY_AFTER:
                self._observer.emit(StepLog(vertex, 2, _WAITING))
                since = None

        return waiting

    def _say_why(
        self, step: Step, key: str, info: StepInfo, content_key: str, description: list[object]
    ) -> None:
        from jettison.solve.explain import why

        root = getattr(step, "root", None)
        said = why(
            description,
            *self._records.earlier(content_key, info.name),
            listing=self._bench.listing,
            origin=self._origin,
            below=self._info(root).name if root is not None else "",
            ignored=self._lookup.ignores_cache(step),
        )
        self._observer.emit(StepExplained(key, info.name, said))

    def _fetch(self, step: Step, key: str, snapshot: Snapshot) -> bool:
        """Have a result on disk whose layers may be in an imported cache only."""
        if self._bench.unpacked(snapshot):
            return True
        for image in self._packed(step):
            self._run(self._lookup.keys[image])
        return self._bench.fetch(snapshot, key)

    def _have_files(self, step: Step) -> None:
        """Have on disk what ``step`` reads files of, and all else known: its content key."""
        for reader, source in readers(step):
            by_files = isinstance(reader, PathSource | BindMount)
            if not isinstance(source, Local):
                key = self._lookup.keys[source]
                if by_files or key not in self._results:
                    self._run(key, unpacked=by_files)

    def _have_inputs(self, step: Step) -> None:
        """Have all inputs of ``step`` on disk; most often they are.

        Whoever holds the lock of a step waits only for steps below it, so nobody waits in a circle.
        """
        for _, source in readers(step):
            if not isinstance(source, Local):
                self._run(self._lookup.keys[source], unpacked=True)

    def _snapshot_of(self, step: Step) -> Snapshot:
        return self._results[self._lookup.keys[step]]

    def _by_content(self, step: Step) -> Callable[[Reader, Step], str]:
        def reference(reader: Reader, source: Step) -> str:
            if isinstance(source, Local):
                return self._bench.local_digest(step, reader, source)
            layers = self._snapshot_of(source)
            if isinstance(reader, PathSource | BindMount):
                return self._bench.read_digest(step, reader, layers)
            # A root; or a cache mount, which only starts from what it names.
            return in_keys(layers)

        return reference
