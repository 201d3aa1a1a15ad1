"""Dockerfile -> AST and instructions, as text one can read.

Each ``NAME.Dockerfile`` has its expected text in ``NAME.txt``. To change it, reason from
the Dockerfile reference, then edit the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

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
    for spec in fields(typed):
        value = getattr(typed, spec.name)
        if spec.name not in _HIDDEN and value not in (None, False, (), {}, 0):
            yield from field(spec.name, value)


def words(node: Node) -> Iterator[str]:
    if node.child is not None:
        yield "[" + " ".join(words(node.child)) + "]"
    for word in (*node.flags, *node.words):
        yield place(node, word)


def place(node: Node, word: Word) -> str:
    span = node.joined.span(word.offset)
    return f"{span.line}:{span.column}|{word.value}|"


def field(name: str, value: object) -> Iterator[str]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, tuple)
        else [("", value)]
    )
    for key, item in items:
        label = f"{name}[{key}]" if key != "" else name
        yield f"    {label:<8} {compact(item)}"


def compact(value: object) -> str:
    """Dataclasses by their fields that say something."""
    if isinstance(value, str | int | bool):
        return repr(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(compact(item) for item in value) + ")"
    said = {
        spec.name: getattr(value, spec.name)
        for spec in fields(value)  # type: ignore[arg-type]  # all others are dataclasses
        if spec.name not in _HIDDEN
    }
    keep = {"expand"} if isinstance(value, Heredoc) else set()
    parts = [
        f"{name}={compact(item)}"
        for name, item in said.items()
        if name in keep or item not in (None, False, (), 0)
    ]
    return " ".join(parts)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.Dockerfile")), ids=lambda path: path.stem)
def test_text(path: Path) -> None:
    source = path.read_bytes().decode()
    text = "\n".join(shown(parse(source, path.name))) + "\n"
    assert text == path.with_suffix(".txt").read_text()
