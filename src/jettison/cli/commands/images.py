"""``jettison images``."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from jettison.cli.commands._common import declare, format_flag, quiet_flag
from jettison.cli.refused import idle
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.images import ImageRow

_SHORT_ID = 12
NONE = "<none>"
FILTERS = ("dangling", "reference")


@declare("images", "List the images in the store")
@click.argument("pattern", metavar="[NAME[:TAG]]", required=False)
@click.option(
    "-f",
    "--filter",
    "filters",
    metavar="KEY=VALUE",
    multiple=True,
    help="reference=PATTERN, dangling=true or dangling=false",
)
@click.option("--no-trunc", is_flag=True, help="Show whole image ids")
@format_flag
@quiet_flag("Print nothing but image ids")
@idle(("-a", "--all"))[0]
def command(
    pattern: str | None, filters: tuple[str, ...], no_trunc: bool, format: str, quiet: bool
) -> int:
    """List the images in the store, those made last first."""
    from jettison.app.images import list_images
    from jettison.cli.output import write

    wanted = ([f"reference={pattern}"] if pattern else []) + list(filters)
    rows = selected(list_images(environ=os.environ), wanted)
    if quiet:
        ids = dict.fromkeys(_id(row, no_trunc) for row in rows)
        write("".join(f"{name}\n" for name in ids))
    elif format == "json":
        for row in rows:
            _write_object(row, no_trunc)
    else:
        write(_table(rows, no_trunc))
    return 0


def selected(rows: Iterable[ImageRow], filters: Iterable[str]) -> list[ImageRow]:
    """The rows that pass every filter; raises UsageError for an unknown one."""
    found = list(rows)
    for text in filters:
        key, equals, value = text.partition("=")
        if key not in FILTERS or not equals:
            hint = f"filters are {', '.join(FILTERS)}"
            raise UsageError(f"invalid filter {text!r}", hint=hint)
        if key == "reference":
            found = [row for row in found if _is_called(row, value)]
        else:
            from jettison.cli.argv import parse_bool

            dangling = parse_bool("--filter dangling", value)
            found = [row for row in found if (row.repository == NONE) is dangling]
    return found


def _is_called(row: ImageRow, pattern: str) -> bool:
    """Docker's reference filter: a name or name:tag, whose ``*`` stop at slashes."""
    slash = pattern.rfind("/")
    name = f"{row.repository}:{row.tag}" if ":" in pattern[slash + 1 :] else row.repository
    if name.count("/") != pattern.count("/"):
        return False
    return all(
        fnmatch.fnmatchcase(a, b) for a, b in zip(name.split("/"), pattern.split("/"), strict=True)
    )


def _table(rows: Iterable[ImageRow], no_trunc: bool) -> str:
    from jettison.cli.text import human_size, table

    header = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")
    return table(
        header,
        [
            (
                row.repository,
                row.tag,
                _id(row, no_trunc),
                _age(row),
                human_size(row.size),
            )
            for row in rows
        ],
    )


def _write_object(row: ImageRow, no_trunc: bool) -> None:
    from jettison.cli.output import write_json

    write_json(
        {
            "Repository": row.repository,
            "Tag": row.tag,
            "ID": _id(row, no_trunc),
            "Digest": row.digest,
            "CreatedAt": row.created,
            "CreatedSince": _age(row),
            "Size": row.size,
            "Platforms": row.platforms,
        }
    )


def _age(row: ImageRow) -> str:
    """How long ago the image was made; its config may say nothing, or nonsense."""
    from datetime import UTC, datetime

    from jettison.cli.text import human_age

    try:
        made = datetime.fromisoformat(row.created)
    except ValueError:
        return "N/A"
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return human_age(max(0.0, (datetime.now(UTC) - made).total_seconds()))


def _id(row: ImageRow, no_trunc: bool) -> str:
    return row.image_id if no_trunc else row.image_id.rpartition(":")[2][:_SHORT_ID]
