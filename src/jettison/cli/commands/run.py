"""``jettison run``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from jettison.cli.commands._common import declare
from jettison.cli.commands.run_flags import run_flags
from jettison.errors import JettisonError, RunError

if TYPE_CHECKING:
    from jettison.app.run import RunRequest

NETWORKS = ("host", "none")


@declare("run", "Run a command in a container made from an image")
@click.argument("image", metavar="IMAGE")
@click.argument("args", metavar="[COMMAND [ARG...]]", nargs=-1, type=click.UNPROCESSED)
@run_flags
def command(**flags: Any) -> int:
    """Run COMMAND, or what the image's config says, in a new container that is gone afterwards.

    The exit status is the command's; 125 if jettison itself failed, 126 if the command cannot be
    executed, 127 if it cannot be found.
    """
    from jettison.app.run import run
    from jettison.cli.progress.session import watching

    request = make_request(flags, os.environ)
    if flags["tty"] and flags["interactive"] and not sys.stdin.isatty():
        raise JettisonError("standard input is no terminal", hint="leave out --tty")
    if not flags["interactive"]:
        _close_stdin()
    with watching("quiet", os.environ, container=True) as (display, cancel):
        try:
            return run(request, display, environ=os.environ, cancel=cancel)
        except RunError as error:  # the command could not be started: 126 or 127
            return _report(error)


def make_request(flags: Mapping[str, Any], environ: Mapping[str, str]) -> RunRequest:
    """The request for what the command line says; raises UsageError, JettisonError."""
    from jettison.app.run import RunRequest
    from jettison.cli import mounts, values
    from jettison.cli.limits import limits

    env = mounts.environment(flags["env_file"], flags["env"], environ)
    return RunRequest(
        image=flags["image"],
        args=flags["args"],
        env=tuple(f"{key}={value}" for key, value in env.items()),
        volumes=(
            *(mounts.volume(text) for text in flags["volume"]),
            *(mounts.mount(text) for text in flags["mount"]),
        ),
        workdir=flags["workdir"],
        user=flags["user"],
        entrypoint=flags["entrypoint"],
        network=values.one_of("--network", flags["network"], NETWORKS),
        platform=values.one_platform(flags["platform"]),
        terminal=flags["tty"],
        limits=limits(flags),
        cgroup_parent=flags["cgroup_parent"],
    )


def _close_stdin() -> None:
    """Without --interactive the container reads nothing of ours."""
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)


def _report(error: RunError) -> int:
    from jettison.cli.errors import stderr_report

    stderr_report(error)
    return error.status


command.allow_interspersed_args = False
command.context_settings = {**command.context_settings, "help_option_names": ["--help"]}
