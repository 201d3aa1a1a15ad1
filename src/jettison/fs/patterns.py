r"""Patterns for names: Go's path/filepath.Match, and the lists of .dockerignore and --exclude.

Patterns become regular expressions. The two grammars share ``*``, ``?``, ``[…]`` and ``\``; a list
also knows ``**`` and ``!`` (moby/patternmatcher). Nowhere does ``*`` or ``?`` match a slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span


class BadPatternError(ValueError):
    r"""The text is no pattern: an unclosed or empty ``[…]``, or a ``\`` at the end."""


def has_wildcards(name: str) -> bool:
    """Whether ``name`` holds ``*``, ``?`` or ``[`` that no backslash escapes."""
    return re.search(r"[*?\[]", re.sub(r"\\.", "", name, flags=re.DOTALL)) is not None


def compile_glob(pattern: str) -> re.Pattern[str]:
    """One component of Go's filepath.Match as an expression for ``fullmatch``.

    Raises BadPatternError.
    """
    return re.compile("".join(_piece(token) for token in _tokens(pattern)), re.DOTALL)


def _tokens(pattern: str) -> list[str]:
    r"""``*``, ``?``, a class with its brackets, or a character (an escaped one with its ``\``)."""
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "\\":
            end = at + 2
            if end > len(pattern):
                raise BadPatternError(pattern)
        elif pattern[at] == "[":
            end = _class_end(pattern, at)
        tokens.append(pattern[at:end])
        at = end
    return tokens


def _class_end(pattern: str, at: int) -> int:
    """Where the class that begins at ``at`` ends: ``[`` ``^``? (char | char-char)+ ``]``."""
    at += 2 if pattern.startswith("[^", at) else 1
    first = True
    while first or not pattern.startswith("]", at):
        at = _class_char(pattern, at)
        if pattern.startswith("-", at):
            at = _class_char(pattern, at + 1)
        first = False
    return at + 1


def _class_char(pattern: str, at: int) -> int:
    """The end of a character of a class; ``-`` and ``]`` must be escaped, as in Go."""
    if pattern.startswith("\\", at):
        at += 1
    elif at < len(pattern) and pattern[at] in "-]":
        raise BadPatternError(pattern)
    if at >= len(pattern):
        raise BadPatternError(pattern)
    return at + 1


def _piece(token: str) -> str:
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if token[0] == "[" and len(token) > 1:
        return _class(token)
    return re.escape(token[-1])


def _class(token: str) -> str:
    """A class as an expression; ranges that run backwards match nothing."""
    negated = token.startswith("[^")
    body = "".join(
        f"{re.escape(low)}-{re.escape(high)}" for low, high in _ranges(token) if low <= high
    )
    if negated:
        return f"[^/{body}]"
    return f"(?!/)[{body}]" if body else "(?!)"


def _ranges(token: str) -> Iterator[tuple[str, str]]:
    """The first and last characters of each part of a class."""
    chars = re.findall(r"\\.|.", token[2 if token.startswith("[^") else 1 : -1], re.DOTALL)
    at = 0
    while at < len(chars):
        low = high = chars[at][-1]
        if chars[at + 1 : at + 2] == ["-"]:
            high = chars[at + 2][-1]
            at += 2
        at += 1
        yield low, high


def _runs_backwards(token: str) -> bool:
    """Whether it is a class with a range like ``[b-a]``, which Go's regexp refuses in lists."""
    return len(token) > 1 and token[0] == "[" and any(a > b for a, b in _ranges(token))


def _compile_path(pattern: str) -> str:
    """A pattern of a list as an expression for whole paths (patternmatcher's ``compile``)."""
    tokens = _tokens(pattern)
    if tokens[:2] == ["*", "*"] and tokens[2:3] != ["/"] and _is_plain(tokens[2:]):
        # ``**x`` matches by its end alone; with a wildcard in x, what ``**`` stands for must be
        # empty or end in a slash.
        return ".*" + "".join(map(_piece, tokens[2:]))
    pieces: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at : at + 2] != ["*", "*"]:
            pieces.append(_piece(tokens[at]))
            at += 1
            continue
        at += 2
        if tokens[at : at + 1] == ["/"]:
            at += 1
        pieces.append(".*" if at >= len(tokens) else "(?:.*/)?")
    return "".join(pieces)


def _is_plain(tokens: list[str]) -> bool:
    return all(len(token) == 1 and token not in "*?" for token in tokens)


class Pattern:
    """One line of a list: ``text`` without its ``!``, and whether it re-includes."""

    __slots__ = ("_components", "expression", "negated", "text")

    def __init__(self, text: str) -> None:
        """Raises BadPatternError."""
        text = _go_clean(text)
        self.negated = text.startswith("!")
        self.text = text[1:] if self.negated else text
        if not self.text or any(map(_runs_backwards, _tokens(self.text))):
            raise BadPatternError(text)
        self.expression = _compile_path(self.text)
        self._components: list[re.Pattern[str] | None] | None = None

    def may_match_below(self, directory: list[str]) -> bool:
        """Whether it could match a path strictly below ``directory`` (given as components)."""
        if self._components is None:
            parts = self.text.split("/")
            self._components = [_component(part) for part in parts]
        for name, component in zip(directory, self._components, strict=False):
            if component is None:  # ``**``, or something that cannot be told by components
                return True
            if not component.fullmatch(name):
                return False
        return len(self._components) > len(directory)


