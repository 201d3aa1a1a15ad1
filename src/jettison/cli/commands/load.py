"""``jettison load``."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO

import click

from jettison.cli.commands._common import declare, progress_flag, quiet_flag
from jettison.errors import JettisonError, UsageError


@declare("load", "Read images from an archive")
@click.option("-i", "--input", "path", metavar="FILE", help="Archive (default: standard input)")
@progress_flag
@quiet_flag("Print nothing but the images' names")
def command(path: str | None, progress: str, quiet: bool) -> int:
    """Read the images of an archive (of docker save or an OCI layout, compressed or not)."""
    from jettison.cli.output import write_line
    from jettison.cli.progress.session import watching

    with (
        _open(path) as stream,
        watching("quiet" if quiet else progress, os.environ, title="Loading") as (display, _),
    ):
        from jettison.app.images import load

        names = load(stream, display, environ=os.environ)
    for name in names:
        write_line(name if quiet else f"Loaded image: {name}")
    return 0


def _open(path: str | None) -> contextlib.AbstractContextManager[IO[bytes]]:
    if path is None:
        if sys.stdin.isatty():
            raise UsageError("standard input is a terminal", hint="use --input FILE, or a pipe")
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return open(path, "rb")
    except OSError as error:
        raise JettisonError(f"cannot read {path}: {error.strerror}") from None
