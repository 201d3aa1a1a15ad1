"""Here-documents: where an instruction opens them, and what their bodies become."""

from __future__ import annotations

from msgspec import Struct

from jettison.dockerfile.instructions import Heredoc, ShellWords
from jettison.dockerfile.lexer import ExpansionError, Lexer
from jettison.dockerfile.text import expression


class Opener(Struct, frozen=True):
    """A word such as ``3<<-"EOF"``: a here-document begins after the line."""

    name: str
    expand: bool
    chomp: bool
    descriptor: int


class Script(Struct, frozen=True):
    """What a shell-form RUN executes: ``text`` goes to the shell.

    If ``file`` is set, the RUN is a single here-document that begins with ``#!``: its content is to
    be written to an executable file of its name, and that file to be run (by the shell).
    """

    text: str
    file: Heredoc | None = None


def openers(line: str) -> tuple[Opener, ...]:
    """The here-documents that a joined line opens, in order.

    None for a line with unbalanced quotes. Raises ExpansionError if a name cannot be read.
    """
    if "<<" not in line:
        return ()
    lexer = Lexer(line, {}, escape="\\", raw_quotes=True, raw_escapes=True, keep_unset=True)
    try:
        words = lexer.run().words()
    except ExpansionError:
        return ()
    found = (opener(word) for word in words if "<<" in word)
    return tuple(each for each in found if each is not None)


def opener(word: str) -> Opener | None:
    """Read one word as the start of a here-document; None if it is not one.

    Raises ExpansionError if its quotes are unbalanced.
    """
    match = expression(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)\Z").match(word)
    if match is None or not match[3]:
        return None
    names = _words(match[3], raw_quotes=False)
    if len(names) != 1:
        return None
    raw = _words(match[3], raw_quotes=True)[0]
    # Quotes that vanish are quotes around a part of the name: the body is verbatim.
    expand = _quotes(names[0]) == _quotes(raw)
    return Opener(names[0], expand, match[2] == "-", int(match[1][:9] or 0))


def _words(text: str, *, raw_quotes: bool) -> list[str]:
    return Lexer(text, {}, escape="\\", raw_quotes=raw_quotes, keep_unset=True).run().words()


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')


def without_tabs(body: str) -> str:
    """A body of ``<<-``: leading tabs of every line removed."""
    return expression(r"(?m)^\t+").sub("", body)


def script(command: ShellWords) -> Script:
    """What a shell-form RUN executes, its here-documents included.

    A here-document alone is the script; beside other text it is left to the shell, whose business
    its expansion then is (BuildKit's ``dispatchRun``).
    """
    text = " ".join(command.words)
    if not command.heredocs:
        return Script(text)
    if _is_opener(text):
        body = command.heredocs[0]
        if not body.content.startswith("#!"):
            return Script(body.content)
        return Script(f"/dev/pipes/{body.name}", body)
    return Script(text + appended(command.heredocs))


def _is_opener(text: str) -> bool:
    try:
        return opener(text) is not None
    except ExpansionError:
        return False


def appended(heredocs: tuple[Heredoc, ...]) -> str:
    """The bodies as they follow the line that opens them, tabs and all."""
    return "".join(f"\n{each.raw}{each.name}" for each in heredocs)
