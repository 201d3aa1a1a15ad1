"""Ctrl-C and SIGTERM.

The first signal asks the operation to stop (an Event that solver and transfers watch); what does
not follow within half a second is stopped by raising Cancelled in the main thread; what hangs even
then, or a second signal, ends the process at once. Nothing is lost by that: the store stands any
kill.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from jettison.errors import Cancelled

GRACE = 0.4
"""Seconds an operation gets to see the Event."""
LAST_RESORT = 3.0
"""Seconds after which a process that was asked to stop is ended."""
_STATUS = 130
_SHOW_CURSOR = b"\x1b[?25h\n"


class Interruptible:
    """``with Interruptible() as cancel:`` - signals set the Event ``cancel``.

    ``grace`` 0 is for operations that do not watch the Event. In a thread other than the main one
    (Python handles signals only there) it does nothing.
    """

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._event = threading.Event()
        self._old: list[tuple[signal.Signals, object]] = []
        self._raised = False

    def __enter__(self) -> threading.Event:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._install(number)
        return self._event

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._event.is_set():
            return  # handlers and timer stay: they bound the time that leaving takes
        for number, handler in self._old:
            signal.signal(number, handler)  # type: ignore[arg-type]  # signal.signal's own value

    def _install(self, number: signal.Signals) -> None:
        self._old.append((number, signal.signal(number, self._on_signal)))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._event.is_set():
            _exit_now()
        self._event.set()
        signal.signal(signal.SIGALRM, self._on_alarm)
        # After the last of Python there is nobody to handle the alarm: it would kill the process.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
        if self._grace:
            signal.setitimer(signal.ITIMER_REAL, self._grace)
            return
        self._stop()

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        if self._raised:
            _exit_now()
        self._stop()

    def _stop(self) -> None:
        self._raised = True
        signal.setitimer(signal.ITIMER_REAL, LAST_RESORT)
        raise Cancelled


class ContainerSignals:
    """``with ContainerSignals(busy) as cancel:`` - signals while a container has the terminal.

    Ctrl-C reaches the container itself, which may handle it and go on, so the first is its own; the
    second, SIGTERM, and any signal while ``busy()`` (the container is not made yet) set ``cancel``.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._event = threading.Event()
        self._old: list[tuple[signal.Signals, object]] = []
        self._seen = 0

    def __enter__(self) -> threading.Event:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                # A function, as what is ignored would stay ignored in the container.
                self._old.append((number, signal.signal(number, self._on_signal)))
        return self._event

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old:
            signal.signal(number, handler)  # type: ignore[arg-type]  # signal.signal's own value

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._seen += 1
        if number == signal.SIGTERM or self._seen > 1 or self._busy():
            self._event.set()


def _exit_now() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)
    os.write(2, b"error: interrupted\n")
    os._exit(_STATUS)


def terminate_like_interrupt() -> None:
    """Make SIGTERM end the program as Ctrl-C does, with clean-up, from here on."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
