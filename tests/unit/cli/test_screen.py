"""The live view as rows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.cli.progress.screen import Row, rows
from jettison.cli.progress.state import State
from jettison.model.event import Event, StepLog
from tests.unit.cli.events import T0, cached, cancelled, done, failed, log, moved, start

NOW = T0 + 3


def state_of(*events: Event) -> State:
    state = State()
    state.began = T0
    for event in events:
        vertex = state.apply(event)
        if vertex is not None and isinstance(event, StepLog):
            vertex.tail.extend(vertex.take_lines(event.data))
    for vertex in state.vertexes.values():
        for part in vertex.parts.values():
            part.started = T0
    return state


def screen(state: State, *, height: int = 50, width: int = 44, final: bool = False) -> str:
    return "".join(r.fitted(width) + "\n" for r in rows(state, height, NOW, final=final))


BUILD = (
    cached("[1/4] FROM a"),
    start("[2/4] RUN make"),
    log("[2/4] RUN make", b"cc \x1b[32mmain.c\x1b[0m\n10%\r50%"),
    start("pull"),
    moved("pull", "layer", 1500, 3000),
    moved("pull", "config", 10, 10),
)


def test_running_steps_show_time_bytes_and_their_last_output() -> None:
    assert screen(state_of(*BUILD)) == (
        "[+] Building 3.0s (1/3)\n"
        " => CACHED [1/4] FROM a                 0.0s\n"
        " => [2/4] RUN make                      3.0s\n"
        " => => # cc main.c\n"
        " => => # 50%\n"
        " => pull                                3.0s\n"
        " => => layer  1.5kB / 3kB               3.0s\n"
        " => => config  10B / 10B\n"
    )


def test_only_the_last_lines_of_output_are_shown() -> None:
    lines = b"".join(b"%d\n" % n for n in range(20))
    text = screen(state_of(start("a"), log("a", lines + b"end")))
    assert text.split("\n")[2:-1] == [f" => => # {n}" for n in (15, 16, 17, 18, 19, "end")]


def test_the_end_lists_every_step_without_output() -> None:
    state = state_of(*BUILD, failed("[2/4] RUN make", "exit code: 1"), cancelled("pull"))
    assert screen(state, height=0, final=True) == (
        "[+] Building 3.0s (3/3) FAILED\n"
        " => CACHED [1/4] FROM a                 0.0s\n"
        " => ERROR [2/4] RUN make                2.0s\n"
        " => CANCELED pull                       2.0s\n"
    )
    assert screen(state_of(start("a"), done("a")), final=True).startswith(
        "[+] Building 3.0s (1/1) FINISHED\n"
    )
    assert "CANCELED a" in screen(state_of(start("a")), final=True)


def test_in_a_low_window_the_running_steps_stay() -> None:
    finished = [event for n in range(30) for event in (start(f"old{n}"), done(f"old{n}"))]
    state = state_of(*finished, start("a"), log("a", b"1\n2\n3\n"), start("b"))
    text = screen(state, height=5)
    assert text.split("\n")[1:-1] == [
        " => old28                               1.5s",
        " => old29                               1.5s",
        " => a                                   3.0s",
        " => b                                   3.0s",
    ]


def test_a_long_name_is_clipped_and_the_time_stays() -> None:
    assert Row(" => " + "x" * 50, "1.0s").fitted(20) == " => xxxxxxxxxx… 1.0s"


@settings(max_examples=60)
@given(st.integers(2, 12), st.integers(1, 40), st.lists(st.integers(0, 9), max_size=20))
def test_the_view_never_outgrows_the_window(height: int, width: int, kinds: list[int]) -> None:
    state = state_of(
        *(start(str(i)) for i in range(len(kinds))),
        *(log(str(i), b"x\n" * kind) for i, kind in enumerate(kinds)),
        *(done(str(i)) for i, kind in enumerate(kinds) if kind > 6),
    )
    view = rows(state, height, NOW)
    assert len(view) <= height
    assert all(len(row.fitted(width)) <= width for row in view)
