"""Progress as lines."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.cli.progress.plain import Plain
from jettison.model.event import Event
from tests.unit.cli.events import WARNING, cached, cancelled, done, failed, log, moved, start


def shown(events: Iterable[Event]) -> str:
    stream = io.BytesIO()
    view = Plain(stream)
    for event in events:
        view.emit(event)
    view.close()
    text = stream.getvalue().decode("utf-8", "surrogateescape")
    return re.sub(r"^(#\d+ )\d+\.\d{3} ", r"\1T ", text, flags=re.M)


def test_steps_output_and_ends() -> None:
    assert shown(
        [
            start("a", "[build 1/2] RUN make"),
            log("a", b"one\ntw"),
            log("a", b"o\r\nthree"),
            done("a"),
            cached("b", "[build 2/2] COPY . /src"),
            start("c"),
            failed("c", "exit code: 1"),
            start("d"),
            cancelled("d"),
        ]
    ) == (
        "#1 [build 1/2] RUN make\n"
        "#1 T one\n"
        "#1 T two\n"
        "#1 T three\n"
        "#1 DONE 1.5s\n"
        "\n"
        "#2 [build 2/2] COPY . /src\n"
        "#2 CACHED\n"
        "\n"
        "#3 c\n"
        "#3 ERROR: exit code: 1\n"
        "\n"
        "#4 d\n"
        "#4 CANCELED\n"
    )


def test_lines_of_parallel_steps_are_told_apart() -> None:
    assert (
        shown(
            [
                start("a"),
                start("b"),
                log("a", b"x"),
                log("b", b"1\n"),
                log("a", b"y\n"),
                log("b", b"2\n"),
            ]
        )
        == "#1 a\n\n#2 b\n#2 T 1\n#1 T xy\n#2 T 2\n"
    )


def test_output_without_an_end_is_not_lost_when_the_build_stops() -> None:
    assert shown([start("a"), log("a", b"half a line")]) == "#1 a\n#1 T half a line\n"


def test_a_transfer_is_told_at_its_beginning_and_its_end() -> None:
    events = [start("a"), *(moved("a", "layer", n * 1000, 100_000) for n in range(101))]
    text = re.sub(r"\d\.\ds", "Ts", shown([*events, moved("a", "layer", 100_000, 100_000)]))
    assert text == ("#1 a\n#1 layer 0B / 100kB\n#1 layer 100kB / 100kB Ts done\n")


def test_output_is_never_clipped() -> None:
    lines = b"".join(b"line %d\n" % n for n in range(300_000))
    events = [start("a"), *(log("a", lines[i : i + 65536]) for i in range(0, len(lines), 65536))]
    assert shown(events).count("\n") == 300_001


def test_bytes_are_passed_on_as_they_are() -> None:
    assert "\udcff\udcfe" in shown([start("a"), log("a", b"\xff\xfe\n")])


def test_warnings_are_told_once_at_the_end() -> None:
    assert shown([WARNING, start("a"), WARNING, done("a")]).endswith(
        "\n\n1 warning found:\n"
        " - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)\n"
        "   https://docs.docker.com/go/dockerfile/rule/from-as-casing/\n"
    )


class Broken(io.BytesIO):
    def write(self, data: object) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [Broken(), io.BytesIO()])
def test_a_stream_that_went_away_does_not_stop_the_build(stream: io.BytesIO) -> None:
    view = Plain(stream)
    view.emit(start("a"))
    stream.close()
    view.emit(log("a", b"x\n"))
    assert view.running() == ["a"]
    view.close()


def test_threads_do_not_mix_within_lines() -> None:
    stream = io.BytesIO()
    view = Plain(stream)

    def work(name: str) -> None:
        view.emit(start(name))
        for _ in range(200):
            view.emit(log(name, name.encode() * 20 + b"\n"))
        view.emit(done(name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line for line in stream.getvalue().decode().splitlines() if line]
    assert len(lines) == 4 * 202
    bodies = {line.split(" ")[-1] for line in lines if re.match(r"#\d \d+\.\d{3} ", line)}
    assert bodies == {name * 20 for name in "abcd"}


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=8), max_size=8))
def test_however_output_is_cut_up_its_lines_are_the_same(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert shown([start("a"), *(log("a", p) for p in pieces), done("a")]) == shown(
        [start("a"), log("a", whole), done("a")]
    )
