"""What every command that takes time does: show progress, stop on Ctrl-C, say what was stopped."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jettison.cli.progress.display import Display, open_display
from jettison.cli.signals import GRACE, ContainerSignals, Interruptible
from jettison.errors import Cancelled


@contextmanager
def watching(
    mode: str,
    environ: Mapping[str, str],
    *,
    title: str = "Building",
    grace: float = 0.0,
    container: bool = False,
) -> Iterator[tuple[Display, threading.Event]]:
    """A display in ``mode``, and the Event that is set on Ctrl-C.

    ``title`` says what goes on (the live view's first line); ``grace`` is the time in seconds the
    operation gets to follow the Event. With ``container`` a container runs, which gets Ctrl-C first
    (`signals.ContainerSignals`). Leaving by Cancelled or KeyboardInterrupt raises Cancelled with
    the names of the steps that were running.
    """
    display = open_display(mode, sys.stderr, environ, title)
    try:
        signals = (
            ContainerSignals(lambda: bool(display.running())) if container else Interruptible(grace)
        )
        with signals as cancel:
            yield display, cancel
    except (Cancelled, KeyboardInterrupt) as stopped:
        names = display.running()
        raise Cancelled(", ".join(names) or str(stopped)) from None
    finally:
        display.close()


__all__ = ["GRACE", "watching"]
