"""How to mend what BuildKit's checks find, where that is a matter of form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from jettison.dockerfile.ast import Node, Word
from jettison.dockerfile.instructions import Cmd, Entrypoint, Instruction
from jettison.lint.edit import Edit, Edits
from jettison.lint.view import View

_SIMPLE_WORD = re.compile(r"[A-Za-z0-9_./:=@%+,-]+")
_NOT_PROGRAMS = frozenset(
    """. : alias bg break case cd command continue do done elif else eval exit export fg fi for
    function getopts hash if in jobs local read readonly return select set shift source test then
    time times trap type ulimit umask unalias unset until wait while""".split()
)
"""Words of the shell's own, which no program has the name of."""

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def mend(code: str, instruction: Instruction, view: View) -> Edits:
    """The edits that mend what the check ``code`` has found at an instruction; none if there is
    no safe way.
    """
    mender = _MENDERS.get(code)
    node = instruction.node
    return mender(instruction, node, view) if mender is not None and node is not None else ()


def _stage_name(instruction: Instruction, node: Node, view: View) -> Edits:
    if len(node.words) != 3:
        return ()
    return view.places.replace(node, node.words[2], node.words[2].value.lower())


def _as_casing(instruction: Instruction, node: Node, view: View) -> Edits:
    if len(node.words) != 3:
        return ()
    word = "AS" if node.keyword.value.isupper() else "as"
    return view.places.replace(node, node.words[1], word)


def _keyword_casing(instruction: Instruction, node: Node, view: View) -> Edits:
    """All keywords are in the case that most have, upper case if there is no majority."""
    stages = view.dockerfile.stages
    nodes = [i.node for s in stages for i in (s.base, *s.instructions) if i.node is not None]
    lower = sum(each.keyword.value.islower() for each in nodes)
    upper = sum(each.keyword.value.isupper() for each in nodes)
    word = node.keyword.value.lower() if lower > upper else node.keyword.value.upper()
    return view.places.replace(node, node.keyword, word)


def _legacy_pair(instruction: Instruction, node: Node, view: View) -> Edits:
    """``ENV key some value`` -> ``ENV key="some value"``."""
    if not node.legacy or len(node.words) != 2:
        return ()
    key, value = node.words
    if not _KEY.fullmatch(key.value):
        return ()
    text = value.value
    if re.search(r"\s", text):
        if re.search(r"[\"'\\`]", text):
            return ()  # quotes and escapes mean something else inside of other quotes
        text = f'"{text}"'
    end = value.offset + len(value.value)
    found = view.places.range_of(node.joined, key.offset, end)
    return (Edit(*found, f"{key.value}={text}"),) if found else ()


def _maintainer(instruction: Instruction, node: Node, view: View) -> Edits:
    """``MAINTAINER name`` -> ``LABEL org.opencontainers.image.authors="name"``."""
    if len(node.words) != 1:
        return ()
    escape = view.dockerfile.escape
    name = node.words[0]
    if not name.value.isprintable():
        return ()
    special = re.compile(f'["${re.escape(escape)}]')
    value = special.sub(lambda match: escape + match[0], name.value)
    keyword = "LABEL" if node.keyword.value.isupper() else "label"
    found = view.places.range_of(node.joined, node.keyword.offset, name.offset + len(name.value))
    if found is None:
        return ()
    return (Edit(*found, f'{keyword} org.opencontainers.image.authors="{value}"'),)


def _exec_form(instruction: Instruction, node: Node, view: View) -> Edits:
    """``CMD program argument`` -> ``CMD ["program", "argument"]``."""
    if len(node.words) != 1 or node.heredocs or not _stands_alone(instruction, view):
        return ()
    words = node.words[0].value.split()
    if words[:1] == ["exec"]:
        words = words[1:]
    if not words or words[0] in _NOT_PROGRAMS or "=" in words[0]:
        return ()
    if not all(_SIMPLE_WORD.fullmatch(word) for word in words):
        return ()
    return view.places.replace(node, node.words[0], json.dumps(words))


def _stands_alone(instruction: Instruction, view: View) -> bool:
    """Whether no ENTRYPOINT takes this CMD as its arguments, and the other way round: a shell-form
    ENTRYPOINT ignores CMD, and a shell-form CMD gives a shell to ENTRYPOINT.
    """
    other = Cmd if isinstance(instruction, Entrypoint) else Entrypoint
    chains = [stage.chain for stage in view.stages]
    return not any(
        isinstance(each, other)
        for chain in chains
        if any(instruction is own for stage in chain for own in stage.instructions)
        for stage in chain
        for each in stage.instructions
    )


def _empty_lines(instruction: Instruction, node: Node, view: View) -> Edits:
    return tuple(Edit(*view.places.line(number), "") for number in node.joined.empty)


def _platform_flag(instruction: Instruction, node: Node, view: View) -> Edits:
    flags = [flag for flag in node.flags if flag.value.startswith("--platform=")]
    if len(flags) != 1 or not node.words:
        return ()
    flag = flags[0]
    if node.joined.text[flag.offset :].split(maxsplit=1)[0] != flag.value:
        return ()  # written with quotes or escapes
    found = view.places.range_of(node.joined, flag.offset, node.words[0].offset)
    return (Edit(*found, ""),) if found and len(node.flags) == 1 else ()


def _protocol(instruction: Instruction, node: Node, view: View) -> Edits:
    edits: list[Edit] = []
    for word in node.words:
        port, slash, protocol = word.value.partition("/")
        if slash and protocol.isalpha() and not protocol.islower():
            edits += view.places.replace(
                node, Word(word.value, word.offset), f"{port}/{protocol.lower()}"
            )
    return tuple(edits)


_MENDERS: dict[str, Callable[[Instruction, Node, View], Edits]] = {
    "ConsistentInstructionCasing": _keyword_casing,
    "ExposeProtoCasing": _protocol,
    "FromAsCasing": _as_casing,
    "JSONArgsRecommended": _exec_form,
    "LegacyKeyValueFormat": _legacy_pair,
    "MaintainerDeprecated": _maintainer,
    "NoEmptyContinuation": _empty_lines,
    "RedundantTargetPlatform": _platform_flag,
    "StageNameCasing": _stage_name,
}

MENDABLE = frozenset(_MENDERS)
"""BuildKit's checks that ``--fix`` can mend, often or always."""
