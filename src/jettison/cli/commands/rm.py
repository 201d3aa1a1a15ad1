"""``jettison rm`` (``rmi``)."""

from __future__ import annotations

import os

import click

from jettison.cli.commands._common import declare
from jettison.errors import JettisonError, NotFoundError


@declare("rm", "Remove images from the store")
@click.argument("names", metavar="NAME|ID...", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="An image that is not there is no failure")
def command(names: tuple[str, ...], force: bool) -> int:
    """Remove images from the store. Their layers go when nothing needs them: see prune."""
    from jettison.app.images import remove
    from jettison.cli.errors import stderr_report
    from jettison.cli.output import write

    status = 0
    for name in names:  # all that can be removed are, whatever is wrong with the others
        try:
            gone = remove([name], environ=os.environ)
        except JettisonError as error:
            stderr_report(error)
            if not (force and isinstance(error, NotFoundError)):
                status = error.exit_code
        else:
            write("".join(f"Untagged: {name}\n" for name in gone))
    return status
