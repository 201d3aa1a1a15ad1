"""Where in which text something stands."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    return text.split("\n")


class SourceText(Struct, frozen=True):
    """A text and the name it is shown under (a path, or ``<stdin>``)."""

    name: str
    text: str

    def line(self, number: int) -> str:
        """Line ``number`` (1-based) without its line end; empty if there is no such line."""
        lines = _lines(self.text)  # kept: a report shows line after line of one text
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


class Span(Struct, frozen=True):
    """A range of lines in a source text; the column points at where it begins.

    ``line``, ``column`` and ``end_line`` count from 1, ``end_line`` is inclusive; ``column``
    counts characters.
    """

    source: SourceText
    line: int
    column: int = 1
    end_line: int = 0

    @property
    def file(self) -> str:
        return self.source.name

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}"