def _component(part: str) -> re.Pattern[str] | None:
    if "**" in part:
        return None
    try:
        return compile_glob(part)
    except BadPatternError:  # a class that holds a slash
        return None


def _go_clean(path: str) -> str:
    """Go's filepath.Clean: relative paths stay relative, and keep leading ``..``."""
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part and part != "." and not (part == ".." and rooted):
            parts.append(part)
    return ("/" if rooted else "") + "/".join(parts) or "."


MatchState = tuple[bool, ...]
"""Which patterns matched a directory, or one above it; what is below it starts from there."""


class PatternList(Struct, frozen=True):
    """Patterns of which the last that matches decides; a match covers everything below.

    Paths are relative to where the list applies, without leading slash. Directories are asked
    from the top: each answer comes with the state to ask for its children.
    """

    patterns: tuple[Pattern, ...]
    _single: re.Pattern[str] | None
    _each: tuple[re.Pattern[str], ...]

    @staticmethod
    def of(patterns: Iterable[Pattern]) -> PatternList:
        known = tuple(patterns)
        single = None
        if not any(p.negated for p in known):
            single = re.compile("|".join(f"(?:{p.expression})" for p in known) or "(?!)", re.DOTALL)
        each = tuple(re.compile(p.expression, re.DOTALL) for p in known)
        return PatternList(known, single, each)

    @staticmethod
    def parse(texts: Iterable[str]) -> PatternList:
        """Compile the values of --exclude. Raises DockerfileError for a malformed one."""
        patterns = []
        for text in texts:
            if text.strip():
                patterns.append(_parse(text.strip(), None))
        return PatternList.of(patterns)

    @property
    def start(self) -> MatchState:
        """The state above the first component."""
        return (False,) if self._single is not None else (False,) * len(self.patterns)

    def match(self, path: str, state: MatchState) -> tuple[bool, MatchState]:
        """Whether the list covers ``path``, whose directory had ``state``."""
        if self._single is not None:
            covered = state[0] or self._single.fullmatch(path) is not None
            return covered, (covered,)
        covered = False
        now = list(state)
        for number, pattern in enumerate(self.patterns):
            hit = state[number]
            # A pattern that would not change the answer is not looked at (and not remembered).
            if not hit and pattern.negated == covered:
                hit = now[number] = self._each[number].fullmatch(path) is not None
            if hit:
                covered = not pattern.negated
        return covered, tuple(now)

    def matches(self, path: str) -> bool:
        """Whether the list covers ``path``, taking the directories above it into account."""
        state, covered = self.start, False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            covered, state = self.match("/".join(parts[:depth]), state)
        return covered

    def deciding(self, path: str) -> Pattern | None:
        """The last pattern that matches ``path`` or a directory above it."""
        parts = path.split("/")
        prefixes = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        for pattern, expression in reversed(list(zip(self.patterns, self._each, strict=True))):
            if any(expression.fullmatch(prefix) for prefix in prefixes):
                return pattern
        return None

    def may_match_below(self, directory: str, *, negated: bool) -> bool:
        """Whether a pattern (one with ``!`` if ``negated``) could match strictly below."""
        parts = directory.split("/")
        return any(p.negated == negated and p.may_match_below(parts) for p in self.patterns)


def _parse(text: str, span: Span | None) -> Pattern:
    try:
        return Pattern(text)
    except BadPatternError:
        if text == "!":
            message, hint = 'illegal exclusion pattern: "!"', "name what to include after the !"
        else:
            message = f"malformed pattern {text!r}"
            hint = "close every [ and escape a literal [ or \\ with a backslash"
        raise DockerfileError(message, hint=hint, span=span) from None


def read_ignorefile(source: SourceText) -> PatternList:
    """The patterns of a .dockerignore (moby/patternmatcher's ignorefile).

    A ``#`` in the first column begins a comment, blanks around a pattern and a leading slash do not
    count, ``.`` and ``..`` are cleaned away. Raises DockerfileError, with its line, for a lone
    ``!`` or a malformed pattern.
    """
    patterns: list[Pattern] = []
    for number, line in enumerate(source.text.removeprefix("\ufeff").split("\n"), start=1):
        text = line.strip()
        if line.startswith("#") or not text:
            continue
        negated = text.startswith("!")
        body = text[1:].strip() if negated else text
        if body:
            body = _go_clean(body)
            if len(body) > 1:
                body = body.removeprefix("/")
        column = len(line) - len(line.lstrip()) + 1
        patterns.append(_parse(f"!{body}" if negated else body, Span(source, number, column)))
    return PatternList.of(patterns)
