"""``jettison login``."""

from __future__ import annotations

import os
import sys

import click

from jettison.cli.commands._common import declare
from jettison.errors import UsageError


@declare("login", "Store credentials for a registry")
@click.argument("server", metavar="[SERVER]", default="docker.io")
@click.option("-u", "--username", metavar="NAME", help="User name")
@click.option("-p", "--password", metavar="PASSWORD", help="Password, visible to everybody: avoid")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input")
def command(server: str, username: str | None, password: str | None, password_stdin: bool) -> int:
    """Check a name and password with a registry and store them where docker login does."""
    from jettison.cli.output import note, write_line

    if password is not None and password_stdin:
        raise UsageError("--password and --password-stdin cannot be used together")
    if password_stdin:
        if not username:
            raise UsageError("--password-stdin needs --username")
        password = sys.stdin.read().rstrip("\r\n")
    elif password is not None:
        note("warning: --password is visible to other users; use --password-stdin")
    username = username or _ask_name()
    password = _ask_password() if password is None else password
    if not username or not password:
        raise UsageError("user name and password must not be empty")
    from jettison.app.login import login

    login(server, username, password, environ=os.environ)
    write_line("Login Succeeded")
    return 0


def _ask_name() -> str:
    _need_terminal("--username")
    sys.stderr.write("Username: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _ask_password() -> str:
    from getpass import getpass

    _need_terminal("--password-stdin")
    return getpass("Password: ", sys.stderr)


def _need_terminal(flag: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("standard input is no terminal to ask on", hint=f"use {flag}")
