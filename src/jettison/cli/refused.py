"""Flags of docker that are known and not supported: one clear error each, never silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from jettison.errors import UsageError

Decorator = Callable[[Any], Any]
NOTHING: frozenset[str] = frozenset()


def valued(flags: Mapping[tuple[str, ...], tuple[str, frozenset[str]]]) -> list[Decorator]:
    """Flags with a value: their names -> what to do instead, and the values that ask nothing."""
    return [
        click.option(
            *names, multiple=True, hidden=True, expose_value=False, callback=_refuse(hint, fine)
        )
        for names, (hint, fine) in flags.items()
    ]


def switches(flags: Mapping[tuple[str, ...], str]) -> list[Decorator]:
    """Flags without a value: their names -> what to do instead."""
    return [
        click.option(
            *names,
            is_flag=True,
            hidden=True,
            expose_value=False,
            callback=_refuse(hint, NOTHING),
        )
        for names, hint in flags.items()
    ]


def idle(*flags: tuple[str, ...]) -> list[Decorator]:
    """Flags that ask for what is always so: accepted, and nothing more is to be done."""
    return [click.option(*names, is_flag=True, hidden=True, expose_value=False) for names in flags]


def _refuse(hint: str, harmless: frozenset[str]) -> Callable[..., None]:
    def callback(context: click.Context, option: click.Parameter, value: Any) -> None:
        asked = value if isinstance(value, tuple) else (value,) if value else ()
        if context.resilient_parsing or all(text in harmless for text in asked):
            return
        raise UsageError(f"{max(option.opts, key=len)} is not supported", hint=hint)

    return callback


def decorate(function: Any, decorators: Iterable[Decorator]) -> Any:
    """Apply decorators so that options appear in their order."""
    for decorator in reversed(list(decorators)):
        function = decorator(function)
    return function
