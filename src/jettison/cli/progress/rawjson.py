"""Progress as JSON, one object a line, in the shape of buildx's rawjson (BuildKit SolveStatus).

Keys: ``vertexes`` (digest, name, started, completed, cached, error), ``statuses`` (id, vertex,
total, current, timestamp, started, completed), ``logs`` (vertex, stream, data in base64,
timestamp), ``warnings`` (level, short and detail in base64, url, sourceInfo, range). A vertex's
``digest`` is whatever the builder calls it: opaque, and equal wherever it stands for the same step.
Times are RFC 3339 in UTC.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import IO, Any

from jettison.cli.progress.state import State, Vertex
from jettison.model.event import (
    Event,
    StepExplained,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
    Warned,
)
from jettison.model.span import Span


class RawJson:
    """JSON lines on a binary stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream: IO[bytes] | None = stream
        self._state = State()
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._lock:
            vertex = self._state.apply(event)
            match event:
                case StepStarted() | StepFinished():
                    assert vertex is not None
                    self._write({"vertexes": [_vertex(vertex)]})
                case StepLog():
                    self._write({"logs": [_log(event)]})
                case StepExplained():
                    self._write({"logs": [_log(why) for why in _as_logs(event)]})
                case StepProgress():
                    assert vertex is not None
                    self._write({"statuses": [_status(vertex, event)]})
                case Warned():
                    self._write({"warnings": [_warning(event)]})

    def close(self) -> None:
        with self._lock:
            self._stream = None

    def hide(self) -> None:
        """Nothing is drawn between events."""

    def show(self) -> None:
        """See `hide`."""

    def running(self) -> list[str]:
        with self._lock:
            return self._state.running()

    def _write(self, document: dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more: the build goes on
            self._stream = None


def _vertex(vertex: Vertex) -> dict[str, Any]:
    found: dict[str, Any] = {"digest": vertex.id, "name": _text(vertex.name)}
    if vertex.started:
        found["started"] = timestamp(vertex.started)
    if vertex.finished:
        found["completed"] = timestamp(vertex.finished)
    if vertex.cached:
        found["cached"] = True
    if vertex.cancelled:
        found["error"] = "context canceled"
    elif vertex.error is not None:
        found["error"] = _text(vertex.error)
    return found


def _log(event: StepLog) -> dict[str, Any]:
    data = base64.b64encode(event.data).decode()
    now = timestamp(time.time())
    return {"vertex": event.id, "stream": event.stream, "data": data, "timestamp": now}


def _as_logs(event: StepExplained) -> list[StepLog]:
    """Reasons as lines of the step's output: the format has no word for them."""
    lines = (f"why: {reason}\n".encode("utf-8", "surrogateescape") for reason in event.reasons)
    return [StepLog(event.id, 2, line) for line in lines]


def _status(vertex: Vertex, event: StepProgress) -> dict[str, Any]:
    part, now = vertex.parts[event.part], timestamp(time.time())
    found: dict[str, Any] = {"id": _text(event.part), "vertex": event.id}
    if event.total:
        found["total"] = event.total
    found |= {"current": event.current, "timestamp": now, "started": timestamp(part.started)}
    if part.done:
        found["completed"] = now
    return found


def _warning(event: Warned) -> dict[str, Any]:
    short = f"{event.code}: {event.message}"
    if event.span:
        short += f" (line {event.span.line})"
    found: dict[str, Any] = {"level": 1, "short": _base64(short)}
    if event.detail:
        found["detail"] = [_base64(line) for line in event.detail.splitlines()]
    if event.url:
        found["url"] = event.url
    if event.span:
        found["sourceInfo"] = {
            "filename": _text(event.span.file),
            "data": _base64(event.span.source.text),
        }
        found["range"] = [_range(event.span)]
    return found


def _range(span: Span) -> dict[str, Any]:
    end = max(span.line, span.end_line)
    return {"start": {"line": span.line}, "end": {"line": end}}


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    whole, fraction = divmod(round(seconds * 1_000_000), 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:06}Z"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _text(text: str) -> str:
    """JSON is UTF-8: bytes that are not become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
