"""``jettison why``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from jettison.cli.commands._common import declare
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.why import Share, Why, WhyFile

FORMATS = ("text", "json")
PRUNE = ("package", "file")


@declare("why", "Say why a file is in an image")
@click.argument("image", metavar="IMAGE")
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--command", metavar="WORDS", help="What is started (default: what the image says)")
@click.option(
    "--prune",
    metavar="WHAT",
    help="package or file: how much of a library counts",
    default="package",
)
@click.option("--format", metavar="FORMAT", help="text or json", default="text")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="Platform (default: this host's)")
def command(
    image: str, path: str | None, command: str | None, prune: str, format: str, platform: str | None
) -> int:
    """Say which layer and package brought PATH, and what at run time needs it, up to what the
    image starts; without PATH, how much of each package is needed.
    """
    from jettison.cli import values
    from jettison.cli.progress.session import watching

    values.one_of("--format", format, FORMATS)
    values.one_of("--prune", prune, PRUNE)
    words = _words(command)
    wanted = values.one_platform(platform)
    with watching("quiet", os.environ) as (display, cancel):
        from jettison.app.why import WhyRequest, why
        from jettison.closure.model import Options

        request = WhyRequest(
            image=image,
            path=path,
            platform=wanted,
            command=words,
            options=Options(prune=prune),
        )
        found = why(request, display, environ=os.environ, cancel=cancel)
    _print(found, format)
    return 0


def _words(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"invalid value {text!r} for --command: {error}") from None


def _print(found: Why, format: str) -> None:
    from jettison.cli.output import write, write_json

    if format == "json":
        write_json(_document(found), indent=2)
        return
    lines = list(_file(found, found.file) if found.file is not None else _summary(found))
    write("".join(f"{line}\n" for line in lines))


def _file(found: Why, file: WhyFile) -> Iterator[str]:
    from jettison.cli.text import human_size, plural, printable

    what = f"{file.kind}, {human_size(file.size)}" if file.kind == "file" else file.kind
    target = f" -> {printable(file.target)}" if file.target else ""
    yield f"{printable(file.path)}{target} ({what})"
    if file.layer is not None:
        made = f": {_short(file.layer.instruction)}" if file.layer.instruction else ""
        yield f"layer     {file.layer.number} of {found.layers}{made}"
    for layer in file.hidden:
        yield f"hides     what layer {layer.number} has there: {_short(layer.instruction)}"
    for package in file.packages:
        yield f"package   {printable(package.name)} {printable(package.version)} ({package.type})"
    if not file.packages and file.kind != "directory":
        yield "package   none"
    started = shlex.join(found.launch)
    if file.below is not None:
        yield f"below     {_share(file.below)}"
    elif not file.chain:
        yield f"needed    by nothing that is known to run: {_short(started) or 'no command'}"
    else:
        others = f", and for {plural(file.others, 'other file')}" if file.others else ""
        yield f"needed    for: {_short(started)}{others}"
        for step in file.chain:
            weak = " (it may do without)" if step.weak else ""
            yield f"  {printable(step.path)}"
            yield f"      {step.rule}: {printable(step.text)}{weak}"


def _summary(found: Why) -> Iterator[str]:
    from jettison.cli.text import human_size, printable, table

    assert found.total is not None
    yield f"{printable(found.image)}: {_share(found.total)}"
    yield f"started: {_short(shlex.join(found.launch)) or 'nothing'}"
    for title, shares, rest in (
        ("PACKAGE", found.packages, "(no package)"),
        ("REASON", found.rules, "(not needed)"),
    ):
        rows = [
            (
                printable(share.name) or rest,
                human_size(share.size),
                human_size(share.needed_size),
                f"{share.needed_files}/{share.files}",
            )
            for share in shares
        ]
        yield ""
        yield table((title, "SIZE", "NEEDED", "FILES NEEDED"), rows).rstrip("\n")
    if found.gaps:
        yield ""
    for gap in found.gaps:
        yield f"{'missing' if gap.fatal else 'note'}: {printable(gap.message)}"
        if gap.hint:
            yield f"  {printable(gap.hint)}"


def _share(share: Share) -> str:
    from jettison.cli.text import human_size, plural

    return (
        f"{human_size(share.size)} in {plural(share.files, 'file')}, of which "
        f"{human_size(share.needed_size)} in {share.needed_files} are needed"
    )


def _short(text: str, limit: int = 100) -> str:
    from jettison.cli.text import printable

    text = printable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _document(found: Why) -> dict[str, Any]:
    from msgspec import to_builtins

    document: dict[str, Any] = to_builtins(found)
    document.pop("file" if found.file is None else "total")
    if found.file is None:
        return document
    for key in ("packages", "rules"):
        document.pop(key)
    file: dict[str, Any] = document["file"]
    file["needed"] = bool(found.file.chain)
    file["packages"] = [
        {"type": p.type, "name": p.name, "version": p.version, "purl": p.purl}
        for p in found.file.packages
    ]
    return document
