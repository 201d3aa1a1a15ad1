"""Text -> `Ast`: lines, comments, continuations, here-documents, words."""

from __future__ import annotations

from jettison.dockerfile import heredoc, words
from jettison.dockerfile.ast import Ast, Comment, JoinedLine, Node, Piece
from jettison.dockerfile.directives import DirectiveReader
from jettison.dockerfile.instructions import Heredoc
from jettison.dockerfile.lexer import ExpansionError
from jettison.dockerfile.split import split_instruction
from jettison.dockerfile.text import SPACE, quoted
from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span

MAX_LINE = 65535
"""Bytes in a line, without its newline."""

_BOM = "\ufeff"
_WITH_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})


def parse_ast(text: str, name: str) -> Ast:
    """Parse ``text``, which errors call ``name``.

    Raises DockerfileError for what BuildKit's ``parser.Parse`` refuses: overlong lines,
    unterminated here-documents, malformed directives, words or JSON arrays, no instructions.
    """
    return _Parser(text, name).parse()


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self._bom = text.startswith(_BOM)
        self._source = SourceText(name, text.removeprefix(_BOM))
        self._lines = _split(self._source)
        self._at = 0  # lines read so far: the number of the current line
        self._escape = "\\"
        self._directives = DirectiveReader(self._source)
        self._comments: list[Comment] = []
        self._preceding: list[Comment] = []

    def parse(self) -> Ast:
        nodes: list[Node] = []
        while self._at < len(self._lines):
            joined = self._joined_line()
            if joined is not None:
                nodes.append(self._node(joined))
        if not nodes:
            raise DockerfileError(
                "file with no instructions",
                hint="a Dockerfile begins with FROM",
                span=Span(self._source, max(self._at, 1)),
            )
        return Ast(
            source=self._source,
            escape=self._escape,
            directives=tuple(self._directives.found),
            comments=tuple(self._comments),
            nodes=tuple(nodes),
            bom=self._bom,
            lines=tuple(self._lines),
        )

    def _next_line(self) -> str:
        line = self._lines[self._at]
        self._at += 1
        return line.rstrip("\r\n")

    def _joined_line(self) -> JoinedLine | None:
        """The next instruction's text; None for a blank line, a comment or a directive."""
        whole = self._next_line()
        line = whole.lstrip(SPACE)
        column = len(whole) - len(line) + 1
        directive = self._directives.read(line, self._at, column)
        if directive is not None:
            self._escape = directive.value if directive.name == "escape" else self._escape
            return None
        if line.startswith("#"):
            self._comment(line)
            return None
        body, continued = self._without_escape(line)
        if not continued and not body:
            return None
        piece = Piece(0, self._at, column)
        if not continued:
            return JoinedLine(self._source, body, (piece,), self._at)
        return self._continued(body, piece)

    def _comment(self, line: str) -> None:
        comment = Comment(self._at, line[1:].strip(SPACE))
        self._comments.append(comment)
        if comment.text:
            self._preceding.append(comment)
        else:
            self._preceding.clear()

    def _continued(self, text: str, piece: Piece) -> JoinedLine:
        texts, pieces, offset = [text], [piece], len(text)
        empty: list[int] = []
        comments: list[Comment] = []
        continued = True
        while continued and self._at < len(self._lines):
            line = self._next_line()
            start = line.lstrip(SPACE)
            if start.startswith("#"):
                comments.append(Comment(self._at, start[1:].strip(SPACE)))
            elif not start:
                empty.append(self._at)
            else:
                line, continued = self._without_escape(line)
                pieces.append(Piece(offset, self._at, 1))
                texts.append(line)
                offset += len(line)
        return JoinedLine(
            self._source, "".join(texts), tuple(pieces), self._at, tuple(empty), tuple(comments)
        )

    def _without_escape(self, line: str) -> tuple[str, bool]:
        """The line without a final escape character, and whether there was one.

        Blanks may follow the escape; a doubled one does not count.
        """
        body = line.rstrip(" \t")
        if not body.endswith(self._escape) or body[-2:-1] == self._escape:
            return line, False
        return body[:-1], True

    def _node(self, joined: JoinedLine) -> Node:
        comments = tuple(self._preceding)
        self._preceding.clear()
        heredocs: tuple[Heredoc, ...] = ()
        node = split_instruction(joined, words.trimmed(joined.text, 0), self._escape)
        if "<<" in joined.text and _takes_heredocs(node):
            heredocs = self._heredocs(joined)
        return Node(
            node.keyword,
            joined,
            node.flags,
            node.words,
            node.json,
            node.legacy,
            node.child,
            heredocs,
            comments,
            self._at,
        )

    def _heredocs(self, joined: JoinedLine) -> tuple[Heredoc, ...]:
        try:
            openers = heredoc.openers(joined.text)
        except ExpansionError as error:
            raise joined.error(str(error), joined.text.find("<<")) from None
        return tuple(self._heredoc(joined, opener) for opener in openers)

    def _heredoc(self, joined: JoinedLine, opener: heredoc.Opener) -> Heredoc:
        """Read a body up to its terminator, whatever its lines look like."""
        start = self._at
        while self._at < len(self._lines):
            line = self._next_line()
            if (line.lstrip("\t") if opener.chomp else line) == opener.name:
                raw = "".join(self._lines[start : self._at - 1])
                content = heredoc.without_tabs(raw) if opener.chomp else raw
                return Heredoc(
                    opener.name,
                    content,
                    opener.expand,
                    opener.chomp,
                    opener.descriptor,
                    raw=raw,
                    line=start + 1,
                )
        raise joined.error(
            f"unterminated heredoc: no line {quoted(opener.name)}",
            joined.text.find("<<"),
            "end the here-document with a line that holds only its name",
        )


def _split(source: SourceText) -> list[str]:
    """The lines with their ends. Raises DockerfileError for one that is too long."""
    lines = source.text.split("\n")
    last = lines.pop()
    lines = [line + "\n" for line in lines]
    if last:
        lines.append(last)
    for number, line in enumerate(lines, 1):
        if len(line) * 4 > MAX_LINE and _size(line) > MAX_LINE:
            raise DockerfileError(
                f"dockerfile line greater than max allowed size of {MAX_LINE}",
                hint="break the line with the escape character, or use a here-document",
                span=Span(source, number, 1, number),
            )
    return lines


def _size(line: str) -> int:
    return len(line.removesuffix("\n").encode("utf-8", "surrogatepass"))


def _takes_heredocs(node: Node) -> bool:
    inner = node.child or node
    return inner.name in _WITH_HEREDOCS and not inner.json
