"""``jettison push``."""

from __future__ import annotations

import os

import click

from jettison.cli.commands._common import declare, progress_flag, quiet_flag
from jettison.cli.refused import idle, switches

_ALL_TAGS = switches({("-a", "--all-tags"): "push the tags one by one"})


@declare("push", "Send an image to a registry")
@click.argument("name", metavar="NAME[:TAG]")
@progress_flag
@quiet_flag("Print nothing but the image's name")
@_ALL_TAGS[0]
@idle(("--disable-content-trust",))[0]
def command(name: str, progress: str, quiet: bool) -> int:
    """Send an image of the store to the registry its name begins with, and print its full name."""
    from jettison.cli.output import write_line
    from jettison.cli.progress.session import GRACE, watching
    from jettison.model.reference import parse_reference

    reference = parse_reference(name)
    with watching("quiet" if quiet else progress, os.environ, title="Pushing", grace=GRACE) as (
        display,
        cancel,
    ):
        from jettison.app.images import push

        push(name, display, environ=os.environ, cancel=cancel)
    write_line(str(reference))
    return 0
