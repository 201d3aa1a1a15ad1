"""Progress as lines, for logs and pipes: each says whose it is.

    #1 [build 1/5] RUN make
    #1 0.123 cc -c main.c
    #1 DONE 1.2s

    #2 [build 2/5] COPY . /src
    #2 CACHED

The form is buildx's. Unlike there nothing is held back while another step is talking, and no
output is clipped: a line belongs to the step whose number it begins with.
"""

from __future__ import annotations

import threading
import time
from typing import IO

from jettison.cli.progress.state import Part, State, Vertex
from jettison.cli.progress.warnings import summary
from jettison.cli.text import human_duration, human_size, printable
from jettison.model.event import (
    Event,
    StepExplained,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)

INTERVAL = 2.0
"""Seconds between two lines about one part of a transfer."""


class Plain:
    """Lines on a binary stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream: IO[bytes] | None = stream
        self._state = State()
        self._lock = threading.Lock()
        self._titled: set[str] = set()
        self._told: dict[tuple[str, str], float] = {}

    def emit(self, event: Event) -> None:
        with self._lock:
            vertex = self._state.apply(event)
            if vertex is None:
                return
            lines = self._title(vertex)
            match event:
                case StepLog():
                    lines += self._output(vertex, vertex.take_lines(event.data))
                case StepProgress():
                    lines += self._transfer(vertex, event)
                case StepFinished():
                    lines += self._end(vertex)
                case StepExplained():
                    lines += [f"#{vertex.index} why: {printable(r)}" for r in event.reasons]
                case StepStarted():
                    pass
            self._write(lines)

    def close(self) -> None:
        with self._lock:
            for vertex in self._state.vertexes.values():
                if not vertex.finished:
                    self._write(self._rest(vertex))
            text = summary(self._state.warnings)
            if text:
                self._write(["", *text.splitlines()])
            self._stream = None

    def hide(self) -> None:
        """Nothing is drawn between events."""

    def show(self) -> None:
        """See `hide`."""

    def running(self) -> list[str]:
        with self._lock:
            return self._state.running()

    def _title(self, vertex: Vertex) -> list[str | bytes]:
        if vertex.id in self._titled:
            return []
        blank: list[str | bytes] = [""] if self._titled else []
        self._titled.add(vertex.id)
        return [*blank, f"#{vertex.index} {printable(vertex.name)}"]

    def _output(self, vertex: Vertex, lines: list[bytes]) -> list[str | bytes]:
        prefix = f"#{vertex.index} {vertex.seconds(time.time()):.3f} ".encode()
        return [prefix + line for line in lines]

    def _rest(self, vertex: Vertex) -> list[str | bytes]:
        """An unfinished last line."""
        last, vertex.partial = vertex.partial, b""
        return self._output(vertex, [last]) if last else []

    def _transfer(self, vertex: Vertex, event: StepProgress) -> list[str | bytes]:
        part, key, now = vertex.parts[event.part], (vertex.id, event.part), time.monotonic()
        last = self._told.get(key, 0.0)
        if last == float("inf") or (not part.done and now - last < INTERVAL):
            return []
        self._told[key] = float("inf") if part.done else now
        return [f"#{vertex.index} {printable(event.part)} {amount(part)}"]

    def _end(self, vertex: Vertex) -> list[str | bytes]:
        lines = self._rest(vertex)
        if vertex.cancelled:
            how = "CANCELED"
        elif vertex.error is not None:
            how = f"ERROR: {printable(vertex.error)}"
        elif vertex.cached:
            how = "CACHED"
        else:
            how = f"DONE {human_duration(vertex.seconds(time.time()))}"
        return [*lines, f"#{vertex.index} {how}"]

    def _write(self, lines: list[str | bytes]) -> None:
        if self._stream is None or not lines:
            return
        encoded = (
            line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")
            for line in lines
        )
        try:
            self._stream.write(b"\n".join(encoded) + b"\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more: the build goes on
            self._stream = None


def amount(part: Part) -> str:
    """How far a transfer is: ``1.2MB / 3MB``, with ``done`` and its time at the end."""
    text = human_size(part.current)
    if part.total:
        text += f" / {human_size(part.total)}"
    if part.done:
        text += f" {human_duration(time.time() - part.started)} done"
    return text
