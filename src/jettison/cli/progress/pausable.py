"""A progress view that steps aside while a shell has the terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from jettison.cli.progress.display import Display
from jettison.errors import JettisonError, RunError
from jettison.model.event import Event

Report = Callable[[RunError], None]
"""Shows an error to the user."""


class Pausable:
    """An observer that passes events on to ``inner``, but holds them while a shell is open."""

    def __init__(self, inner: Display, report: Report) -> None:
        self._inner = inner
        self._report = report
        self._lock = threading.RLock()
        self._held: list[Event] | None = None
        self._opened = False

    def emit(self, event: Event) -> None:
        with self._lock:
            if self._held is None:
                self._inner.emit(event)
            else:
                self._held.append(event)

    def look_around(self, name: str, error: RunError, open_shell: Callable[[], int]) -> None:
        """Show ``error`` and open the shell. Only the first failure of a build gets one: what fails
        meanwhile fails with the build.
        """
        with self._lock:
            if self._opened:
                return
            self._opened = True
            self._held = []
            self._inner.hide()
        try:
            self._report(error)
            _say(f"{name} failed. This is a shell where it did; what you change there is thrown")
            _say("away. Leave it to end the build.")
            open_shell()
        except JettisonError as failure:
            _say(f"no shell could be opened: {failure}")
        finally:
            self._resume()

    def _resume(self) -> None:
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            self._inner.show()
            for event in held:
                self._inner.emit(event)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
