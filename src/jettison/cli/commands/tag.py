"""``jettison tag``."""

from __future__ import annotations

import os

import click

from jettison.cli.commands._common import declare


@declare("tag", "Give an image another name")
@click.argument("source", metavar="SOURCE[:TAG]")
@click.argument("target", metavar="TARGET[:TAG]")
def command(source: str, target: str) -> int:
    """Give the image SOURCE the name TARGET too; what had that name before loses it."""
    from jettison.app.images import tag

    tag(source, target, environ=os.environ)
    return 0
