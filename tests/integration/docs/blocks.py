"""What the documentation shows: commands to run, files to write, links and tests it names.

A page shows commands in fenced blocks of the language ``console``, in lines that begin with ``$``
and go on after a backslash at the end of a line; other lines are the output. ``…`` in a line of
output stands for anything. A fenced block whose first line says ``file=NAME`` after the language is
the content of a file in the directory the commands run in. A console block right below the comment
``<!-- not run: REASON -->`` is not run. In ``docs/commands`` the indented lines, but for the usage,
are commands too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
)

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<info>.*)$")
_NOT_RUN = re.compile(r"^<!-- not run: \S.* -->$")


@dataclass
class Block:
    """A fenced block: the words after the ticks, its text, and the line above it."""

    info: list[str]
    lines: list[str]
    above: str


@dataclass(frozen=True)
class File:
    """A file that a page shows."""

    name: str
    content: str


@dataclass(frozen=True)
class Command:
    """A command that a page shows, and the lines of output below it."""

    text: str
    output: tuple[str, ...] = ()


def read(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found: list[Block] = []
    above = ""
    current: Block | None = None
    end = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if current is not None:
            if line.strip() == end:
                current = None
            else:
                current.lines.append(line)
        elif fence is not None:
            current, end = Block(fence["info"].split(), [], above), fence["ticks"]
            found.append(current)
        elif line.strip():
            above = line.strip()
    assert current is None, "a fenced block has no end"
    return found


def shown(page: str) -> list[File | Command]:
    """The files and commands of a page, in order."""
    return shown_in(read(page), indented=page.startswith("docs/commands/"))


def shown_in(text: str, *, indented: bool) -> list[File | Command]:
    """The same of a text; ``indented``: indented lines are commands."""
    found: list[File | Command] = []
    for block in blocks(text):
        names = [word.partition("=")[2] for word in block.info if word.startswith("file=")]
        if names:
            found.append(File(names[0], "\n".join(block.lines) + "\n"))
        elif block.info[:1] == ["console"] and not _NOT_RUN.match(block.above):
            found += _commands(block.lines)
    if indented:
        found += [Command(line.strip()) for line in _indented(text)]
    return found


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    inside, kept = False, []
    for line in text.splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def _commands(lines: list[str]) -> list[Command]:
    found: list[tuple[str, list[str]]] = []
    goes_on = False
    for line in lines:
        if goes_on:
            found[-1] = (found[-1][0] + "\n" + line, [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found, f"a console block begins with output: {line!r}"
            if line.strip():
                found[-1][1].append(line)
        goes_on = (goes_on or line.startswith("$ ")) and line.endswith("\\")
    return [Command(text, tuple(output)) for text, output in found]


def _indented(text: str) -> list[str]:
    lines = [line for line in prose(text).splitlines() if line.startswith("    ")]
    return [x for x in lines if "[FLAGS]" not in x and not x.strip().startswith("#")]
