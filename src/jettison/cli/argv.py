"""Go's flag syntax on top of click's.

docker's command line is parsed by Go's pflag, which knows two forms click does not: a boolean
with a value (``--pull=false``, ``-q=true``) and ``=`` after a one-letter flag (``-t=name``). Both
are rewritten to what click reads; everything else passes through. An option whose value may be
left out (`OptionalValue`) takes the next word only if it looks like its value. One-letter flags
are written out, as click would first take them for misspelt long ones, and look for what was
meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from jettison.errors import UsageError

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def parse_bool(flag: str, text: str) -> bool:
    """A boolean as Go's strconv.ParseBool reads it; raises UsageError for anything else."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise UsageError(f"invalid value {text!r} for {flag}", hint="expected true or false")


def normalise(
    args: Sequence[str], params: Sequence[click.Parameter], interspersed: bool
) -> list[str]:
    """``args`` with Go's forms rewritten; unknown flags are left for click to report.

    Without ``interspersed`` the flags end at the first argument that is none.
    """
    return _Normaliser(args, params, interspersed).run()


class OptionalValue(click.Option):
    """An option that stands for ``bare`` without a value; ``is_value`` tells a value from what
    follows.
    """

    def __init__(
        self, *args: Any, bare: str, is_value: Callable[[str], bool], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.bare = bare
        self.is_value = is_value


class _Normaliser:
    def __init__(
        self, args: Sequence[str], params: Sequence[click.Parameter], interspersed: bool
    ) -> None:
        self._rest = list(reversed(args))
        self._interspersed = interspersed
        self._options = {name: p for p in params if isinstance(p, click.Option) for name in p.opts}
        self._out: list[tuple[str, click.Option | None]] = []  # a flag carries its option

    def run(self) -> list[str]:
        while self._rest:
            arg = self._rest.pop()
            if arg == "--":
                self._put(arg)
                break
            if arg.startswith("--"):
                self._long(arg)
            elif arg.startswith("-") and arg != "-":
                self._short(arg[1:])
            else:
                self._put(arg)
                if not self._interspersed:
                    break
        return [text for text, _ in self._out] + list(reversed(self._rest))

    def _put(self, text: str) -> None:
        self._out.append((text, None))

    def _long(self, arg: str) -> None:
        name, equals, value = arg.partition("=")
        option = self._options.get(name)
        if option is not None and _is_switch(option):
            self._switch(name, option, parse_bool(name, value) if equals else True)
            return
        if isinstance(option, OptionalValue) and not equals and not self._has_value(option):
            self._put(f"{arg}={option.bare}")
            return
        self._put(arg)
        if option is not None and not equals:
            self._value()

    def _short(self, letters: str) -> None:
        while letters:
            name, letters = f"-{letters[0]}", letters[1:]
            option = self._options.get(name)
            if option is None:
                self._put(name + letters)
                return
            if _is_switch(option):
                on = True
                if letters.startswith("="):
                    on, letters = parse_bool(name, letters[1:]), ""
                self._switch(_long_name(option), option, on)
                continue
            self._put(_long_name(option) if letters or self._rest else name)
            if letters:
                self._put(letters.removeprefix("="))
            else:
                self._value()
            return

    def _has_value(self, option: OptionalValue) -> bool:
        return bool(self._rest) and option.is_value(self._rest[-1])

    def _value(self) -> None:
        if self._rest:
            self._put(self._rest.pop())

    def _switch(self, name: str, option: click.Option, on: bool) -> None:
        """The last of several settings of one flag counts."""
        self._out = [item for item in self._out if item[1] is not option]
        if on:
            self._out.append((name, option))


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len)


def _is_switch(option: click.Option) -> bool:
    return bool(option.is_flag) or option.count
