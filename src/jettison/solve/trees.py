"""Reading snapshots and build contexts as trees, and digesting what steps select from them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from jettison.fs.contenthash import list_files
from jettison.fs.follow import followed
from jettison.fs.select import Selection, select
from jettison.fs.stack import Stack
from jettison.fs.tree import Tree
from jettison.plan.ancestors import ancestors
from jettison.plan.steps import BindMount, CacheMount, Copy, Local, PathSource, Step
from jettison.solve.graph import readers
from jettison.solve.keys import Reader
from jettison.solve.lookup import Snapshot

if TYPE_CHECKING:
    from jettison.store.store import Store


class Trees:
    """The trees of one build. Digests are remembered: layers never change, and a build context
    is taken as it was when it was first looked at.
    """

    def __init__(self, store: Store, contexts: Mapping[str, Tree]) -> None:
        self._store = store
        self._contexts = contexts
        self._stacks: dict[Snapshot, Stack] = {}
        self._digests: dict[tuple[object, ...], str] = {}
        self._listings: dict[str, str] = {}
        self._lock = threading.Lock()

    def context(self, name: str) -> Tree:
        return self._contexts[name]

    def stack(self, layers: Snapshot) -> Stack:
        """The merged view of a snapshot whose layers are unpacked."""
        with self._lock:
            stack = self._stacks.get(layers)
            if stack is None:
                stack = Stack([str(self._store.layers.path(layer)) for layer in layers])
                self._stacks[layers] = stack
            return stack

    def local_digest(self, step: Step, reader: Reader, local: Local) -> str:
        tree = self._contexts[local.name]
        return self._digest(local.name, tree, step, reader, owners=local.owners)

    def read_digest(self, step: Step, reader: Reader, layers: Snapshot) -> str:
        owners = not (isinstance(reader, PathSource) and reader.reset_owner)
        return self._digest(layers, self.stack(layers), step, reader, owners=owners)

    def _digest(
        self, where: object, tree: Tree, step: Step, reader: Reader, *, owners: bool
    ) -> str:
        parents, exclude = _copy_options(step)
        memo_key = (where, reader, parents, exclude, owners)
        with self._lock:
            known = self._digests.get(memo_key)
        if known is None:
            selection = self.selection(tree, step, reader)
            listing = list_files(tree, selection, self._store.memo, owners=owners)
            known = listing.digest
            with self._lock:
                self._digests[memo_key] = known
                self._listings[known] = listing.text
        return known

    def listing(self, digest: str) -> str | None:
        """The files behind a digest that was made here (`fs.contenthash.Listing`)."""
        return self._listings.get(digest)

    def selection(self, tree: Tree, step: Step, reader: Reader) -> Selection:
        """What ``step`` takes from ``tree`` through ``reader``.

        Raises PathError if a path that is named literally does not exist.
        """
        parents, exclude = _copy_options(step)
        if isinstance(reader, PathSource):
            return select(
                tree, reader.path, wildcard=reader.wildcard, parents=parents, exclude=exclude
            )
        assert isinstance(reader, BindMount | CacheMount)
        return select(tree, reader.source, wildcard=False, parents=False, exclude=())


def as_named(contexts: Mapping[str, Tree], roots: Iterable[Step]) -> dict[str, Tree]:
    """Of each build context what the steps behind ``roots`` name, see `followed`."""
    paths: dict[str, set[str]] = {name: set() for name in contexts}
    for step in ancestors(roots):
        for reader, source in readers(step):
            if isinstance(source, Local) and reader is not None:
                path = reader.path if isinstance(reader, PathSource) else reader.source
                paths[source.name].add(path)
    return {name: followed(tree, paths[name]) for name, tree in contexts.items()}


def _copy_options(step: Step) -> tuple[bool, tuple[str, ...]]:
    return (step.parents, step.exclude) if isinstance(step, Copy) else (False, ())
