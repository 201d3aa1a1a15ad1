"""What a progress view knows: the vertexes of a build, in the order they began, and warnings."""

from __future__ import annotations

import time
from collections import deque

from msgspec import Struct, field

from jettison.model.event import (
    Event,
    StepExplained,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
    Warned,
)

TAIL = 6
"""Lines of output kept of each step, for the live view."""


class Part(Struct):
    """A part of a step that counts bytes."""

    current: int = 0
    total: int = 0
    started: float = 0.0

    @property
    def done(self) -> bool:
        return 0 < self.total <= self.current


class Vertex(Struct):
    """A step as the view shows it; times are seconds since the epoch, 0 if not yet."""

    id: str
    index: int
    name: str
    started: float = 0.0
    finished: float = 0.0
    cached: bool = False
    cancelled: bool = False
    error: str | None = None
    parts: dict[str, Part] = field(default_factory=dict)
    tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=TAIL))
    reasons: tuple[str, ...] = ()
    partial: bytes = b""
    """The last line of output, as long as it has no end."""

    def seconds(self, now: float) -> float:
        if not self.started:
            return 0.0
        return max(0.0, (self.finished or now) - self.started)

    def take_lines(self, data: bytes) -> list[bytes]:
        """Add output; the lines it completed, without their ends."""
        *lines, self.partial = (self.partial + data).split(b"\n")
        return [line.removesuffix(b"\r") for line in lines]


class State:
    """Vertexes by id and warnings, each once. Not thread-safe: views lock."""

    def __init__(self, title: str = "Building") -> None:
        self.title = title
        self.vertexes: dict[str, Vertex] = {}
        self.warnings: list[Warned] = []
        self.began = time.time()

    def vertex(self, id: str, name: str = "") -> Vertex:
        """The vertex ``id``, new if it is unknown."""
        found = self.vertexes.get(id)
        if found is None:
            found = self.vertexes[id] = Vertex(id, len(self.vertexes) + 1, name or id)
        elif name:
            found.name = name
        return found

    def apply(self, event: Event) -> Vertex | None:
        """Take in ``event``; the vertex it is about (None for a warning). Logs are left alone."""
        match event:
            case StepStarted():
                vertex = self.vertex(event.id, event.name)
                vertex.started, vertex.finished = event.started, 0.0
                return vertex
            case StepFinished():
                vertex = self.vertex(event.id, event.name)
                vertex.finished = event.finished
                vertex.cached, vertex.cancelled = event.cached, event.cancelled
                vertex.error = event.error
                return vertex
            case StepProgress():
                vertex = self.vertex(event.id)
                part = vertex.parts.setdefault(event.part, Part(started=time.time()))
                part.current, part.total = event.current, event.total
                return vertex
            case StepLog():
                return self.vertex(event.id)
            case StepExplained():
                vertex = self.vertex(event.id, event.name)
                vertex.reasons = event.reasons
                return vertex
            case Warned():
                known = [(w.code, w.message, str(w.span)) for w in self.warnings]
                if (event.code, event.message, str(event.span)) not in known:
                    self.warnings.append(event)
        return None

    def running(self) -> list[str]:
        """Names of the vertexes that have begun and not ended."""
        return [v.name for v in self.vertexes.values() if v.started and not v.finished]
