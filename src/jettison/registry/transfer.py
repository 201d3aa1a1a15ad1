"""Moving several blobs at once: workers that stop together, and progress for the observer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import IO, Protocol

from jettison.errors import Cancelled
from jettison.model.digest import Digest
from jettison.model.event import Observer, StepProgress
from jettison.model.oci import Descriptor
from jettison.model.source import BlobSource

Job = Callable[[threading.Event], None]
"""Work for one thread; it looks at the event now and then, and stops when it is set."""

_INTERVAL = 0.1  # seconds between two progress events of one part


class BlobSink(Protocol):
    """Where pulled blobs go, and may be read again: the store's blobs."""

    def has(self, digest: Digest) -> bool: ...

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]: ...

    def ingest(
        self,
        stream: IO[bytes],
        *,
        digest: Digest | None = None,
        size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> object:
        """Keep what ``stream`` gives, if size and digest are right (else ImageError)."""
        ...

    def fetch(
        self,
        descriptor: Descriptor,
        source: BlobSource,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Have a blob of ``source`` here, if size and digest are right (else ImageError)."""
        ...


class Progress:
    """Tells an observer how far one blob is; called with the bytes moved so far.

    Raises Cancelled in the worker once ``stop`` is set.
    """

    def __init__(
        self, observer: Observer, step: str, descriptor: Descriptor, stop: threading.Event
    ) -> None:
        self._observer = observer
        self._step = step
        self._descriptor = descriptor
        self._stop = stop
        self._next = 0.0

    def __call__(self, current: int) -> None:
        if self._stop.is_set():
            raise Cancelled
        now = time.monotonic()
        total = self._descriptor.size
        if now >= self._next or current == total:
            self._next = now + _INTERVAL
            self._observer.emit(StepProgress(self._step, self._descriptor.digest, current, total))


def run_all(jobs: Iterable[Job], parallel: int, interrupt: Callable[[], None]) -> None:
    """Run ``jobs``, at most ``parallel`` at a time, and wait for all of them.

    The first failure stops the others and is raised. ``interrupt`` is called when the wait itself
    is interrupted (Ctrl-C), so that nobody sleeps on.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    stop = threading.Event()

    def run(job: Job) -> None:
        if stop.is_set():
            return
        try:
            job(stop)
        except BaseException:
            stop.set()  # at once: the thread that waits may be slow to notice
            raise

    with ThreadPoolExecutor(parallel, thread_name_prefix="registry") as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except Exception:
            stop.set()
            raise
        except BaseException:
            stop.set()
            interrupt()
            raise
