"""``#!`` lines (Linux, fs/binfmt_script.c; env(1) of coreutils)."""

from __future__ import annotations

import shlex

from msgspec import Struct

MAX_LINE = 256
"""Bytes of a file the kernel looks at (BINPRM_BUF_SIZE)."""


class Shebang(Struct, frozen=True):
    """``interpreter`` is started with ``argument`` (one word at most) and the script.

    ``command`` is what env(1) starts if that is the interpreter: a name to be looked up in PATH;
    ``words`` are what follows it.
    """

    interpreter: str
    argument: str = ""
    command: str = ""
    words: tuple[str, ...] = ()


def parse_shebang(head: bytes) -> Shebang | None:
    """The ``#!`` line a file begins with; None if it has none, or one the kernel refuses."""
    if head[:2] != b"#!":
        return None
    line, newline, _ = head[2:MAX_LINE].partition(b"\n")
    text = line.split(b"\0")[0].decode("utf-8", "surrogateescape").strip(" \t")
    interpreter, _, argument = text.partition(" ") if " " in text else text.partition("\t")
    if not interpreter or (not newline and " " not in text and len(head) >= MAX_LINE):
        return None  # a path that may have been cut off is not executed
    argument = argument.strip(" \t")
    if interpreter.rpartition("/")[2] != "env" or not argument:
        return Shebang(interpreter, argument)
    words = _env_words(argument)
    return Shebang(interpreter, argument, words[0] if words else "", tuple(words[1:]))


def _env_words(argument: str) -> list[str]:
    """What env would start: its options and settings of variables aside."""
    split = argument.startswith("-S") or argument.startswith("--split-string")
    if split:
        rest = argument.removeprefix("--split-string").removeprefix("-S").lstrip("= \t")
        try:
            words = shlex.split(rest)
        except ValueError:
            words = rest.split()
    else:
        words = [argument]  # the kernel gives one argument, blanks and all
    while words and (words[0].startswith("-") or "=" in words[0].partition("/")[0]):
        words.pop(0)
    return words
