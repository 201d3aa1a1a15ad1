"""What several commands share: how they are declared, and their common flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from jettison.cli.group import CONTEXT, Command
from jettison.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def declare(name: str, summary: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function the command ``name``."""
    return click.command(
        cls=Command,
        name=name,
        short_help=summary,
        context_settings=CONTEXT,
        options_metavar="[FLAGS]",
    )


def progress_flag(function: F) -> F:
    """Add --progress."""
    return click.option(
        "--progress", metavar="MODE", help="auto, tty, plain, quiet or rawjson", default="auto"
    )(function)


def quiet_flag(help: str) -> Callable[[F], F]:
    """Add -q/--quiet."""
    return click.option("-q", "--quiet", is_flag=True, help=help)


def format_flag(function: F) -> F:
    """Add --format table|json."""
    return click.option(
        "--format", metavar="FORMAT", help="table or json", default="table", callback=_format
    )(function)


def _format(context: click.Context, option: click.Parameter, value: str) -> str:
    if value not in ("table", "json") and not context.resilient_parsing:
        hint = "expected table or json"
        if "{{" in value:
            hint = "Go templates are not supported: use --format json, for instance with jq"
        raise UsageError(f"invalid value {value!r} for --format", hint=hint)
    return value
