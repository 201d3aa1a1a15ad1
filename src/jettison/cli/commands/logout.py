"""``jettison logout``."""

from __future__ import annotations

import os

import click

from jettison.cli.commands._common import declare


@declare("logout", "Forget the credentials for a registry")
@click.argument("server", metavar="[SERVER]", default="docker.io")
def command(server: str) -> int:
    """Remove what login stored for a registry."""
    from jettison.app.login import logout
    from jettison.cli.output import write_line

    if logout(server, environ=os.environ):
        write_line(f"Removed login credentials for {server}")
    else:
        write_line(f"Not logged in to {server}")
    return 0
