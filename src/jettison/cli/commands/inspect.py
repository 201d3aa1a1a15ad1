"""``jettison inspect``."""

from __future__ import annotations

import os

import click

from jettison.cli.commands._common import declare
from jettison.errors import JettisonError, UsageError


@declare("inspect", "Show everything about an image as JSON")
@click.argument("names", metavar="NAME|ID...", nargs=-1, required=True)
@click.option("-f", "--format", metavar="FORMAT", help="json: one object a line", default=None)
@click.option("--type", "kind", metavar="TYPE", help="image, the only one", default="image")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="Platform (default: this host's)")
def command(names: tuple[str, ...], format: str | None, kind: str, platform: str | None) -> int:
    """Show images as docker inspect does: an indented JSON array, or with --format json one
    object a line.
    """
    from jettison.app.images import inspect
    from jettison.cli.errors import stderr_report
    from jettison.cli.output import write_json
    from jettison.cli.values import one_platform

    _check(format, kind)
    wanted = one_platform(platform)
    status, found = 0, []
    for name in names:
        try:
            found.append(inspect(name, environ=os.environ, platform=wanted))
        except JettisonError as error:
            stderr_report(error)
            status = error.exit_code
    if format is None:
        write_json(found, indent=4)
    else:
        for document in found:
            write_json(document)
    return status


def _check(format: str | None, kind: str) -> None:
    if kind != "image":
        raise UsageError(f"unsupported --type {kind!r}", hint="there are only images")
    if format not in (None, "json"):
        hint = "Go templates are not supported: use --format json, for instance with jq"
        raise UsageError(f"invalid value {format!r} for --format", hint=hint)
