"""Texts that look like Dockerfiles: made from a vocabulary, and real ones spoilt."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz import corpus
from tests.fuzz import vocabulary as v

pick = st.sampled_from


@st.composite
def sound(draw: st.DrawFn) -> str:
    """An instruction of a good shape, with words that often fit."""
    values = [draw(pick(v.VALUES)) for _ in range(3)]
    end = draw(pick(["\n", "\n", "\n", "\n", "\r\n", " \n", "\n\n"]))
    return draw(pick(v.SHAPES)).format(*values) + end


@st.composite
def wild(draw: st.DrawFn) -> str:
    """A keyword, flags, words, here-documents; nothing of it need fit."""
    keywords = [draw(pick(v.KEYWORDS))]
    if keywords[0] == "ONBUILD":
        keywords.append(draw(pick(v.KEYWORDS)))
    flags = draw(st.lists(pick(v.FLAGS), max_size=2))
    words = draw(st.lists(pick(v.WORDS), max_size=4))
    opened = draw(st.lists(pick(v.OPENERS), max_size=2)) if draw(st.integers(0, 3)) == 0 else []
    text = draw(pick(v.BLANKS)).join([*keywords, *flags, *words, *opened])
    text += "\n" if opened else draw(pick(v.ENDS))
    for _ in opened:
        text += draw(pick(v.BODIES)) + draw(pick(v.TERMINATORS))
    return text


@st.composite
def generated(draw: st.DrawFn) -> str:
    """Whole Dockerfiles, of which most have nothing wild."""
    if draw(st.integers(0, 2)):
        body = sound()
        head = draw(pick(["", "", "\ufeff", "ARG a=x P=linux/arm64\n"]))
        first = draw(pick(["FROM base\n", "FROM scratch AS base\nWORKDIR /w\n"]))
    else:
        body = st.one_of(sound(), wild())
        head = draw(pick(v.HEADS))
        first = draw(pick(["FROM base\n", "FROM scratch AS base\n", "FROM $a\n", ""]))
    return head + first + "".join(draw(st.lists(body, max_size=6)))


def seeds() -> list[bytes]:
    """Real Dockerfiles, cut to what is quickly tried."""
    return [path.read_bytes()[:4000] for path in (*corpus.own(), *corpus.given())]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real Dockerfile with pieces put in, cut out, doubled, swapped or taken from another."""
    some = pick(seeds())
    data = draw(some)
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.integers(0, 7))
        at = draw(st.integers(0, len(data)))
        end = min(at + draw(st.integers(1, 40)), len(data))
        if way == 0:
            data = data[:at] + data[end:]
        elif way <= 3:
            data = data[:at] + draw(pick(v.PIECES)) + data[at:]
        elif way == 4:
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        elif way == 5:
            data = data[:end] + data[at:]
        elif way == 6:
            data = _swapped(data, at, end)
        else:
            other = draw(some)
            start = draw(st.integers(0, len(other)))
            data = data[:at] + other[start : start + 200] + data[end:]
    return data.decode("utf-8", "surrogateescape")


def _swapped(data: bytes, at: int, end: int) -> bytes:
    """Two lines in each other's place, those in which the offsets lie."""
    lines = data.splitlines(keepends=True)
    a, b = data.count(b"\n", 0, at), data.count(b"\n", 0, (end * 7) % (len(data) + 1))
    if max(a, b) < len(lines):
        lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)
