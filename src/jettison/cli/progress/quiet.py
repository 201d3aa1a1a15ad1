"""No progress: nothing but what failed is shown, by the error."""

from __future__ import annotations

import threading

from jettison.cli.progress.state import State
from jettison.model.event import Event, StepFinished, StepStarted


class Quiet:
    """A display that shows nothing and remembers what is running."""

    def __init__(self) -> None:
        self._state = State()
        self._lock = threading.RLock()  # a signal's handler may ask for what is running

    def emit(self, event: Event) -> None:
        if isinstance(event, StepStarted | StepFinished):
            with self._lock:
                self._state.apply(event)

    def close(self) -> None:
        """Nothing is left to show."""

    def hide(self) -> None:
        """Nothing is drawn between events."""

    def show(self) -> None:
        """See `hide`."""

    def running(self) -> list[str]:
        with self._lock:
            return self._state.running()
