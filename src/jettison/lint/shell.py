"""What a shell script runs: its simple commands with their words and places.

Not a shell: it follows quoting, operators, substitutions and here-documents of the POSIX grammar
(and bash's ``<(…)`` and ``<<<``), and expands nothing. Loops and conditions are read as the
commands in them, whether or not they would run. It accepts every text.
"""

from __future__ import annotations

import re

from msgspec import Struct

_RESERVED = frozenset(
    ["if", "then", "else", "elif", "fi", "do", "done", "while", "until", "{", "}", "!"]
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_REDIRECTION = re.compile(r"[0-9]*(?:<<-?|<>|<&|>>|>&|>\||&>>?|<|>)")
_OPERATOR = re.compile(r"&&|\|\||\|&|;;&?|;&|[;&|()\n]")
_MAX_DEPTH = 20
_WRAPPERS = {
    "sudo": frozenset({"-u", "-g", "-h", "-p"}),
    "env": frozenset({"-u", "-C"}),
    "exec": frozenset({"-a"}),
    "nice": frozenset({"-n"}),
    "command": frozenset[str](),
    "eatmydata": frozenset[str](),
    "nohup": frozenset[str](),
    "time": frozenset[str](),
}
"""Commands that run another one, and those of their options that have a value."""


class ShellWord(Struct, frozen=True):
    """``value`` has no quotes; ``literal`` is false if the shell would expand something in it.

    ``start`` and ``end`` are offsets in the script.
    """

    value: str
    start: int
    end: int
    literal: bool = True


class Command(Struct, frozen=True):
    """A simple command. ``operator`` follows it (``&&``, ``|``, ``;``, a newline, or nothing);
    ``depth`` counts the subshells and substitutions around it.
    """

    words: tuple[ShellWord, ...]
    operator: str = ""
    depth: int = 0
    assignments: tuple[str, ...] = ()

    @property
    def wrapped(self) -> tuple[ShellWord, ...]:
        """The words without ``sudo``, ``env`` and their kin in front."""
        words = self.words
        while words and (with_value := _WRAPPERS.get(base_name(words[0].value))) is not None:
            at = 1
            while at < len(words) and _is_prefix(words[at].value):
                at += 2 if words[at].value in with_value else 1
            words = words[at:]
        return words

    @property
    def name(self) -> str:
        """The program that runs, without its directory."""
        words = self.wrapped
        return base_name(words[0].value) if words else ""

    @property
    def arguments(self) -> tuple[ShellWord, ...]:
        return self.wrapped[1:]

    @property
    def values(self) -> list[str]:
        """The values of the arguments."""
        return [word.value for word in self.arguments]

    @property
    def literal(self) -> bool:
        """Whether all words are known."""
        return all(word.literal for word in self.words)


def base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_prefix(word: str) -> bool:
    return word.startswith("-") or _ASSIGNMENT.match(word) is not None


def commands(script: str) -> tuple[Command, ...]:
    """The simple commands of a script, in the order in which they begin to be read."""
    return tuple(_Reader(script, 0, len(script), 0).read())


class _Reader:
    """Reads the commands between two offsets of a script."""

    def __init__(self, text: str, start: int, end: int, depth: int) -> None:
        self._text = text
        self._at = start
        self._end = end
        self._depth = depth
        self._open = 0  # subshells begun here
        self._found: list[Command] = []
        self._words: list[ShellWord] = []
        self._assignments: list[str] = []
        self._inner: list[Command] = []
        self._heredocs: list[tuple[str, bool]] = []

    def read(self) -> list[Command]:
        if self._depth > _MAX_DEPTH:
            return []
        while self._at < self._end:
            self._step()
        self._finish("")
        return self._found

    def _step(self) -> None:
        text, at = self._text, self._at
        char = text[at]
        if char in " \t\r" or text.startswith("\\\n", at):
            self._at += 2 if char == "\\" else 1
        elif char == "#":
            newline = text.find("\n", at, self._end)
            self._at = newline if newline >= 0 else self._end
        elif match := _REDIRECTION.match(text, at, self._end):
            self._redirection(match)
        elif match := _OPERATOR.match(text, at, self._end):
            self._operator(match[0])
        else:
            self._word()

    def _operator(self, operator: str) -> None:
        self._at += len(operator)
        self._finish(operator)
        if operator == "(":
            self._open += 1
        elif operator == ")":
            self._open = max(0, self._open - 1)
        elif operator == "\n":
            self._skip_heredocs()

    def _finish(self, operator: str) -> None:
        if self._words or self._assignments:
            self._found.append(
                Command(
                    tuple(self._words),
                    operator,
                    self._depth + self._open,
                    tuple(self._assignments),
                )
            )
        self._found += self._inner
        self._words, self._assignments, self._inner = [], [], []

    def _redirection(self, match: re.Match[str]) -> None:
        operator = match[0]
        if self._text.startswith("(", match.end()):  # <(command)
            self._at = match.end() + 1
            self._substitution()
            return
        self._at = match.end()
        here_string = operator.endswith("<<") and self._text.startswith("<", self._at)
        self._at += here_string
        self._blanks()
        start, words = self._at, len(self._words)
        if self._at < self._end and not _OPERATOR.match(self._text, self._at, self._end):
            self._word(plain=True)
        del self._words[words:]
        if "<<" in operator and not here_string:
            name = re.sub(r"[\"'\\]", "", self._text[start : self._at])
            self._heredocs.append((name, operator.endswith("-")))

    def _blanks(self) -> None:
        while self._at < self._end and self._text[self._at] in " \t":
            self._at += 1

    def _skip_heredocs(self) -> None:
        for name, chomp in self._heredocs:
            while self._at < self._end:
                newline = self._text.find("\n", self._at, self._end)
                end = newline if newline >= 0 else self._end
                line = self._text[self._at : end]
                self._at = min(end + 1, self._end)
                if (line.lstrip("\t") if chomp else line) == name:
                    break
        self._heredocs.clear()

    def _word(self, *, plain: bool = False) -> None:
        """Read a word; unless ``plain``, a reserved word or an assignment may be in its place."""
        start = self._at
        pieces: list[str] = []
        literal = True
        while self._at < self._end:
            char = self._text[self._at]
            if char in " \t\r\n;&|()<>":
                break
            if char == "\\":
                if not self._text.startswith("\n", self._at + 1):
                    pieces.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif char == "'":
                pieces.append(self._single_quoted())
            elif char == '"':
                literal &= self._double_quoted(pieces)
            elif char in "$`":
                literal &= not self._expansion(pieces)
            else:
                literal &= char not in "*?["
                pieces.append(char)
                self._at += 1
        self._at = min(self._at, self._end)
        raw = self._text[start : self._at]
        if not plain and not self._words:
            if raw in _RESERVED:
                return
            if _ASSIGNMENT.match(raw):
                self._assignments.append("".join(pieces))
                return
        self._words.append(ShellWord("".join(pieces), start, self._at, literal))

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1, self._end)
        end = end if end >= 0 else self._end
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        return text

    def _double_quoted(self, pieces: list[str]) -> bool:
        """Read up to the closing quote; whether nothing in it is expanded."""
        literal = True
        self._at += 1
        while self._at < self._end and self._text[self._at] != '"':
            char = self._text[self._at]
            if char == "\\":
                pieces.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif char in "$`":
                literal &= not self._expansion(pieces)
            else:
                pieces.append(char)
                self._at += 1
        self._at += 1
        return literal

    def _expansion(self, pieces: list[str]) -> bool:
        """Read what begins with ``$`` or a backtick; whether it is an expansion."""
        start, text = self._at, self._text
        if text[start] == "`":
            end = text.find("`", start + 1, self._end)
            end = end if end >= 0 else self._end
            self._inner += _Reader(text, start + 1, end, self._depth + 1).read()
            self._at = end + 1
        elif text.startswith("$((", start):
            end = text.find("))", start, self._end)
            self._at = end + 2 if end >= 0 else self._end
        elif text.startswith("$(", start):
            self._at += 2
            self._substitution()
        elif text.startswith("${", start):
            end = text.find("}", start, self._end)
            self._at = end + 1 if end >= 0 else self._end
        else:
            match = re.compile(r"\$(?:\w+|[@*#?$!-])?").match(text, start, self._end)
            self._at = match.end() if match else start + 1
        pieces.append(text[start : self._at])
        return self._at - start > 1

    def _substitution(self) -> None:
        """Read the commands up to the closing parenthesis, and pass it."""
        end = self._closing(self._at)
        self._inner += _Reader(self._text, self._at, end, self._depth + 1).read()
        self._at = min(end + 1, self._end)

    def _closing(self, at: int) -> int:
        """Where the parenthesis that is open at ``at`` is closed; quotes protect."""
        depth, quote = 1, ""
        while at < self._end:
            char = self._text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char in "()":
                depth += 1 if char == "(" else -1
                if not depth:
                    return at
            at += 1
        return self._end
