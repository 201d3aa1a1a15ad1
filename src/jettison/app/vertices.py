"""What is not a step of a build but takes time: a vertex of progress, and a way to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jettison.errors import Cancelled, JettisonError
from jettison.model.event import Observer, StepFinished, StepStarted

_POLL = 0.1  # seconds between looks at the cancel event


@contextmanager
def vertex(observer: Observer, title: str) -> Iterator[str]:
    """Show ``title`` while the block runs; gives the id that progress events carry."""

    def finished(*, cancelled: bool = False, error: str | None = None) -> None:
        observer.emit(StepFinished(title, title, time.time(), cancelled=cancelled, error=error))

    observer.emit(StepStarted(title, title, time.time()))
    try:
        yield title
    except JettisonError as error:
        finished(error=error.message)
        raise
    except (Cancelled, KeyboardInterrupt):
        finished(cancelled=True)
        raise
    except BaseException as error:
        finished(error=f"{type(error).__name__}: {error}")
        raise
    finished()


@contextmanager
def stopped_by(cancel: threading.Event, stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` if ``cancel`` is set while the block runs."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            if cancel.is_set():
                stop()
                return

    threading.Thread(target=watch, name="cancel", daemon=True).start()
    try:
        yield
    finally:
        done.set()
