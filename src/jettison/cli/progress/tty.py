"""Progress on a terminal: redrawn while it goes on, the steps with their times at the end.

Drawing begins 150 ms after the first event, and only then is rich imported: what is done by then
(a build that is all cached) shows its steps at once and pays for nothing.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from jettison.cli.progress.screen import rows
from jettison.cli.progress.state import State
from jettison.cli.progress.warnings import summary
from jettison.cli.terminal import paint, wants_color
from jettison.model.event import Event, StepLog

if TYPE_CHECKING:
    from rich.console import Group

DELAY = 0.15
"""Seconds before anything is drawn."""
RATE = 8
"""Redraws a second."""
_DRAW, _HIDE, _CLOSE = "draw", "hide", "close"


class Tty:
    """The live view on a terminal."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], title: str) -> None:
        self._stream = stream
        self._color = wants_color(stream, environ)
        self._state = State(title)
        self._lock = threading.Lock()
        self._wish = _DRAW
        self._drawing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        with self._lock:
            vertex = self._state.apply(event)
            if vertex is not None and isinstance(event, StepLog):
                vertex.tail.extend(vertex.take_lines(event.data))
            if self._thread is None and self._wish != _CLOSE:
                self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._want(_CLOSE)
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._print_final()

    def hide(self) -> None:
        self._want(_HIDE)
        with self._changed:
            self._changed.wait_for(lambda: not self._drawing)

    def show(self) -> None:
        self._want(_DRAW)

    def running(self) -> list[str]:
        with self._lock:
            return self._state.running()

    def _want(self, wish: str) -> None:
        with self._changed:
            self._wish = wish
            self._changed.notify_all()

    def _draw(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._wish == _CLOSE, DELAY)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wish != _HIDE)
                if self._wish == _CLOSE:
                    return
                self._drawing = True
            try:
                self._draw_until_told()
            except OSError:  # the terminal has gone: the build goes on
                return
            finally:
                with self._changed:
                    self._drawing = False
                    self._changed.notify_all()

    def _draw_until_told(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(
            file=self._stream, force_terminal=True, no_color=not self._color, highlight=False
        )
        live = Live(
            console=console,
            get_renderable=lambda: self._render(console.width, console.height),
            refresh_per_second=RATE,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with live, self._changed:
            self._changed.wait_for(lambda: self._wish != _DRAW)

    def _render(self, width: int, height: int) -> Group:
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            view = rows(self._state, max(height - 1, 2), time.time())
        return Group(
            *(
                Text(
                    row.fitted(width),
                    style=row.style if self._color else "",
                    no_wrap=True,
                    overflow="crop",
                )
                for row in view
            )
        )

    def _print_final(self) -> None:
        if not self._state.vertexes and not self._state.warnings:
            return
        width = shutil.get_terminal_size().columns
        view = rows(self._state, 0, time.time(), final=True) if self._state.vertexes else []
        text = "".join(paint(row.fitted(width), row.style, self._color) + "\n" for row in view)
        warnings = summary(self._state.warnings)
        if warnings:
            text += "\n" + paint(warnings, "yellow", self._color)
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody looks any more
            pass
