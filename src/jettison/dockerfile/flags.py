"""Flags of instructions: ``--name``, ``--name=value``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from jettison.dockerfile.ast import Node, Word
from jettison.dockerfile.suggest import did_you_mean


class Kind(Enum):
    """What values a flag takes: a boolean, one text, or several texts in several flags."""

    BOOL = "bool"
    TEXT = "text"
    TEXTS = "texts"


class Flags:
    """The flags of one instruction, checked against those it knows."""

    def __init__(self, node: Node, known: Mapping[str, Kind] | None = None) -> None:
        """Raises DockerfileError for an unknown flag, one given twice, or a wrong value."""
        self._node = node
        self._known = known or {}
        self._values: dict[str, list[Word]] = {}
        for flag in node.flags:
            self._add(flag)

    def _add(self, flag: Word) -> None:
        shown, equals, value = flag.value.partition("=")
        name = shown[2:]
        kind = self._known.get(name)
        if kind is None:
            raise self._unknown(flag, shown, name)
        if name in self._values and kind is not Kind.TEXTS:
            raise self._node.error(f"duplicate flag specified: {shown}", flag)
        if kind is Kind.BOOL and not equals:
            value = "true"
        elif not equals or (kind is Kind.BOOL and not value):
            hint = f"write {shown}=value; the value is part of the same word"
            raise self._node.error(f"missing a value on flag: {shown}", flag, hint)
        if kind is Kind.BOOL and value.lower() not in ("true", "false"):
            message = f"expecting boolean value for flag {shown}, not: {value}"
            raise self._node.error(message, flag, f"write {shown}, {shown}=true or {shown}=false")
        self._values.setdefault(name, []).append(Word(value, flag.offset))

    def _unknown(self, flag: Word, shown: str, name: str) -> Exception:
        known = ", ".join(f"--{each}" for each in sorted(self._known))
        hint = f"{self._node.name} takes {known}" if known else f"{self._node.name} takes no flags"
        suggestion = did_you_mean(name, self._known)
        return self._node.error(f"unknown flag: {shown}{suggestion}", flag, hint)

    def word(self, name: str) -> Word | None:
        """The value of a flag with the flag's position."""
        values = self._values.get(name)
        return values[0] if values else None

    def text(self, name: str) -> str | None:
        word = self.word(name)
        return None if word is None else word.value

    def texts(self, name: str) -> tuple[Word, ...]:
        return tuple(self._values.get(name, ()))

    def boolean(self, name: str) -> bool | None:
        """The value of a boolean flag; None if it is not given."""
        word = self.word(name)
        return None if word is None else word.value.lower() == "true"
