"""One instruction's text -> keyword, flags and words."""

from __future__ import annotations

from collections.abc import Callable

from jettison.dockerfile import words
from jettison.dockerfile.ast import JoinedLine, Node, Word
from jettison.dockerfile.text import quoted


def split_instruction(joined: JoinedLine, line: Word, escape: str) -> Node:
    """Split an instruction's text, a trimmed part of ``joined``, into keyword, flags and words.

    An unknown keyword is not an error at this level; it has no words.
    """
    keyword, rest = words.first_word(line.value, line.offset)
    flags, rest = words.leading_flags(rest.value, rest.offset, escape)
    split = _SPLITTERS.get(keyword.value.upper())
    node = Node(keyword, joined, flags)
    return node if split is None else split(node, rest, escape)


def _with_words(
    node: Node, found: tuple[Word, ...], *, json: bool = False, legacy: bool = False
) -> Node:
    return Node(node.keyword, node.joined, node.flags, found, json, legacy)


def _text(node: Node, rest: Word, escape: str) -> Node:
    return _with_words(node, (rest,) if rest.value else ())


def _separated(node: Node, rest: Word, escape: str) -> Node:
    return _with_words(node, words.blank_separated(rest.value, rest.offset))


def _quoted(node: Node, rest: Word, escape: str) -> Node:
    return _with_words(node, words.quoted_words(rest.value, rest.offset, escape))


def _json_or_text(node: Node, rest: Word, escape: str) -> Node:
    found = _json(node, rest)
    return _text(node, rest, escape) if found is None else _with_words(node, found, json=True)


def _json_or_separated(node: Node, rest: Word, escape: str) -> Node:
    found = _json(node, rest)
    return _separated(node, rest, escape) if found is None else _with_words(node, found, json=True)


def _json(node: Node, rest: Word) -> tuple[Word, ...] | None:
    try:
        return words.json_strings(rest.value, rest.offset)
    except words.NotStringsError as error:
        raise node.error(str(error), rest) from None


def _pairs(node: Node, rest: Word, escape: str) -> Node:
    """``name=value`` words; without ``=`` in the first, the name and the rest of the line."""
    found = words.quoted_words(rest.value, rest.offset, escape)
    if found and "=" not in found[0].value:
        name, value = words.first_word(rest.value, rest.offset)
        if not value.value:
            raise node.error(f"{node.name} must have two arguments", name)
        return _with_words(node, (name, value), legacy=True)
    for word in found:
        if "=" not in word.value:
            raise node.error(
                f"Syntax error - can't find = in {quoted(word.value)}. "
                "Must be of the form: name=value",
                word,
                "put quotes around a value that holds blanks",
            )
    return _with_words(node, found)


def _health(node: Node, rest: Word, escape: str) -> Node:
    kind, command = words.first_word(rest.value, rest.offset)
    if not kind.value:
        return node
    inner = _json_or_text(node, command, escape)
    return _with_words(node, (kind, *inner.words), json=inner.json)


def _trigger(node: Node, rest: Word, escape: str) -> Node:
    if not rest.value:
        return node
    keyword, _ = words.first_word(rest.value, rest.offset)
    if keyword.value.upper() == "ONBUILD":  # refused later; here it must not recurse
        child = Node(keyword, node.joined)
    else:
        child = split_instruction(node.joined, rest, escape)
    return Node(node.keyword, node.joined, node.flags, child=child)


_SPLITTERS: dict[str, Callable[[Node, Word, str], Node]] = {
    "ADD": _json_or_separated,
    "ARG": _quoted,
    "CMD": _json_or_text,
    "COPY": _json_or_separated,
    "ENTRYPOINT": _json_or_text,
    "ENV": _pairs,
    "EXPOSE": _separated,
    "FROM": _separated,
    "HEALTHCHECK": _health,
    "LABEL": _pairs,
    "MAINTAINER": _text,
    "ONBUILD": _trigger,
    "RUN": _json_or_text,
    "SHELL": _json_or_text,
    "STOPSIGNAL": _text,
    "USER": _text,
    "VOLUME": _json_or_separated,
    "WORKDIR": _text,
}

KEYWORDS = tuple(_SPLITTERS)
"""All instructions, in upper case."""
