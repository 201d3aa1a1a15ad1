"""``jettison prune``."""

from __future__ import annotations

import os
import sys
import time

import click

from jettison.cli.commands._common import declare, format_flag
from jettison.errors import JettisonError, UsageError


@declare("prune", "Remove dangling images and build cache")
@click.option("-a", "--all", "everything", is_flag=True, help="Also the whole build cache")
@click.option("-f", "--force", is_flag=True, help="Do not ask")
@click.option(
    "--filter",
    "filters",
    metavar="KEY=VALUE",
    multiple=True,
    help="until=24h: cache that has not been used for so long",
)
@click.option(
    "--max-used-space",
    "--keep-storage",
    "space",
    metavar="BYTES",
    help="Cache, what is missed least first, until the rest fits, e.g. 10gb",
)
@click.option(
    "--min-free-space", "free", metavar="BYTES", help="Cache, until so much of the disk is free"
)
@click.option(
    "--reserved-space", "reserved", metavar="BYTES", help="Cache that these bounds never take"
)
@format_flag
def command(
    everything: bool,
    force: bool,
    filters: tuple[str, ...],
    space: str | None,
    free: str | None,
    reserved: str | None,
    format: str,
) -> int:
    """Remove images without a name, and what nothing leads to; with flags also build cache.

    Images that have a name, and what a build is using, always stay.
    """
    from jettison.app.request import PruneRequest
    from jettison.cli import values
    from jettison.cli.progress.session import watching

    request = PruneRequest(
        all=everything,
        unused_for=max((unused_for(text, time.time()) for text in filters), default=None),
        keep_bytes=values.size("--max-used-space", space) if space else None,
        free_bytes=values.size("--min-free-space", free) if free else None,
        reserved_bytes=values.size("--reserved-space", reserved) if reserved else None,
    )
    if not force:
        _ask(everything or bool(filters) or any((space, free, reserved)))
    with watching("quiet", os.environ):
        from jettison.app.prune import prune

        report = prune(request, environ=os.environ)
    _show(report.removed, report.bytes, format)
    return 0


def unused_for(text: str, now: float) -> float:
    """Seconds of ``until=DURATION`` or ``until=TIMESTAMP``; raises UsageError."""
    from jettison.cli.ages import age

    key, _, value = text.partition("=")
    if key != "until":
        raise UsageError(f"invalid filter {text!r}", hint="the filter is until, e.g. until=24h")
    return age("--filter until", value, now)


def _ask(cache_too: bool) -> None:
    """Docker's question; anything but yes raises JettisonError."""
    what = "build cache and all dangling images" if cache_too else "all dangling images"
    sys.stderr.write(f"WARNING! This will remove {what}.\n")
    sys.stderr.write("Are you sure you want to continue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise JettisonError("nothing was removed", hint="--force removes without asking")


def _show(removed: tuple[tuple[str, str, int], ...], total: int, format: str) -> None:
    from jettison.cli.output import write, write_json, write_line
    from jettison.cli.text import human_size, table

    if format == "json":
        gone = [{"Kind": kind, "ID": name, "Size": size} for kind, name, size in removed]
        write_json({"Removed": gone, "SpaceReclaimed": total})
        return
    if removed:
        rows = [(kind, name, human_size(size)) for kind, name, size in removed]
        write(table(("KIND", "ID", "SIZE"), rows) + "\n")
    write_line(f"Total reclaimed space: {human_size(total)}")
