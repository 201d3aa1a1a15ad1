"""The flags of ``jettison run``: docker's, and what becomes of those that are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from jettison.cli.limits import LIMITS
from jettison.cli.refused import NOTHING, Decorator, decorate, idle, switches, valued

F = TypeVar("F", bound=Callable[..., Any])


def run_flags(function: F) -> F:
    """Add every flag to a command."""
    refused = [*valued(REFUSED), *switches(REFUSED_SWITCHES), *idle(("--rm",))]
    return cast(F, decorate(function, [*_SUPPORTED, *refused]))


def _list(*names: str, metavar: str, help: str) -> Decorator:
    return click.option(*names, metavar=metavar, help=help, multiple=True)


def _text(*names: str, metavar: str, help: str, default: str | None = None) -> Decorator:
    return click.option(*names, metavar=metavar, help=help, default=default)


_SUPPORTED: list[Decorator] = [
    _list("-e", "--env", metavar="KEY[=VALUE]", help="Variable (default: from environment)"),
    _list("--env-file", metavar="FILE", help="Variables, one KEY[=VALUE] a line"),
    _list("-v", "--volume", metavar="SOURCE:TARGET[:ro]", help="Directory or file of this host"),
    _list("--mount", metavar="SPEC", help="type=bind,src=SOURCE,dst=TARGET[,readonly]"),
    _text("-w", "--workdir", metavar="DIR", help="Working directory", default=""),
    _text("-u", "--user", metavar="USER[:GROUP]", help="User, by name or number", default=""),
    _text("--entrypoint", metavar="COMMAND", help="Instead of the image's; empty: none"),
    click.option("-i", "--interactive", is_flag=True, help="Connect standard input"),
    click.option("-t", "--tty", is_flag=True, help="Give the container a terminal"),
    _text("--network", "--net", metavar="MODE", help="host or none", default="host"),
    *LIMITS,
    _text("--platform", metavar="OS/ARCH[/VARIANT]", help="Platform of the image"),
]

_GONE = "a container is gone when its command ends; it needs no name"
_DAEMON = "there is no daemon: run it in the background of your shell, or as a systemd unit"
_PORTS = "use --network host"
_RIGHTS = "containers run with docker's default rights; use docker or podman for others"

REFUSED: dict[tuple[str, ...], tuple[str, frozenset[str]]] = {
    ("--name",): (_GONE, NOTHING),
    ("--restart",): (_DAEMON, frozenset({"no"})),
    ("-p", "--publish"): (_PORTS, NOTHING),
    ("--cap-add",): (_RIGHTS, NOTHING),
    ("--cap-drop",): (_RIGHTS, NOTHING),
    ("--security-opt",): (_RIGHTS, NOTHING),
    ("--device",): (_RIGHTS, NOTHING),
    ("-h", "--hostname"): ("the name is chosen; set HOSTNAME with --env", NOTHING),
    ("-l", "--label"): (_GONE, NOTHING),
}
"""Flags of docker run that are errors: what to do instead, and values that ask nothing."""

REFUSED_SWITCHES: dict[tuple[str, ...], str] = {
    ("-d", "--detach"): _DAEMON,
    ("-P", "--publish-all"): _PORTS,
    ("--privileged",): _RIGHTS,
    ("--read-only",): "the container's changes are dropped when it ends",
    ("--init",): "the command is the container's first process",
}
