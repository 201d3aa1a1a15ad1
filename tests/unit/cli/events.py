"""Streams of events as a build emits them."""

from __future__ import annotations

from jettison.model.event import Event, StepFinished, StepLog, StepProgress, StepStarted, Warned
from jettison.model.span import SourceText, Span

T0 = 1_700_000_000.0
SOURCE = SourceText("Dockerfile", "FROM a as B\nRUN make\n")
WARNING = Warned(
    "FromAsCasing",
    "'as' and 'FROM' keywords' casing do not match",
    Span(SOURCE, 1),
    "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
)


def start(id: str, name: str = "", at: float = T0) -> Event:
    return StepStarted(id, name or id, at)


def done(id: str, name: str = "", at: float = T0 + 1.5) -> Event:
    return StepFinished(id, name or id, at)


def cached(id: str, name: str = "") -> Event:
    return StepFinished(id, name or id, T0, cached=True)


def failed(id: str, error: str) -> Event:
    return StepFinished(id, id, T0 + 2, error=error)


def cancelled(id: str) -> Event:
    return StepFinished(id, id, T0 + 2, cancelled=True)


def log(id: str, data: bytes) -> Event:
    return StepLog(id, 1, data)


def moved(id: str, part: str, current: int, total: int = 0) -> Event:
    return StepProgress(id, part, current, total)
