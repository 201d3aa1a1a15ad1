"""The shell scripts in a RUN: its shell form, its here-document, or ``sh -c`` in its exec form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from jettison.dockerfile.heredoc import script as whole_script
from jettison.dockerfile.instructions import Heredoc, Run
from jettison.lint.edit import Edit, Edits, Places
from jettison.lint.packages import Install, install_of
from jettison.lint.shell import Command, ShellWord, base_name, commands
from jettison.model.span import Span

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh", "busybox"})


def understands(shell: Sequence[str]) -> bool:
    """Whether a SHELL instruction names a shell whose grammar is POSIX's."""
    return bool(shell) and base_name(shell[0]) in _SHELLS


class Script:
    """A script in a RUN. ``place`` turns an offset in its text into one in the Dockerfile."""

    def __init__(
        self, run: Run, text: str, places: Places, place: Callable[[int, int], int | None]
    ) -> None:
        self.run = run
        self.text = text
        self._places = places
        self._place = place

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        return commands(self.text)

    @property
    def installs(self) -> Iterator[Install]:
        for command in self.commands:
            found = install_of(command)
            if found is not None:
                yield found

    def span(self, word: ShellWord) -> Span:
        """Where a word stands; the instruction if that cannot be said."""
        at = self._place(word.start, word.start + 1)
        return self.run.span if at is None else self._places.span(at)

    def written(self, command: Command) -> str:
        """A command as written."""
        return self.text[command.words[0].start : command.words[-1].end]

    def insert_after(self, word: ShellWord, text: str) -> Edits:
        """The edit that adds ``text`` behind a word, if it stands in the Dockerfile as it is."""
        start = self._place(word.start, word.end)
        at = None if start is None else start + word.end - word.start
        return () if at is None else (Edit(at, at, text),)

    def replace(self, word: ShellWord, text: str) -> Edits:
        start = self._place(word.start, word.end)
        return () if start is None else (Edit(start, start + word.end - word.start, text),)


def scripts_of(run: Run, places: Places, understood: bool) -> tuple[Script, ...]:
    """What a POSIX shell executes in ``run``; ``understood`` says whether its shell is one."""
    if not run.command.shell:
        return _exec_form(run, places)
    if not understood:
        return ()
    heredocs = run.command.heredocs
    if heredocs:
        found = whole_script(run.command)
        if found.file is not None and not _is_shell_script(heredocs[0].content):
            return ()
        if found.file is not None or found.text == heredocs[0].content:
            return (_of_heredoc(run, heredocs[0], places),)
    return (_shell_form(run, places),)


def _shell_form(run: Run, places: Places) -> Script:
    node = run.node
    assert node is not None
    base = node.words[0].offset if node.words else 0

    def place(start: int, end: int) -> int | None:
        found = places.range_of(node.joined, base + start, base + end)
        return found[0] if found else None

    return Script(run, run.command.words[0], places, place)


def _of_heredoc(run: Run, heredoc: Heredoc, places: Places) -> Script:
    base = places.offset(heredoc.line)
    return Script(run, heredoc.raw, places, lambda start, end: base + start)


def _is_shell_script(content: str) -> bool:
    words = content.partition("\n")[0].removeprefix("#!").split()
    if words and base_name(words[0]) == "env":
        words = words[1:]
    return understands(words)


def _exec_form(run: Run, places: Places) -> tuple[Script, ...]:
    words = run.command.words
    if len(words) < 3 or not understands(words) or not words[1].startswith("-"):
        return ()
    if "c" not in words[1]:
        return ()
    # The text stands in a JSON string, whose escapes move it: only the instruction is located.
    return (Script(run, words[2], places, lambda start, end: None),)
