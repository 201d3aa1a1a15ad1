"""The ways in which instructions are split into words.

All functions take a text and its offset in the joined line, and return words with offsets in the
joined line. They behave as ``line_parsers.go`` and ``split_command.go`` of BuildKit's parser.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jettison.dockerfile.ast import Word
from jettison.dockerfile.text import BLANK, SPACE, expression


class NotStringsError(ValueError):
    """A JSON array holds something that is not a string."""


def trimmed(text: str, offset: int) -> Word:
    """``text`` without the white space around it."""
    left = text.lstrip(SPACE)
    return Word(left.rstrip(SPACE), offset + len(text) - len(left))


def first_word(text: str, offset: int) -> tuple[Word, Word]:
    """The first word of a trimmed text, and what follows the blanks behind it."""
    match = expression(f"[{BLANK}]+").search(text)
    if match is None:
        return Word(text, offset), Word("", offset + len(text))
    return Word(text[: match.start()], offset), Word(text[match.end() :], offset + match.end())


def blank_separated(text: str, offset: int) -> tuple[Word, ...]:
    """Words between blanks; quotes mean nothing (FROM, EXPOSE, COPY, VOLUME)."""
    found = expression(f"[^{BLANK}]+").finditer(text)
    return tuple(Word(match[0], offset + match.start()) for match in found)


def quoted_words(text: str, offset: int, escape: str) -> tuple[Word, ...]:
    """Words in which quotes and escapes protect blanks; they stay in the words (ENV, ARG)."""
    if escape not in text and '"' not in text and "'" not in text:
        found = expression(f"[^{SPACE}]+").finditer(text)
        return tuple(Word(match[0], offset + match.start()) for match in found)
    words: list[Word] = []
    at = 0
    while at < len(text):
        if text[at] in SPACE:
            at += 1
            continue
        value, end = _quoted_word(text, at, escape)
        if value:
            words.append(Word(value, offset + at))
        at = end
    return tuple(words)


def _quoted_word(text: str, start: int, escape: str) -> tuple[str, int]:
    """The word at ``start`` and where it ends; an escape at the end of the text is dropped."""
    quote = ""
    at = start
    while at < len(text):
        char = text[at]
        if not quote and char in SPACE:
            break
        if char == escape and quote != "'":
            if at + 1 == len(text):
                return text[start:at], len(text)
            at += 2
            continue
        if not quote and char in "'\"":
            quote = char
        elif char == quote:
            quote = ""
        at += 1
    return text[start:at], at


def leading_flags(text: str, offset: int, escape: str) -> tuple[tuple[Word, ...], Word]:
    """The words that begin with ``--``, quotes and escapes resolved, and the rest of the text.

    A lone ``--`` ends them and is dropped. As in BuildKit, every byte of a flag becomes a
    character, which garbles what is not ASCII.
    """
    flags: list[Word] = []
    at = 0
    while True:
        while at < len(text) and text[at] in SPACE:
            at += 1
        if not text.startswith("--", at):
            break
        value, end = _flag(text, at, escape)
        if value == "--":
            at = end
            break
        flags.append(Word(value, offset + at))
        at = end
    return tuple(flags), trimmed(text[at:], offset + at)


def _flag(text: str, start: int, escape: str) -> tuple[str, int]:
    quote = ""
    pieces: list[str] = []
    at = start
    while at < len(text):
        char = text[at]
        if not quote and char in SPACE:
            break
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == escape:
            at += 1
            pieces.append(text[at : at + 1])
        else:
            pieces.append(char)
        at += 1
    return _by_bytes("".join(pieces)), min(at, len(text))


def _by_bytes(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def json_strings(text: str, offset: int) -> tuple[Word, ...] | None:
    """The elements of a JSON array of strings; None if the text is not one valid array.

    Raises NotStringsError for a valid array that holds something else.
    """
    if not text.startswith("["):
        return None
    values = _decoded(text)
    if values is None:
        return None
    if not all(isinstance(value, str) for value in values):
        raise NotStringsError(
            "when using JSON array syntax, arrays must be comprised of strings only"
        )
    places = expression(r'"(?:[^"\\]|\\.)*"').finditer(text)
    return tuple(
        Word(value if value.isascii() else _paired(value), offset + place.start())
        for value, place in zip(values, places, strict=True)
    )


def _decoded(text: str) -> list[Any] | None:
    """A JSON array; None if the text is none. Importing json takes longer than a whole parse."""
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        pass  # no JSON; or other things than strings, unpaired surrogates, bytes that are not UTF-8
    import json

    try:
        found: list[Any] = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return None
    return found


def _paired(text: str) -> str:
    """Unpaired surrogates from escapes are no characters (as in Go's decoder)."""
    return expression("[\ud800-\udfff]").sub("\ufffd", text)


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
