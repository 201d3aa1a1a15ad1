"""Ctrl-C, SIGTERM and SIGHUP: however the operation hangs, it has ended within a second.

The first signal asks it to stop (an Event that solver and transfers watch). What does not follow is
cut off: connections are shut down and children killed, so that threads that wait for them go on,
and Cancelled is raised in the main thread; again if it waits for a thread while leaving. What hangs
even then, or a second signal, ends the process at once. Nothing is lost by that: the store stands
any kill.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from jettison.errors import Cancelled

GRACE = 0.3
"""Seconds an operation gets to see the Event."""
AGAIN = (0.25, 0.2)
"""Seconds between Cancelled being raised and raised again, and from then to the end."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STATUS = 130
_SHOW_CURSOR = b"\x1b[?25h\n"


class _Handlers:
    """Handlers for SIGNALS while a ``with`` block runs, and what they do to end the operation.

    In a thread other than the main one (Python handles signals only there) there are none.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._event = threading.Event()
        self._old: list[tuple[signal.Signals, object]] = []
        self._raised = 0

    def __enter__(self) -> threading.Event:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                    # A function, as what is ignored would stay ignored in a container.
                    self._old.append((number, signal.signal(number, self._on_signal)))
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

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._begin()

    def _begin(self) -> None:
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
        if self._raised == len(AGAIN):
            _exit_now()
        self._stop()

    def _stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN[self._raised])
        self._raised += 1
        hang_up()
        kill_children()
        raise Cancelled


class Interruptible(_Handlers):
    """``with Interruptible() as cancel:`` - signals set the Event ``cancel``.

    ``grace`` 0 is for operations that do not watch the Event.
    """

    def __init__(self, grace: float = GRACE) -> None:
        super().__init__(grace)


class ContainerSignals(_Handlers):
    """``with ContainerSignals(busy) as cancel:`` - signals while a container has the terminal.

    Ctrl-C reaches the container itself, which may handle it and go on, so the first is its own; the
    second, the other signals, and any while ``busy()`` (the container is not made yet) set
    ``cancel``.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        super().__init__(GRACE)
        self._busy = busy
        self._seen = 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._seen += 1
        if number != signal.SIGINT or self._seen > 1 or self._busy():
            self._begin()


def hang_up() -> None:
    """Shut down all network connections, so that whoever reads from one or makes one goes on.

    Process-wide, whatever library they belong to: the process is about to end.
    """
    import socket

    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            connection = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with connection, contextlib.suppress(OSError):
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                connection.shutdown(socket.SHUT_RDWR)


def kill_children() -> None:
    """Kill all processes that descend from this one (proc_pid_stat(5): field 4 is the parent)."""
    parents: dict[int, int] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
            parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    for pid in found - {os.getpid()}:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _exit_now() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)
    os.write(2, b"error: interrupted\n")
    os._exit(_STATUS)


def terminate_like_interrupt() -> None:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does, with clean-up, from here on."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.default_int_handler)


def last_words() -> None:
    """Raise nothing from here on: while the error is told, an alarm ends the process."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, lambda number, frame: _exit_now())
