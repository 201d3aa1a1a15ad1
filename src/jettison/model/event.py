"""What a long operation tells whoever watches: a stream of small frozen events.

Lower layers emit events to an Observer and never print. The command line turns them into the
live view, plain lines, or JSON.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from jettison.model.span import Span


class StepStarted(Struct, frozen=True):
    """A vertex of the progress view begins; ``number``/``total`` count within the build."""

    id: str
    name: str
    started: float  # seconds since the epoch


class StepLog(Struct, frozen=True):
    """Output of a RUN: bytes exactly as written; ``stream`` is 1 (stdout) or 2 (stderr)."""

    id: str
    stream: int
    data: bytes


class StepProgress(Struct, frozen=True):
    """Bytes moved so far by a part of a step (a layer, a copy); ``total`` 0 if unknown."""

    id: str
    part: str
    current: int
    total: int = 0


class StepFinished(Struct, frozen=True):
    """The end of a vertex: cached, done, failed (``error`` set) or cancelled."""

    id: str
    name: str
    finished: float
    cached: bool = False
    cancelled: bool = False
    error: str | None = None


class Warned(Struct, frozen=True):
    """Something the user should know; ``code`` is stable, ``url`` explains it."""

    code: str
    message: str
    span: Span | None = None
    url: str | None = None
    detail: str | None = None


class StepExplained(Struct, frozen=True):
    """Why a step has to run although steps like it ran before; a line for each reason."""

    id: str
    name: str
    reasons: tuple[str, ...]


Event = StepStarted | StepLog | StepProgress | StepFinished | StepExplained | Warned


class Observer(Protocol):
    """Receives events, from any thread; must be quick and must not raise."""

    def emit(self, event: Event) -> None: ...


class Silent:
    """An observer that drops everything."""

    def emit(self, event: Event) -> None:
        """Drop the event."""
