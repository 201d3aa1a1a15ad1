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
    match = _compiled(pattern, greedy=longest).match(value)
    return value[match.end() :] if match else value


def remove_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest (or longest) suffix that ``pattern`` matches.

    Done on reversed texts, because an expression finds the leftmost match, not the rightmost.
    """
    units = re.findall(r"\\.|.", pattern, re.DOTALL)
    kept = remove_prefix(value[::-1], "".join(reversed(units)), longest=longest)
    return kept[::-1]


def replace_first(value: str, pattern: str, replacement: str) -> str:
    """The first match of ``pattern`` replaced by exactly ``replacement``."""
    match = _compiled(pattern, greedy=True).search(value)
    if match is None:
        return value
    return value[: match.start()] + replacement + value[match.end() :]


def replace_all(value: str, pattern: str, template: str) -> str:
    """All matches of ``pattern`` replaced.

    ``template`` is one of Go's regexp package: ``$0`` and ``${0}`` are the match, ``$$`` is a
    dollar, other references are empty. As there, an empty match directly after another match
    does not count (Python's ``re.sub`` counts it).
    """
    expression = _compiled(pattern, greedy=True)
    pieces: list[str] = []
    start = end = 0
    while start <= len(value):
        match = expression.search(value, start)
        if match is None:
            break
        pieces.append(value[end : match.start()])
        if match.end() > end or match.start() == 0:
            pieces.append(_filled(template, match[0]))
        end = match.end()
        start = max(start + 1, end)
    return "".join(pieces) + value[end:]


def _filled(template: str, matched: str) -> str:
    def reference(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return matched if (found[1] or found[2]) == "0" else ""

    return re.sub(_TEMPLATE, reference, template) if "$" in template else template


def _compiled(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    star = ".*" if greedy else ".*?"
    pieces: list[str] = []
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            if pieces[-1:] != [star]:  # several stars are one, and much faster so
                pieces.append(star)
        elif char == "?":
            pieces.append(".")
        elif char == "\\":
            pieces.append(re.escape(_escaped(next(chars, ""))))
        else:
            pieces.append(re.escape(char))
    return re.compile("".join(pieces))


def _escaped(char: str) -> str:
    if not char or char not in "*?\\}/":
        raise ValueError(f"invalid escape '\\{char}'")
    return char
