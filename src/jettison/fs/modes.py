"""``--chmod``: octal numbers and symbolic modes.

The grammar is BSD's chmod(1) with a umask of 0, which BuildKit uses by way of dchapes/mode:
``[ugoa]* ([-+=] [rwxXstugo]*)+`` with commas between the clauses.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from jettison.errors import PlanError

_STICKY = 0o1000
_STANDARD = 0o6777
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o007, "a": _STANDARD}
_PERMISSIONS = {"r": 0o444, "w": 0o222, "x": 0o111}
_SHIFT = {"u": 6, "g": 3, "o": 0}

Change = Callable[[int, int, bool], int]
"""A change: takes the bits so far, the original bits, and whether it is a directory."""


class Mode(Struct, frozen=True):
    """A parsed --chmod. ``octal`` is the number, None if the mode is symbolic."""

    text: str
    octal: int | None
    _changes: tuple[Change, ...] = ()

    def apply(self, mode: int, *, is_dir: bool) -> int:
        """The permission bits (12 of them) that ``mode`` becomes."""
        if self.octal is not None:
            return self.octal
        bits = mode & 0o7777
        for change in self._changes:
            bits = change(bits, mode & 0o7777, is_dir)
        return bits

    @property
    def of_new_parents(self) -> int:
        """What directories made for the destination get: no special bits, 0755 if symbolic."""
        return 0o755 if self.octal is None else self.octal & 0o777


def parse_mode(text: str) -> Mode:
    """Parse an octal number up to 07777 or symbolic modes. Raises PlanError."""
    if re.fullmatch(r"[0-7]+", text) and int(text, 8) <= 0o7777:
        return Mode(text, int(text, 8))
    if text[:1].isdigit():
        raise PlanError(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        )
    changes: list[Change] = []
    for clause in text.split(","):
        match = re.fullmatch(r"([ugoa]*)((?:[-+=][rwxXstugo]*)+)", clause)
        if match is None:
            raise PlanError(
                f"invalid chmod parameter: {text!r}", hint="a mode looks like 0755 or u=rwx,go+rX"
            )
        who = 0
        for letter in match[1]:
            who |= _WHO[letter]
        for op, letters in re.findall(r"([-+=])([rwxXstugo]*)", match[2]):
            who = _clause(changes, who, op, letters)
    return Mode(text, None, tuple(changes))


def _clause(changes: list[Change], who: int, op: str, letters: str) -> int:
    """Append what one operator does; returns ``who``, which a ``t`` widens for those after it."""
    who &= ~_STICKY
    bits = conditional = 0
    assigned = False
    for letter in letters:
        if letter in _PERMISSIONS:
            bits |= _PERMISSIONS[letter]
        elif letter == "X":
            if op == "-":
                bits |= 0o111
            else:
                conditional |= 0o111
        elif letter in "st":
            if who == 0 or who & ~0o007:  # ``o`` alone has neither
                bits |= 0o6000 if letter == "s" else _STICKY
                who |= 0 if letter == "s" else _STICKY
        else:
            if bits:
                changes.append(_change(op, who, bits))
                bits = 0
            if conditional:
                changes.append(_conditional(who, conditional))
                conditional = 0
            assigned = True
            changes.append(_copy(op, who, letter))
    if bits or (op == "=" and not assigned):
        changes.append(_change(op, who, bits))
    if conditional:
        changes.append(_conditional(who, conditional))
    return who


def _change(op: str, who: int, bits: int) -> Change:
    named = who & bits if who else bits
    if op == "+":
        return lambda now, _before, _is_dir: now | named
    if op == "-":
        return lambda now, _before, _is_dir: now & ~named
    cleared = who or _STANDARD
    return lambda now, _before, _is_dir: now & ~cleared | named


def _conditional(who: int, bits: int) -> Change:
    """``X``: for directories, and files that somebody could execute to begin with."""
    named = who & bits if who else bits
    return lambda now, before, is_dir: now | named if is_dir or before & 0o111 else now


def _copy(op: str, who: int, source: str) -> Change:
    """``g=u``: the permissions of one class for others."""
    targets = [name for name in "ugo" if not who or who & (0o400 >> 3 * "ugo".index(name))]

    def change(now: int, _before: int, _is_dir: bool) -> int:
        value = now >> _SHIFT[source] & 0o7
        for name in targets:
            shift = _SHIFT[name]
            if op == "=":
                now &= ~(0o7 << shift)
            now = now & ~(value << shift) if op == "-" else now | value << shift
        return now

    return change
