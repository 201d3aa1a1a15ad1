r"""The patterns of ``${name#pattern}``, ``${name%pattern}`` and ``${name/pattern/text}``.

``*`` and ``?`` are wildcards that stop at line ends; ``\*``, ``\?`` and ``\\`` are literal,
``\/`` and ``\}`` lose their backslash, and any other escape is an error. There are no bracket
expressions. This is BuildKit's dialect (``frontend/dockerfile/shell/lex.go``).
"""

from __future__ import annotations

import re

_TEMPLATE = r"\$(?:\$|\{(\w+)\}|(\w+))"


def remove_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest (or longest) prefix that ``pattern`` matches.

    Raises ValueError for a malformed pattern, as do the other functions.
    """
    end = _Pattern(pattern, greedy=longest).prefix(value)
    return value if end is None else value[end:]


def remove_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest (or longest) suffix that ``pattern`` matches.

    Done on reversed texts, because an expression finds the leftmost match, not the rightmost.
    """
    units = re.findall(r"\\.|.", pattern, re.DOTALL)
    kept = remove_prefix(value[::-1], "".join(reversed(units)), longest=longest)
    return kept[::-1]


def replace_first(value: str, pattern: str, replacement: str) -> str:
    """The first match of ``pattern`` replaced by exactly ``replacement``."""
    found = _Pattern(pattern, greedy=True).find(value, 0)
    if found is None:
        return value
    return value[: found[0]] + replacement + value[found[1] :]


def replace_all(value: str, pattern: str, template: str) -> str:
    """All matches of ``pattern`` replaced.

    ``template`` is one of Go's regexp package: ``$0`` and ``${0}`` are the match, ``$$`` is a
    dollar, other references are empty. As there, an empty match directly after another match
    does not count (Python's ``re.sub`` counts it).
    """
    compiled = _Pattern(pattern, greedy=True)
    pieces: list[str] = []
    start = end = 0
    while start <= len(value) and (found := compiled.find(value, start)) is not None:
        pieces.append(value[end : found[0]])
        if found[1] > end or found[0] == 0:
            pieces.append(_filled(template, value[found[0] : found[1]]))
        end = found[1]
        start = max(start + 1, end)
    return "".join(pieces) + value[end:]


def _filled(template: str, matched: str) -> str:
    def reference(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return matched if (found[1] or found[2]) == "0" else ""

    return re.sub(_TEMPLATE, reference, template) if "$" in template else template


class _Pattern:
    """A pattern, as the text before its first star and the rest.

    No match goes back further than one star: what a star has to reach is best reached at once,
    because from there everything can be reached that could be reached from later on. So the time
    is that of Go's expressions, not exponential in the number of stars.
    """

    def __init__(self, pattern: str, *, greedy: bool) -> None:
        first, *others = _between_stars(pattern)
        self._width = len(first)
        self._first = re.compile("".join(first))
        inner = [f"(?>.*?{''.join(text)})" for text in others[:-1] if text]
        last = [(".*" if greedy else ".*?") + "".join(others[-1])] if others else []
        self._rest = re.compile("".join(inner + last)) if others else None

    def prefix(self, value: str) -> int | None:
        """Where the match at the beginning ends."""
        head = self._first.match(value)
        return None if head is None else self._end(value, head.end())

    def find(self, value: str, start: int) -> tuple[int, int] | None:
        """The first match from ``start`` on."""
        while (head := self._first.search(value, start)) is not None:
            end = self._end(value, head.end())
            if end is not None:
                return head.start(), end
            line_end = value.find("\n", head.end())
            if line_end < 0:
                break
            # What a star has not reached from here, it does not reach from further on in the line.
            start = max(head.start() + 1, line_end + 1 - self._width)
        return None

    def _end(self, value: str, at: int) -> int | None:
        if self._rest is None:
            return at
        tail = self._rest.match(value, at)
        return None if tail is None else tail.end()


def _between_stars(pattern: str) -> list[list[str]]:
    """The texts between stars, each as expressions of single characters."""
    texts: list[list[str]] = [[]]
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            texts.append([])
        elif char == "?":
            texts[-1].append(".")
        elif char == "\\":
            texts[-1].append(re.escape(_escaped(next(chars, ""))))
        else:
            texts[-1].append(re.escape(char))
    return texts


def _escaped(char: str) -> str:
    if not char or char not in "*?\\}/":
        raise ValueError(f"invalid escape '\\{char}'")
    return char
