"""Compressing layers while later steps still run, off the critical path."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jettison.errors import Cancelled, JettisonError
from jettison.fs.compress import Compression
from jettison.plan.steps import BuildPlan, Merge, Step
from jettison.store.store import Store

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


def chains(plan: BuildPlan) -> set[Step]:
    """The steps whose layers end up in an image: those of each target, down to its base."""
    found: set[Step] = set()
    for image in plan.images:
        found.update(entry.step for entry in image.history if entry.step is not None)
    return found


class Ahead:
    """Makes the blob of every finished layer that an image will hold, one at a time.

    A context manager; what is still waiting at the end is dropped, since whoever exports makes
    the blobs that are missing. ``compression`` None: no image is wanted, only files.
    """

    def __init__(
        self,
        store: Store,
        wanted: Iterable[Step],
        compression: Compression | None,
        cancel: threading.Event,
    ) -> None:
        self._store = store
        self._wanted = set(wanted)
        self._compression = compression
        self._cancel = cancel
        self._stop = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._running: list[Future[None]] = []

    def made(self, step: Step, layers: tuple[str, ...]) -> None:
        """A step was executed; its own layer is the last of ``layers``."""
        compression = self._compression
        if compression is None or step not in self._wanted or not layers:
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="compress")
        below = () if isinstance(step, Merge) else layers[:-1]
        self._running.append(self._pool.submit(self._compress, layers[-1], below, compression))

    def _compress(self, layer: str, below: tuple[str, ...], compression: Compression) -> None:
        from jettison.export.layers import layer_blob

        # What fails here the export makes, or says what is wrong with it.
        with contextlib.suppress(Cancelled, JettisonError):
            layer_blob(self._store, layer, below, compression, progress=self._stop_if_asked)

    def _stop_if_asked(self, _: int) -> None:
        if self._cancel.is_set() or self._stop.is_set():
            raise Cancelled

    def finish(self) -> None:
        """Wait for the layer that is being compressed and for those before it."""
        for future in self._running:
            future.result()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
