"""Edits of a text by offset: what no edit names stays byte for byte.

Offsets count characters of `Ast.source` (which has no byte order mark).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

from msgspec import Struct

from jettison.dockerfile.ast import JoinedLine, Node, Word
from jettison.model.span import SourceText, Span


class Edit(Struct, frozen=True, order=True):
    """The characters from ``start`` up to ``end`` become ``text``."""

    start: int
    end: int
    text: str


Edits = tuple[Edit, ...]


def apply_edits(text: str, groups: Iterable[Edits]) -> str:
    """``text`` with groups of edits made; each group is made as a whole or not at all.

    A group that touches what an earlier one has changed is left out: it was made for a text that
    no longer is. Two insertions at one place touch each other.
    """
    taken: list[Edit] = []
    for group in groups:
        if not any(_touched(edit, taken) for edit in group):
            for edit in group:
                insort(taken, edit)
    pieces: list[str] = []
    at = 0
    for edit in taken:
        pieces += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join([*pieces, text[at:]])


def _touched(edit: Edit, taken: list[Edit]) -> bool:
    """Whether an edit touches one of those taken, which are in order and apart: a neighbour."""
    at = bisect_left(taken, edit)
    return any(_touch(edit, other) for other in taken[max(at - 1, 0) : at + 1])


def _touch(a: Edit, b: Edit) -> bool:
    if a.start == b.start:
        return True
    return a.start < b.end and b.start < a.end


class Places:
    """Where things of a source text are, as offsets and as spans."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._starts = [0]
        at = source.text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = source.text.find("\n", at + 1)

    def offset(self, line: int, column: int = 1) -> int:
        """Of the character at ``line`` and ``column``, which count from 1."""
        return self._starts[line - 1] + column - 1

    def span(self, offset: int, end_line: int = 0) -> Span:
        line = bisect_right(self._starts, offset)
        return Span(self._source, line, offset - self._starts[line - 1] + 1, end_line or line)

    def line(self, number: int) -> tuple[int, int]:
        """Where line ``number`` begins, and where the next one does."""
        last = number == len(self._starts)
        return self._starts[number - 1], len(self._source.text) if last else self._starts[number]

    def in_joined(self, joined: JoinedLine, offset: int) -> int:
        """Of the character at ``offset`` of an instruction's joined text."""
        span = joined.span(offset)
        return self.offset(span.line, span.column)

    def range_of(self, joined: JoinedLine, start: int, end: int) -> tuple[int, int] | None:
        """Of a part of the joined text; None if a continuation interrupts it, or it is empty."""
        if end <= start:
            return None
        first = self.in_joined(joined, start)
        last = first + end - start
        same = self._source.text[first:last] == joined.text[start:end]
        return (first, last) if same else None

    def replace(self, node: Node, word: Word, text: str) -> Edits:
        """The edit that puts ``text`` in place of a word; none if the word is not as written
        there (quotes resolved, or interrupted by a continuation).
        """
        end = word.offset + len(word.value)
        found = self.range_of(node.joined, word.offset, end)
        if found is None or node.joined.text[word.offset : end] != word.value:
            return ()
        return (Edit(*found, text),)
