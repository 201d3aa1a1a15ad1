"""The document of a cache that is exported: the results of a build under keys that hold elsewhere.

A definition key holds everywhere. A content key has the ids of the layers a step builds on in it,
and those that steps made here are random: it is made anew, with the ids that the layers have where
the cache is imported.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from jettison.errors import JettisonError
from jettison.model.cachedoc import VERSION, CachedLayer, CacheDocument, CachedResult
from jettison.model.digest import Digest
from jettison.plan.steps import BindMount, Local, Merge, PathSource, Source, Step
from jettison.solve.bench import Bench
from jettison.solve.imported import Imported, following, portable_ids
from jettison.solve.keys import Reader, key_of
from jettison.solve.lookup import Snapshot, in_keys
from jettison.solve.solver import Solver


class OwnLayer(Struct, frozen=True):
    """The layer a step made: its id, the layers it was made on, and their base image."""

    id: str
    below: Snapshot
    alone: bool
    base: Source | None


LayerOf = Callable[[OwnLayer], CachedLayer]


class Solved(Struct, frozen=True):
    """A build that was solved, as far as exporting its results needs it."""

    solver: Solver
    bench: Bench
    imported: Imported | None = None

    def document(self, wanted: Callable[[Step], bool], layer_of: LayerOf) -> CacheDocument:
        """The results of the ``wanted`` steps; ``layer_of`` says (or makes) each layer's blob."""
        return _Draft(self, layer_of).document(wanted)


def own_layers(step: Step, snapshot: Snapshot) -> tuple[Source | None, list[OwnLayer]]:
    """The base image of a step's result and the layers on it, lowest first, one for each step."""
    chain: list[Step] = []
    current: Step | None = step
    while current is not None and not isinstance(current, Source):
        chain.append(current)
        current = getattr(current, "root", None)
    first = len(snapshot) - len(chain)
    layers = []
    for number, made in enumerate(reversed(chain), first):
        alone = isinstance(made, Merge)
        below = () if alone else snapshot[:number]
        layers.append(OwnLayer(snapshot[number], below, alone, None if alone else current))
    return current, layers


class _Draft:
    def __init__(self, solved: Solved, layer_of: LayerOf) -> None:
        self._solved = solved
        self._layer_of = layer_of
        self._store = solved.bench.store
        self._layers: list[CachedLayer] = []
        self._numbers: dict[tuple[str, bool], int] = {}
        self._bases: dict[tuple[Digest, ...], int] = {}
        self._portable: dict[str, Snapshot] = {}

    def document(self, wanted: Callable[[Step], bool]) -> CacheDocument:
        results = []
        for step, key, snapshot in self._solved.solver.known():
            if wanted(step):
                results.append(self._result(step, key, snapshot))
        return CacheDocument(VERSION, tuple(self._layers), tuple(results), tuple(self._bases))

    def _result(self, step: Step, key: str, snapshot: Snapshot) -> CachedResult:
        base, layers = own_layers(step, snapshot)
        numbers = tuple(map(self._number, layers))
        diff_ids = base.diff_ids if base is not None else ()
        self._portable[key] = self._elsewhere(diff_ids, numbers)
        keys = [key]
        content = self._content_key(step)
        if content is not None:
            keys.append(content)
        elif self._solved.imported is not None:
            keys += self._solved.imported.keys_of(key)
        return CachedResult(tuple(dict.fromkeys(keys)), numbers, self._base(diff_ids))

    def _number(self, layer: OwnLayer) -> int:
        place = layer.id, layer.alone
        if place not in self._numbers:
            self._layers.append(self._layer_of(layer))
            self._numbers[place] = len(self._layers) - 1
        return self._numbers[place]

    def _base(self, diff_ids: tuple[Digest, ...]) -> int:
        return self._bases.setdefault(diff_ids, len(self._bases)) if diff_ids else -1

    def _elsewhere(self, base: tuple[Digest, ...], numbers: tuple[int, ...]) -> Snapshot:
        """The ids of a result's layers in a store that imports it (`imported.Imported`)."""
        found = list(portable_ids(self._store, base))
        chain: Digest | None = None
        for diff_id in base:
            chain = following(chain, diff_id)
        for layer in (self._layers[number] for number in numbers):
            identity = following(None if layer.alone else chain, layer.diff_id)
            chain = following(chain, layer.diff_id)
            found.append(self._store.layers.id_for_cached(identity, layer.created))
        return tuple(found)

    def _content_key(self, step: Step) -> str | None:
        """The key of ``step`` by content; None if what it reads is not on disk."""
        try:
            return key_of("content", self._described(step))
        except (_UnknownError, JettisonError):
            return None

    def _described(self, step: Step) -> list[object]:
        return self._solved.solver.describe(step, lambda r, s: self._reference(step, r, s))

    def _reference(self, step: Step, reader: Reader, source: Step) -> str:
        bench, solver = self._solved.bench, self._solved.solver
        if isinstance(source, Local):
            return bench.local_digest(step, reader, source)
        if isinstance(reader, PathSource | BindMount):
            layers = solver.result(source)
            if layers is None or not bench.unpacked(layers):
                raise _UnknownError
            return bench.read_digest(step, reader, layers)
        if isinstance(source, Source):
            return in_keys(portable_ids(self._store, source.diff_ids))
        portable = self._portable.get(solver.key(source))
        if portable is None:
            raise _UnknownError
        return in_keys(portable)


class _UnknownError(Exception):
    """Something a key is made of is not known here."""
