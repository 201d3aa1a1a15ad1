"""``jettison run``."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from jettison.cli.commands._common import declare
from jettison.cli.commands.run_flags import run_flags
from jettison.errors import JettisonError, RunError


@declare("run", "Run a command in a container made from an image")
@click.argument("image", metavar="IMAGE")
@click.argument("args", metavar="[COMMAND [ARG...]]", nargs=-1, type=click.UNPROCESSED)
@run_flags
def command(**flags: Any) -> int:
    """Run COMMAND, or what the image's config says, in a new container that is gone afterwards.

    The exit status is the command's; 125 if jettison itself failed, 126 if the command cannot be
    executed, 127 if it cannot be found.
    """
    from jettison.app.request import RunRequest
    from jettison.cli import mounts, values
    from jettison.cli.progress.session import watching

    if flags["interactive"] and flags["tty"] and not sys.stdin.isatty():
        raise JettisonError("standard input is no terminal", hint="leave out --tty")
    entrypoint = flags["entrypoint"]
    request = RunRequest(
        image=flags["image"],
        args=flags["args"],
        entrypoint=None if entrypoint is None else (entrypoint,) if entrypoint else (),
        env=mounts.environment(flags["env_file"], flags["env"], os.environ),
        mounts=(
            *(mounts.volume(text) for text in flags["volume"]),
            *(mounts.mount(text) for text in flags["mount"]),
        ),
        workdir=flags["workdir"],
        user=flags["user"],
        network=values.one_of("--network", flags["network"], values.NETWORKS),
        platform=values.one_platform(flags["platform"]),
        interactive=flags["interactive"],
        tty=flags["tty"],
    )
    from jettison.app.run import run

    with watching("quiet", os.environ, signals=False) as (display, _):
        try:
            status: int = run(request, display, environ=os.environ)
            return status
        except RunError as error:  # its command could not be started: 126 or 127
            return _report(error)


def _report(error: RunError) -> int:
    from jettison.cli.errors import stderr_report

    stderr_report(error)
    return error.status


command.allow_interspersed_args = False
command.context_settings = {**command.context_settings, "help_option_names": ["--help"]}
