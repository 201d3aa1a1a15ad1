"""The live view as rows of text: pure, so that it can be tested without a terminal."""

from __future__ import annotations

from msgspec import Struct

from jettison.cli.progress.state import State, Vertex
from jettison.cli.text import human_duration, human_size, printable

MIN_WIDTH = 20


class Row(Struct, frozen=True):
    """One line: ``left`` (clipped to fit), ``right`` (at the right edge), and its style."""

    left: str
    right: str = ""
    style: str = ""

    def fitted(self, width: int) -> str:
        """The line in at most ``width`` columns."""
        room = max(width - len(self.right) - 1, 0) if self.right else width
        left = self.left if len(self.left) <= room else self.left[: max(room - 1, 0)] + "…"
        if not self.right:
            return left
        return f"{left.ljust(room)} {self.right}"[:width]


def rows(state: State, height: int, now: float, *, final: bool = False) -> list[Row]:
    """The whole view in at most ``height`` rows (0: any number).

    What has to give way goes in this order: output, finished parts, cached and finished steps
    from the oldest on. Running and failed steps stay longest.
    """
    blocks = [_block(v, now, final) for v in state.vertexes.values()]
    budget = height - 1 if height else sum(map(len, blocks))
    for shrink in (_without_output, _without_parts):
        if sum(map(len, blocks)) > budget:
            blocks = [shrink(block) for block in blocks]
    vertexes = list(state.vertexes.values())
    over = sum(map(len, blocks)) - budget
    for wanted in (True, False):  # first those that are over, then the oldest whatever it is
        for index, vertex in enumerate(vertexes):
            settled = bool(vertex.finished) and vertex.error is None
            if over > 0 and blocks[index] and settled is wanted:
                over -= len(blocks[index])
                blocks[index] = []
    return [_header(state, now, final), *(row for block in blocks for row in block)]


def _header(state: State, now: float, final: bool) -> Row:
    all_of_them = state.vertexes.values()
    done = sum(bool(v.finished) for v in all_of_them)
    text = f"[+] {state.title} {human_duration(now - state.began)} ({done}/{len(all_of_them)})"
    if final:
        failed = any(v.error is not None for v in all_of_them)
        stopped = any(v.cancelled or not v.finished for v in all_of_them)
        text += " FAILED" if failed else " CANCELED" if stopped else " FINISHED"
    return Row(text, style="bold")


def _block(vertex: Vertex, now: float, final: bool) -> list[Row]:
    state = "CACHED " if vertex.cached else ""
    style = "" if not vertex.finished else "blue"
    if vertex.error is not None:
        state, style = "ERROR ", "red"
    elif vertex.cancelled or (final and not vertex.finished):
        state, style = "CANCELED ", "yellow"
    title = Row(f" => {state}{printable(vertex.name)}", human_duration(vertex.seconds(now)), style)
    if vertex.finished or final:
        return [title, *_reasons(vertex)]
    return [title, *_parts(vertex, now), *_output(vertex)]


def _reasons(vertex: Vertex) -> list[Row]:
    return [Row(f" => => why: {printable(reason)}") for reason in vertex.reasons]


def _parts(vertex: Vertex, now: float) -> list[Row]:
    found = []
    for name, part in vertex.parts.items():
        size = human_size(part.current) + (f" / {human_size(part.total)}" if part.total else "")
        took = "" if part.done else human_duration(now - part.started)
        found.append(
            Row(f" => => {printable(name)}  {size}", took, "blue" if part.done else "cyan")
        )
    return found


def _output(vertex: Vertex) -> list[Row]:
    lines = [*vertex.tail, *([vertex.partial] if vertex.partial else [])]
    return [
        Row(" => => # " + shown_line(line), style="dim")
        for line in lines[-(vertex.tail.maxlen or 1) :]
    ]


def shown_line(line: bytes) -> str:
    """What a terminal would show of a line: after carriage returns, without control sequences."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    return printable(text.rpartition("\r")[2])


def _without_output(block: list[Row]) -> list[Row]:
    return [row for row in block if row.style != "dim"]


def _without_parts(block: list[Row]) -> list[Row]:
    return block[:1]
