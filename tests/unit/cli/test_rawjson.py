"""Progress as JSON: BuildKit's SolveStatus (client/graph.go), one object a line."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from jettison.cli.progress.rawjson import RawJson, timestamp
from jettison.model.event import Event
from tests.unit.cli.events import SOURCE, T0, WARNING, cancelled, done, failed, log, moved, start


def shown(*events: Event) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    view = RawJson(stream)
    for event in events:
        view.emit(event)
    view.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_vertex_has_its_times() -> None:
    begun, ended = shown(start("sha256:aa", "[1/2] RUN x"), done("sha256:aa", "[1/2] RUN x"))
    assert begun == {
        "vertexes": [
            {
                "digest": "sha256:aa",
                "name": "[1/2] RUN x",
                "started": "2023-11-14T22:13:20.000000Z",
            }
        ]
    }
    assert ended["vertexes"][0]["completed"] == "2023-11-14T22:13:21.500000Z"


def test_how_a_vertex_ended() -> None:
    assert shown(failed("a", "exit code: 1"))[0]["vertexes"][0]["error"] == "exit code: 1"
    assert shown(cancelled("a"))[0]["vertexes"][0]["error"] == "context canceled"


def test_output_is_base64() -> None:
    (entry,) = shown(start("a"), log("a", b"\xff\n"))[1]["logs"]
    assert entry["vertex"] == "a"
    assert entry["stream"] == 1
    assert base64.b64decode(entry["data"]) == b"\xff\n"


def test_transfers_say_when_they_are_complete() -> None:
    half, whole = shown(moved("a", "layer", 5, 10), moved("a", "layer", 10, 10))
    assert {k: half["statuses"][0][k] for k in ("id", "vertex", "total", "current")} == {
        "id": "layer",
        "vertex": "a",
        "total": 10,
        "current": 5,
    }
    assert "completed" not in half["statuses"][0]
    assert "completed" in whole["statuses"][0]


def test_a_warning_carries_its_source() -> None:
    (warning,) = shown(WARNING)[0]["warnings"]
    assert base64.b64decode(warning["short"]).startswith(b"FromAsCasing: ")
    assert warning["url"] == WARNING.url
    assert base64.b64decode(warning["sourceInfo"]["data"]).decode() == SOURCE.text
    assert warning["range"] == [{"start": {"line": 1}, "end": {"line": 1}}]


def test_names_that_are_not_utf8_make_valid_json() -> None:
    assert shown(start("a", "COPY \udcff /"))[0]["vertexes"][0]["name"] == "COPY \ufffd /"


def test_timestamps_round_without_overflow() -> None:
    assert timestamp(T0 + 0.9999999) == "2023-11-14T22:13:21.000000Z"
