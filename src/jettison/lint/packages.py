"""Package managers: which of their commands install what, and with which options."""

from __future__ import annotations

import re

from msgspec import Struct

from jettison.lint.shell import Command, ShellWord

APT = frozenset({"apt-get", "apt", "aptitude"})
DNF = frozenset({"dnf", "yum", "microdnf", "tdnf"})
_INSTALLS = {
    **dict.fromkeys(APT, frozenset({"install"})),
    **dict.fromkeys(DNF, frozenset({"install", "groupinstall"})),
    "apk": frozenset({"add"}),
    "zypper": frozenset({"install", "in"}),
    "pip": frozenset({"install"}),
    "npm": frozenset({"install", "i", "ci", "add"}),
}
SYSTEM = frozenset({*APT, *DNF, "apk", "zypper"})
"""Managers of the distribution's packages, whose packages do not depend on the build context."""

_WITH_VALUE = {
    **dict.fromkeys(
        APT, frozenset({"-o", "-t", "-c", "--option", "--target-release", "--config-file"})
    ),
    "apk": frozenset({"-t", "--virtual", "-X", "--repository", "-p", "--root", "--arch"}),
    "pip": frozenset(
        """-r --requirement -c --constraint -e --editable -i --index-url --extra-index-url -t
        --target -f --find-links --prefix --root --trusted-host --cache-dir --platform
        --python-version --log --proxy --timeout --retries""".split()
    ),
    "npm": frozenset({"--prefix", "--registry", "--cache", "--loglevel", "-w", "--workspace"}),
}
_PYTHON = re.compile(r"python(?:[0-9.]+)?")
_PIP = re.compile(r"pip(?:[0-9.]+)?")


class Install(Struct, frozen=True):
    """``verb`` is the word ``install`` (or ``add`` …); ``packages`` are the words that are neither
    options nor their values. ``manager`` is the program; ``pip`` for all of pip's names.
    """

    manager: str
    command: Command
    verb: ShellWord
    options: tuple[str, ...]
    packages: tuple[ShellWord, ...]

    @property
    def literal(self) -> bool:
        """Whether every option and package is known."""
        return self.command.literal

    def has(self, *options: str) -> bool:
        """Whether one of these options is given, alone or with ``=value``."""
        return any(given.partition("=")[0] in options for given in self.options)

    def has_letter(self, letter: str) -> bool:
        """Whether a short option is given, perhaps among others (``-qy``)."""
        return any(
            option[:1] == "-" and option[1:2] != "-" and letter in option[1:]
            for option in self.options
        )


def manager_of(command: Command) -> tuple[str, tuple[ShellWord, ...]]:
    """The package manager a command calls (whatever its version), and its arguments."""
    name, arguments = command.name, command.arguments
    if _PYTHON.fullmatch(name) and [w.value for w in arguments[:2]] == ["-m", "pip"]:
        return "pip", arguments[2:]
    return ("pip" if _PIP.fullmatch(name) else name), arguments


def verb_of(command: Command) -> str:
    """The subcommand of a package manager: ``update`` in ``apt-get -q update``."""
    manager, arguments = manager_of(command)
    _, words = _options(manager, arguments)
    return words[0].value if words else ""


def install_of(command: Command) -> Install | None:
    """What a command installs, None if it installs nothing."""
    manager, arguments = manager_of(command)
    verbs = _INSTALLS.get(manager)
    if verbs is None:
        return None
    options, words = _options(manager, arguments)
    if not words or words[0].value not in verbs:
        return None
    return Install(manager, command, words[0], options, words[1:])


def _options(
    manager: str, arguments: tuple[ShellWord, ...]
) -> tuple[tuple[str, ...], tuple[ShellWord, ...]]:
    """Options (a value in a word of its own as ``option=value``), and all other words."""
    with_value = _WITH_VALUE.get(manager, frozenset())
    options: list[str] = []
    others: list[ShellWord] = []
    words = iter(arguments)
    for word in words:
        if not word.value.startswith("-"):
            others.append(word)
        elif word.value in with_value:
            value = next(words, None)
            options.append(f"{word.value}={value.value}" if value else word.value)
        else:
            options.append(word.value)
    return tuple(options), tuple(others)
