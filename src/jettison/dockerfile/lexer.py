"""The lexer behind expansion: quotes, escapes and the grammar of ``${}``.

Behaves as BuildKit's ``frontend/dockerfile/shell/lex.go``, also in this: when a text is split into
words, what stands before ``${name:-word}`` (or any other operator) in the same word is lost:
``EXPOSE 8${X:-0}`` exposes 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from jettison.dockerfile import patterns
from jettison.dockerfile.text import SPACE, expression

_SPECIAL_NAMES = "@*#?-$!0"
_END = ""  # what peeking gives at the end of the text


class ExpansionError(Exception):
    """The text cannot be expanded; the message says why."""


class Lexer:
    """One pass over one text.

    ``keep_quotes`` gives quotes no meaning; ``raw_quotes`` and ``raw_escapes`` interpret quotes and
    escapes, but leave them in the result; ``keep_unset`` leaves variables that are not set as
    they are. (The latter three serve to find here-documents.)
    """

    def __init__(
        self,
        text: str,
        env: Mapping[str, str],
        *,
        escape: str,
        keep_quotes: bool = False,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        keep_unset: bool = False,
    ) -> None:
        self.text = text
        self.unset: dict[str, None] = {}
        self.used: dict[str, None] = {}
        self._env = env
        self._escape = escape
        self._keep_quotes = keep_quotes
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._keep_unset = keep_unset
        self._at = 1 if text.startswith("\ufeff") else 0  # Go's scanner drops the mark
        self._parts = 0  # words of operators read so far

    def run(self) -> Expanded:
        """Expand the text. Raises ExpansionError."""
        try:
            return self._until(_END, raw_escapes=self._raw_escapes)
        except RecursionError:
            raise ExpansionError("substitutions are nested too deeply") from None

    def _peek(self) -> str:
        return self.text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self.text[self._at : self._at + 1]
        self._at += 1
        return char

    def _until(self, stop: str, *, raw_escapes: bool) -> Expanded:
        """Read up to and including ``stop``, or to the end of the text."""
        before, self._raw_escapes = self._raw_escapes, raw_escapes
        try:
            return self._read(stop)
        finally:
            self._raw_escapes = before

    def _read(self, stop: str) -> Expanded:
        result = Expanded()
        ordinary = expression(f"[^$<'\"{re.escape(self._escape + stop)}]+")
        while char := self._peek():
            if char == stop:
                self._next()
                return result
            if char in '$"' and not (self._keep_quotes and char == '"'):
                parts = self._parts
                text = self._dollar() if char == "$" else self._double_quoted()
                if self._parts != parts:
                    result.lose_word()
                result.add(text, splits=char == "$")
            elif char == "<":
                result.add(self._less())
            elif char == "'" and not self._keep_quotes:
                result.add(self._single_quoted())
            elif char == self._escape:
                result.add(self._escaped())
            elif run := ordinary.match(self.text, self._at):
                self._at = run.end()
                result.add(run[0], splits=True)
            else:
                result.add(self._next(), splits=True)
        if stop:
            raise ExpansionError(f"unexpected end of statement while looking for matching {stop}")
        return result

    def _escaped(self) -> str:
        """An escape character and what it protects; at the end of the text it vanishes."""
        escape = self._next()
        return (escape if self._raw_escapes else "") + self._next()

    def _less(self) -> str:
        """``<``, or ``<<`` with the blanks that may stand before a here-document's name."""
        start = self._at
        self._next()
        if self._peek() == "<":
            self._next()
            while self._peek() and self._peek() in "\t\r ":
                self._next()
        return self.text[start : self._at]

    def _single_quoted(self) -> str:
        start = self._at
        end = self.text.find("'", start + 1)
        if end < 0:
            self._at = len(self.text)
            raise ExpansionError(
                "unexpected end of statement while looking for matching single-quote"
            )
        self._at = end + 1
        return self.text[start : end + 1] if self._raw_quotes else self.text[start + 1 : end]

    def _double_quoted(self) -> str:
        self._next()
        quote = '"' if self._raw_quotes else ""
        pieces = [quote]
        while char := self._peek():
            if char == "$":
                pieces.append(self._dollar())
                continue
            self._next()
            if char == '"':
                pieces.append(quote)
                return "".join(pieces)
            if char == self._escape:
                pieces.append(self._escaped_in_quotes())
            else:
                pieces.append(char)
        raise ExpansionError("unexpected end of statement while looking for matching double-quote")

    def _escaped_in_quotes(self) -> str:
        """Only a quote, a dollar and the escape character itself are escaped in double quotes.

        With raw escapes, an escape before anything else is doubled, as it is in BuildKit.
        """
        raw = self._escape if self._raw_escapes else ""
        following = self._peek()
        if not following:
            return raw
        return raw + (self._next() if following in ('"', "$", self._escape) else self._escape)

    def _dollar(self) -> str:
        self._next()
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._lookup(name)
            return value if value is not None else f"${name}" if self._keep_unset else ""
        self._next()
        if not self._peek():
            raise ExpansionError("syntax error: missing '}'")
        if self._peek() in "{}:":
            raise ExpansionError("syntax error: bad substitution")
        return self._braced(self._name())

    def _braced(self, name: str) -> str:
        """The rest of ``${name…}``."""
        operator = self._next()
        if operator == "}":
            value = self._lookup(name)
            return value if value is not None else f"${{{name}}}" if self._keep_unset else ""
        if operator == "/":
            return self._replaced(name)
        if operator == ":":
            return self._with_word(name, ":", self._next())
        if operator and operator in "+-?#%":
            return self._with_word(name, "", operator)
        if not operator:
            raise ExpansionError("syntax error: missing '}'")
        raise ExpansionError(f"unsupported modifier ({operator}) in substitution")

    def _with_word(self, name: str, colon: str, operator: str) -> str:
        """``${name:-word}`` and its kin; with ``colon`` an empty value counts as unset."""
        trims = operator in ("#", "%")
        unsupported = f"unsupported modifier ({colon}{operator}) in substitution"
        if colon and trims:
            raise ExpansionError(unsupported)
        word = self._part("}", raw_escapes=trims)
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}{colon}{operator}{word}}}"
        missing = value is None or (colon and not value)
        match operator:
            case "-":
                return word if missing else value or ""
            case "+":
                return "" if missing else word
            case "?":
                if missing:
                    state = "unset" if value is None else "empty"
                    raise ExpansionError(f"{name}: {word or f'is not allowed to be {state}'}")
                return value or ""
            case "#" | "%":
                return _trimmed(value or "", operator, word)
        raise ExpansionError(unsupported)

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._next()
        pattern = self._part("/", raw_escapes=True)
        replacement = self._part("}", raw_escapes=True)
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        replace = patterns.replace_all if every else patterns.replace_first
        try:
            return replace(value or "", pattern, replacement)
        except ValueError as error:
            raise _bad_pattern(pattern, error) from None

    def _part(self, stop: str, *, raw_escapes: bool) -> str:
        self._parts += 1
        try:
            return self._until(stop, raw_escapes=raw_escapes).text()
        except ExpansionError:
            if self._peek():
                raise
            where = " in ${}" if stop == "/" else ""
            raise ExpansionError(f"syntax error: missing '{stop}'{where}") from None

    def _name(self) -> str:
        """A variable's name: digits, one special character, or letters, digits and ``_``."""
        start = self._at
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._next()
        elif first and first in _SPECIAL_NAMES:
            self._next()
        else:
            while (char := self._peek()) and (char == "_" or char.isalpha() or char.isdecimal()):
                self._next()
        return self.text[start : self._at]

    def _lookup(self, name: str) -> str | None:
        value = self._env.get(name)
        (self.unset if value is None else self.used)[name] = None
        return value


