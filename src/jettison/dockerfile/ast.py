"""The first level of the front end: instructions as words, each with its position.

Nothing of the text is lost: `Ast.source` holds it, and directives, comments and instructions know
their lines, so that what reads the tree can rewrite single instructions in place. A line that
belongs to none of them is blank.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TypedDict

from msgspec import Struct

from jettison.dockerfile.instructions import Heredoc
from jettison.dockerfile.text import SPACE
from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span


class Comment(Struct, frozen=True):
    """A line whose first non-blank character is ``#``; ``text`` is what follows, trimmed."""

    line: int
    text: str


class Directive(Struct, frozen=True):
    """A parser directive; ``name`` in lower case, ``value`` trimmed."""

    name: str
    value: str
    span: Span


class Piece(Struct, frozen=True):
    """What one line gives to a joined line: where it begins there, and where it was."""

    offset: int
    line: int
    column: int


class JoinedLine(Struct, frozen=True):
    """An instruction's text, its continuation lines joined.

    ``last`` is the last line of the text (here-documents come after it). ``empty`` are the
    numbers of empty lines within it, ``comments`` the comment lines within it.
    """

    source: SourceText
    text: str
    pieces: tuple[Piece, ...]
    last: int
    empty: tuple[int, ...] = ()
    comments: tuple[Comment, ...] = ()

    @property
    def first(self) -> int:
        return self.pieces[0].line

    def span(self, offset: int, end_line: int = 0) -> Span:
        """Where the character at ``offset`` of the text stands."""
        pieces = self.pieces
        index = bisect_right(pieces, offset, key=lambda piece: piece.offset) - 1
        piece = pieces[max(index, 0)]
        column = piece.column + max(offset - piece.offset, 0)
        return Span(self.source, piece.line, column, end_line or piece.line)

    def error(self, message: str, offset: int = 0, hint: str | None = None) -> DockerfileError:
        """An error at ``offset``; its message says on which line the instruction begins."""
        text = f"dockerfile parse error on line {self.first}: {message}"
        return DockerfileError(text, hint=hint, span=self.span(offset))


class Word(Struct, frozen=True):
    """A word (or flag, or other part) and its offset in the joined line."""

    value: str
    offset: int


class Written(TypedDict):
    """The fields that every typed instruction takes from its node."""

    span: Span
    text: str
    node: Node


class Node(Struct, frozen=True):
    """An instruction.

    ``words`` depends on ``keyword``: words split at blanks, or ``name=value`` words with their
    quotes, or elements of a JSON array (``json`` is true), or one word that is the rest of the
    line. ``ENV name rest`` has two words and ``legacy`` set; HEALTHCHECK has its type as first
    word. ONBUILD has no words but ``child``. ``comments`` are the comment lines right above,
    back to the last empty comment, without directives; ``end_line`` counts here-documents.
    """

    keyword: Word
    joined: JoinedLine
    flags: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()
    json: bool = False
    legacy: bool = False
    child: Node | None = None
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[Comment, ...] = ()
    end_line: int = 0

    @property
    def name(self) -> str:
        """The keyword in upper case."""
        return self.keyword.value.upper()

    @property
    def span(self) -> Span:
        return self.joined.span(self.keyword.offset, self.end_line)

    @property
    def text(self) -> str:
        """The instruction without its here-documents, continuations joined."""
        return self.untrimmed.rstrip(SPACE)

    @property
    def untrimmed(self) -> str:
        """Like `text`, with the blanks at its end (ONBUILD stores them)."""
        return self.joined.text[self.keyword.offset :]

    def written(self) -> Written:
        """Keyword arguments for the instruction that this node is."""
        return {"span": self.span, "text": self.text, "node": self}

    def error(
        self, message: str, at: Word | None = None, hint: str | None = None
    ) -> DockerfileError:
        """An error at a word of this instruction, or at its keyword."""
        return self.joined.error(message, (at or self.keyword).offset, hint)


class Ast(Struct, frozen=True):
    """A parsed text. ``source`` is without the byte order mark, which ``bom`` remembers.

    ``comments`` are all comment lines outside of instructions, without directives.
    """

    source: SourceText
    escape: str
    directives: tuple[Directive, ...]
    comments: tuple[Comment, ...]
    nodes: tuple[Node, ...]
    bom: bool = False
    lines: tuple[str, ...] = ()
    """The physical lines, line ends kept."""
