"""Definition keys of a graph, and what the cache already answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from jettison.plan.steps import Local, Source, Step, StepInfo
from jettison.solve.graph import readers
from jettison.solve.keys import Reader, Reference, describe, key_of

Snapshot = tuple[str, ...]
"""Layer ids, lowest first; () is the empty file system."""


class Records(Protocol):
    """The store's cache records, as far as solving needs them."""

    def get(self, key: str) -> Snapshot | None:
        """The snapshot remembered under ``key``, if its layers can still be had."""
        ...

    def put(self, key: str, layers: Snapshot, *, name: str, parts: bytes = b"") -> None:
        """Remember, for a step named ``name``; ``parts`` is what the key was made of."""
        ...

    def earlier(self, key: str, name: str) -> tuple[bool, list[bytes]]:
        """Whether ``key`` was ever remembered, and the parts of what is like it, newest first."""
        ...


LocalDigest = Callable[[Step, Reader, Local], str]
"""The content digest of what a step selects from a build context through a reader."""

PinDigest = Callable[[Step], str | None]
"""What a remote source (Http, Git) is at this moment; None for steps of other kinds."""


class Lookup:
    """The keys of all steps of a graph and the results that are known without running anything.

    ``order`` lists the steps, inputs first. Equal steps share one key, and so one result.
    """

    def __init__(
        self,
        order: Sequence[Step],
        infos: Mapping[Step, StepInfo],
        records: Records,
        *,
        local_digest: LocalDigest,
        pin: PinDigest,
        image_layers: Callable[[Source], Snapshot],
    ) -> None:
        self._infos = infos
        self._records = records
        self._local_digest = local_digest
        self._pin = pin
        self.keys: dict[Step, str] = {}
        self.hits: dict[str, Snapshot] = {}
        self._pinned: dict[Step, str] = {}
        self._stale: set[Step] = set()
        for step in order:
            if not isinstance(step, Local):
                self._add(step, image_layers)

    def hit(self, step: Step) -> Snapshot | None:
        return self.hits.get(self.keys[step])

    def describe(self, step: Step, reference: Reference) -> list[object]:
        """`keys.describe`, and what a remote source is now: its fields only say where it lies."""
        pinned = self._pinned.get(step)
        description = describe(step, reference)
        return description if pinned is None else [*description, ["pinned", pinned]]

    def ignores_cache(self, step: Step) -> bool:
        info = self._infos.get(step)
        return info is not None and info.ignore_cache

    def _add(self, step: Step, image_layers: Callable[[Source], Snapshot]) -> None:
        def reference(reader: Reader, source: Step) -> str:
            if isinstance(source, Local):
                return self._local_digest(step, reader, source)
            return self.keys[source]

        pinned = self._pin(step)
        if pinned is not None:
            self._pinned[step] = pinned
        key = key_of("definition", self.describe(step, reference))
        self.keys[step] = key
        if isinstance(step, Source):
            self.hits[key] = image_layers(step)
            return
        # A step that must run anew makes every result above it unknown.
        if self.ignores_cache(step) or any(s in self._stale for _, s in readers(step)):
            self._stale.add(step)
        elif key not in self.hits and (found := self._records.get(key)) is not None:
            self.hits[key] = found


def in_keys(snapshot: Snapshot) -> str:
    """How keys name a root: by the ids its layers have wherever they are unpacked, without what
    keeps them apart on some hosts (`Store.stand_apart`), so that hosts can share a cache.
    """
    return ",".join(layer.partition(".")[0] for layer in snapshot)
