"""Suggestions for mistyped names."""

from __future__ import annotations

from collections.abc import Iterable

MAX_DISTANCE = 2
"""Edits between a word and what is suggested for it (BuildKit's ``util/suggest``)."""

_MOST = 1000
"""Options that are compared: time must not grow with the square of a Dockerfile's names."""


def nearest(word: str, options: Iterable[str], *, ignore_case: bool = False) -> str | None:
    """The first option with the fewest edits from ``word``, at most `MAX_DISTANCE`.

    None if there is none, or if ``word`` is itself an option (then it is not what is wrong).
    With ``ignore_case`` the suggestion is in the case of ``word``.
    """
    wanted = word.lower() if ignore_case else word
    best, least = None, MAX_DISTANCE + 1
    for number, option in enumerate(options):
        candidate = option.lower() if ignore_case else option
        if candidate == wanted:
            return None
        if number >= _MOST:
            continue
        edits = distance(wanted, candidate, least)
        if edits < least:
            best, least = candidate, edits
    return best.upper() if best and ignore_case and word.isupper() else best


def did_you_mean(word: str, options: Iterable[str], *, ignore_case: bool = False) -> str:
    """`` (did you mean X?)`` to append to a message, or nothing."""
    found = nearest(word, options, ignore_case=ignore_case)
    return f" (did you mean {found}?)" if found else ""


def distance(a: str, b: str, limit: int) -> int:
    """The Levenshtein distance, or some number not below ``limit`` if it is not below it."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        previous = row
        row = [i]
        for j, other in enumerate(b, 1):
            substituted = previous[j - 1] + (char != other)
            row.append(min(previous[j] + 1, row[-1] + 1, substituted))
        if min(row) >= limit:
            return limit
    return row[-1]
