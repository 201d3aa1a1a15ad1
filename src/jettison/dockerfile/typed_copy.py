"""COPY and ADD."""

from __future__ import annotations

from jettison.dockerfile.ast import Node
from jettison.dockerfile.flags import Flags, Kind
from jettison.dockerfile.heredoc import Opener, opener, without_tabs
from jettison.dockerfile.instructions import Copy, Heredoc
from jettison.dockerfile.lexer import ExpansionError

_COMMON = {"chown": Kind.TEXT, "chmod": Kind.TEXT, "link": Kind.BOOL, "exclude": Kind.TEXTS}
_COPY = {**_COMMON, "from": Kind.TEXT, "parents": Kind.BOOL}
_ADD = {
    **_COMMON,
    "keep-git-dir": Kind.BOOL,
    "checksum": Kind.TEXT,
    "unpack": Kind.BOOL,
}


def copy(node: Node) -> Copy:
    """Type a COPY."""
    _check_destination(node)
    return _typed(node, Flags(node, _COPY), add=False)


def add(node: Node) -> Copy:
    """Type an ADD."""
    _check_destination(node)
    return _typed(node, Flags(node, _ADD), add=True)


def _check_destination(node: Node) -> None:
    if len(node.words) < 2:
        raise node.error(
            f"{node.name} requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
            node.words[0] if node.words else None,
            f"write {node.name} source destination",
        )


def _typed(node: Node, flags: Flags, *, add: bool) -> Copy:
    *sources, dest = node.words
    if _opener(dest.value) is not None:
        raise node.error(f"{node.name} cannot accept a heredoc as a destination", dest)
    return Copy(
        **node.written(),
        add=add,
        sources=tuple(source.value for source in sources),
        dest=dest.value,
        heredocs=_heredocs(node),
        from_=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.boolean("link") or False,
        parents=flags.boolean("parents") or False,
        exclude=tuple(word.value for word in flags.texts("exclude")),
        keep_git_dir=flags.boolean("keep-git-dir"),
        checksum=flags.text("checksum"),
        unpack=flags.boolean("unpack"),
    )


def _heredocs(node: Node) -> dict[int, Heredoc]:
    """The here-documents among the sources, by position.

    A source finds its body by its name, so that of two with one name the last body serves both; in
    JSON form there are no bodies, and the file is empty (both as in BuildKit).
    """
    bodies = {body.name: body for body in node.heredocs}
    found: dict[int, Heredoc] = {}
    for position, source in enumerate(node.words[:-1]):
        opened = _opener(source.value)
        if opened is not None:
            body = bodies.get(opened.name)
            raw = body.raw if body else ""
            found[position] = Heredoc(
                opened.name,
                without_tabs(raw) if opened.chomp else raw,
                opened.expand,
                opened.chomp,
                opened.descriptor,
                raw=raw,
                line=body.line if body else 0,
            )
    return found


def _opener(word: str) -> Opener | None:
    """The here-document a word opens; one whose name cannot be read is an ordinary path."""
    try:
        return opener(word) if "<<" in word else None
    except ExpansionError:
        return None
