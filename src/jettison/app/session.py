"""What every capability begins with: the process's namespaces and its store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from jettison.store.paths import default_root
from jettison.store.store import Store

if TYPE_CHECKING:
    from jettison.sandbox.namespace import Isolation
    from jettison.sandbox.runtime import Runtime


class Session(Struct, frozen=True):
    """An open store, held by a lease, in a process that is in its own namespaces."""

    store: Store
    isolation: Isolation
    environ: Mapping[str, str]

    @property
    def rootless(self) -> bool:
        return self.isolation.rootless

    def runtime(self) -> Runtime:
        """The OCI runtime that works on this host ($JETTISON_RUNTIME admits one only, as
        $JETTISON_SNAPSHOTTER does for the way root file systems are made).
        """
        from jettison.sandbox.probe import find_runtime
        from jettison.sandbox.snapshots import VARIABLE

        with self.store.staging.directory() as scratch:
            return find_runtime(
                self.isolation,
                scratch=str(scratch),
                remember=str(self.store.root / "runtime.json"),
                name=self.environ.get("JETTISON_RUNTIME") or None,
                snapshotter=self.environ.get(VARIABLE) or None,
            )


@contextmanager
def open_session(environ: Mapping[str, str]) -> Iterator[Session]:
    """Enter the namespaces (before any thread starts) and open the store.

    Raises SandboxError if the host forbids namespaces, StoreError if the store cannot be used.
    """
    isolation = enter_namespaces()
    root = default_root(environ, isolation.uid)
    with Store.open(root) as store:
        store.stand_apart(_flavor(isolation))
        store.durability.drop_doubtful()
        if store.staging.has_entries():  # of processes that were killed, perhaps in a RUN
            from jettison.sandbox import cgroups

            cgroups.sweep()
        with store.lease():
            yield Session(store, isolation, environ)


@contextmanager
def open_store(environ: Mapping[str, str]) -> Iterator[Store]:
    """The store alone, for what only reads and writes documents and blobs."""
    with Store.open(default_root(environ, os.getuid())) as store, store.lease():
        yield store


def _flavor(isolation: Isolation) -> str:
    """What tells the layers made here from others that may be in the same store: those of one id,
    and those of root in a user namespace, whose overlays keep other attributes than real root's.
    """
    if isolation.single_id:
        return ".1"
    return ".n" if isolation.rootless and isolation.uid == 0 else ""


@cache
def enter_namespaces() -> Isolation:
    """A process enters its namespaces once, however many sessions it opens."""
    from jettison.sandbox.namespace import enter

    return enter()