class Expanded:
    """An expanded text, whole or split into words."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, bool]] = []
        self._lost: list[int] = []  # numbers of pieces before which a word is lost

    def add(self, text: str, *, splits: bool = False) -> None:
        """Add a piece; ``splits`` if its blanks end words."""
        self._pieces.append((text, splits))

    def lose_word(self) -> None:
        """Forget what the word at the end holds; the whole text keeps it."""
        self._lost.append(len(self._pieces))

    def text(self) -> str:
        return "".join(piece for piece, _ in self._pieces)

    def words(self) -> list[str]:
        """The words between blanks; there are no empty ones, not even in quotes."""
        found: list[str] = []
        word: list[str] = []
        for number, (piece, splits) in enumerate(self._pieces):
            if number in self._lost:
                word = []
            head, *tail = expression(f"[{SPACE}]+").split(piece) if splits else [piece]
            word.append(head)
            for part in tail:
                found.append("".join(word))
                word = [part]
        found.append("".join(word))
        return [each for each in found if each]


def _trimmed(value: str, operator: str, word: str) -> str:
    longest = word[:1] == operator
    pattern = word[1:] if longest else word
    remove = patterns.remove_prefix if operator == "#" else patterns.remove_suffix
    try:
        return remove(value, pattern, longest=longest)
    except ValueError as error:
        raise _bad_pattern(pattern, error) from None


def _bad_pattern(pattern: str, error: ValueError) -> ExpansionError:
    return ExpansionError(f"invalid pattern ({pattern}) in substitution: {error}")
