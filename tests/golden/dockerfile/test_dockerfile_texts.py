"""Dockerfile -> AST and instructions, as text one can read.

Each ``NAME.Dockerfile`` has its expected text in ``NAME.txt``. To change it, reason from
the Dockerfile reference, then edit the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from jettison.dockerfile.ast import Node, Word
from jettison.dockerfile.instructions import Dockerfile, Heredoc, Instruction
from jettison.dockerfile.parse import parse

HERE = Path(__file__).parent
_HIDDEN = {"span", "text", "node", "raw", "line"}


def shown(typed: Dockerfile) -> Iterator[str]:
    """The directives, then each instruction: place, words with their places, typed fields."""
    assert typed.ast is not None
    for name, value in typed.directives.items():
        yield f"# {name}={value}"
    for arg in typed.global_args:
        yield from instruction(arg)
    for stage in typed.stages:
        yield f"== stage {stage.index} {stage.name or ''}".rstrip()
        for each in (stage.base, *stage.instructions):
            yield from instruction(each)


def instruction(typed: Instruction) -> Iterator[str]:
    node = typed.node
    assert node is not None
    yield f"{typed.span.line}-{typed.span.end_line} {typed.text}"
    for comment in node.comments:
        yield f"    comment  {comment.line} {comment.text}"
    yield f"    words    {' '.join(words(node))}".rstrip()
    for name in typed.__struct_fields__:
        value = getattr(typed, name)
        if name not in _HIDDEN and value not in (None, False, (), {}, 0):
            yield from field(name, value)


def words(node: Node) -> Iterator[str]:
    if node.child is not None:
        yield "[" + " ".join(words(node.child)) + "]"
    for word in (*node.flags, *node.words):
        yield place(node, word)


def place(node: Node, word: Word) -> str:
    span = node.joined.span(word.offset)
    return f"{span.line}:{span.column}|{word.value}|"


def field(name: str, value: object) -> Iterator[str]:
    items: list[tuple[object, object]] = [("", value)]
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, tuple):
        items = list(enumerate(value))
    for key, item in items:
        label = f"{name}[{key}]" if key != "" else name
        yield f"    {label:<8} {compact(item)}"


def compact(value: object) -> str:
    """Structures by their fields that say something."""
    if isinstance(value, tuple):
        return "(" + ", ".join(compact(item) for item in value) + ")"
    if not isinstance(value, Struct):
        return repr(value)
    parts: list[str] = []
    for name in value.__struct_fields__:
        item = getattr(value, name)
        told = item not in (None, False, (), 0) or (name == "expand" and isinstance(value, Heredoc))
        if told and name not in _HIDDEN:
            parts.append(f"{name}={compact(item)}")
    return " ".join(parts)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.Dockerfile")), ids=lambda path: path.stem)
def test_text(path: Path) -> None:
    source = path.read_bytes().decode()
    text = "\n".join(shown(parse(source, path.name))) + "\n"
    assert text == path.with_suffix(".txt").read_text()
