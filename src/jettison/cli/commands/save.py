"""``jettison save``."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Literal

import click

from jettison.cli.commands._common import declare
from jettison.errors import JettisonError, UsageError

FORMATS = ("docker", "oci")


@declare("save", "Write images to an archive")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("-o", "--output", "path", metavar="FILE", help="Archive (default: standard output)")
@click.option("--format", "kind", metavar="FORMAT", help="docker or oci", default="docker")
def command(names: tuple[str, ...], path: str | None, kind: str) -> int:
    """Write images to a tar archive that docker load, podman and skopeo read."""
    from jettison.cli import values
    from jettison.cli.progress.session import watching

    values.one_of("--format", kind, FORMATS)
    with watching("quiet", os.environ), _destination(path) as out:
        from jettison.app.images import save

        save(list(names), out, format=kind, environ=os.environ)
        out.flush()
    return 0


@contextmanager
def _destination(path: str | None) -> Iterator[IO[bytes]]:
    if path is None:
        from jettison.cli.output import binary_stdout

        if sys.stdout.isatty():
            raise UsageError("refusing to write an archive to the terminal", hint="use --output")
        yield binary_stdout()
    elif _is_special(path):
        with _open(path, path, "wb") as out:
            yield out
    else:
        yield from _replaced(path)


def _open(path: str, wanted: str, mode: Literal["wb", "xb"]) -> IO[bytes]:
    try:
        return open(path, mode)
    except OSError as error:
        raise JettisonError(f"cannot write {wanted}: {error.strerror}") from None


def _is_special(path: str) -> bool:
    """Whether ``path`` is a device or pipe, which is written to rather than replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _replaced(path: str) -> Iterator[IO[bytes]]:
    """A file beside ``path`` that takes its place once it is complete."""
    beside = f"{path}.{os.getpid()}.partial"
    try:
        with _open(beside, path, "xb") as out:
            yield out
        os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise
