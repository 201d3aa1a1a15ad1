"""``jettison build --call``: questions about a build, answered as buildx answers them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jettison.cli.commands.build_check import check, encoded, location
from jettison.cli.output import write, write_json
from jettison.cli.text import printable
from jettison.cli.values import one_of
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.request import BuildRequest
    from jettison.model.span import SourceText
    from jettison.plan.outline import Outline, Target

_METHODS = ("build", "check", "lint", "outline", "targets")
_FORMATS = ("text", "json")


def call(method: str, request: Callable[[], BuildRequest]) -> int:
    """Answer the value of --call, about the build that ``request`` makes; the exit status."""
    name, shown = parse_call(method)
    if name in ("check", "lint"):
        return check(request(), shown)
    from jettison.app.build import outline, targets
    from jettison.cli.progress.session import GRACE, watching

    asked = request()
    with watching("quiet", os.environ, grace=GRACE) as (_, cancel):
        if name == "targets":
            stages, source = targets(asked, environ=os.environ, cancel=cancel)
            document, text = targets_document(stages, source), targets_text(stages)
        else:
            found, source = outline(asked, environ=os.environ, cancel=cancel)
            document, text = outline_document(found, source), outline_text(found)
    if shown == "json":
        write_json(document, indent=2)
    else:
        write(text)
    return 0


def parse_call(value: str) -> tuple[str, str]:
    """Method and format of ``check,format=json``; raises UsageError for what is not offered."""
    method, *options = value.split(",")
    one_of("--call", method, _METHODS)
    shown = "text"
    for option in options:
        key, _, given = option.partition("=")
        if key != "format":
            raise UsageError(f"invalid option {option!r} for --call", hint="expected format=json")
        shown = one_of("--call format", given, _FORMATS)
    if method == "build":
        raise UsageError(f"--call {value}: build has no format")
    return method, shown


def targets_text(targets: Sequence[Target]) -> str:
    """The table of buildx: names and descriptions."""
    rows = [("TARGET", "DESCRIPTION")]
    for target in targets:
        default = "(default)" if target.default else ""
        rows.append((f"{target.name} {default}".strip(), target.description))
    return _table(rows, gap=1)


def targets_document(targets: Sequence[Target], source: SourceText) -> dict[str, object]:
    """The document of BuildKit's ``frontend.targets`` (subrequests/targets)."""
    return {
        "targets": [
            _filled(
                name=target.name,
                default=target.default,
                description=target.description,
                base=target.base,
                platform=target.platform,
                location=location(target.span),
            )
            for target in targets
        ],
        "sources": [encoded(source)],
    }


def outline_text(outline: Outline) -> str:
    """The tables of buildx: the target, arguments, secrets, agents; what is empty is left out."""
    tables = []
    if outline.name:
        rows = [("TARGET:", outline.name)]
        if outline.description:
            rows.append(("DESCRIPTION:", outline.description))
        tables.append(_table(rows, gap=1))
    if outline.args:
        args = [(arg.name, arg.value, arg.description) for arg in outline.args]
        tables.append(_table([("BUILD ARG", "VALUE", "DESCRIPTION"), *args], gap=3))
    for title, items in (("SECRET", outline.secrets), ("SSH", outline.agents)):
        if items:
            required = [(item.name, "true" if item.required else "") for item in items]
            tables.append(_table([(title, "REQUIRED"), *required], gap=3))
    return "".join(table + "\n" for table in tables)


def outline_document(outline: Outline, source: SourceText) -> dict[str, object]:
    """The document of BuildKit's ``frontend.outline`` (subrequests/outline)."""
    args = [
        _filled(
            name=arg.name,
            description=arg.description,
            value=arg.value,
            location=location(arg.span),
        )
        for arg in outline.args
    ]
    secrets, agents = (
        [_filled(name=i.name, required=i.required, location=location(i.span)) for i in items]
        for items in (outline.secrets, outline.agents)
    )
    return _filled(
        name=outline.name,
        description=outline.description,
        args=args,
        secrets=secrets,
        ssh=agents,
        sources=[encoded(source)],
    )


def _filled(**fields: object) -> dict[str, object]:
    """The fields that hold something, as Go writes what may be left out."""
    return {key: value for key, value in fields.items() if value}


def _table(rows: Sequence[tuple[str, ...]], gap: int) -> str:
    """Columns, each as wide as its widest cell and ``gap`` blanks (Go's text/tabwriter)."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) + gap for column in list(zip(*shown, strict=True))[:-1]]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        + row[-1]
        + "\n"
        for row in shown
    )
