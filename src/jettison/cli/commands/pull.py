"""``jettison pull``."""

from __future__ import annotations

import os

import click

from jettison.cli.commands._common import declare, progress_flag, quiet_flag
from jettison.cli.refused import idle, switches
from jettison.errors import UsageError

_ALL_TAGS = switches({("-a", "--all-tags"): "pull the tags one by one"})


@declare("pull", "Fetch an image from a registry")
@click.argument("name", metavar="NAME[:TAG|@DIGEST]")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="Platform (default: this host's)")
@click.option("--all-platforms", is_flag=True, help="Fetch the image for all its platforms")
@progress_flag
@quiet_flag("Print nothing but the image's name")
@_ALL_TAGS[0]
@idle(("--disable-content-trust",))[0]
def command(
    name: str, platform: str | None, all_platforms: bool, progress: str, quiet: bool
) -> int:
    """Fetch an image from a registry into the store, and print its full name."""
    from jettison.cli import values
    from jettison.cli.output import write_line
    from jettison.cli.progress.session import GRACE, watching
    from jettison.model.reference import parse_reference

    if platform and all_platforms:
        raise UsageError("--platform and --all-platforms cannot be used together")
    wanted = values.one_platform(platform)
    reference = parse_reference(name)
    mode = "quiet" if quiet else progress
    with watching(mode, os.environ, title="Pulling", grace=GRACE) as (display, cancel):
        from jettison.app.images import pull

        pull(
            name,
            display,
            environ=os.environ,
            cancel=cancel,
            platform=wanted,
            all_platforms=all_platforms,
        )
    write_line(str(reference))
    return 0
