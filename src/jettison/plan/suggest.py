"""Hints with the nearest name."""

from __future__ import annotations

from collections.abc import Iterable

from jettison.dockerfile.suggest import nearest


def did_you_mean(word: str, options: Iterable[str]) -> str | None:
    """A hint for an error about ``word``, None if no option comes near it."""
    found = nearest(word, options)
    return None if found is None else f"did you mean {found}?"
