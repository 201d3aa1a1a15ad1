"""``jettison base``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jettison.cli.commands._common import declare, format_flag, progress_flag, quiet_flag
from jettison.cli.group import CONTEXT, CommandGroup
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.base_request import BaseRequest, BuiltBase, ShownBase


@click.group(
    cls=CommandGroup,
    name="base",
    options_metavar="[FLAGS]",
    short_help="Compose base images of signed Debian packages",
    context_settings=CONTEXT,
)
def command() -> None:
    """Compose base images that hold a runtime and nothing else, of signed Debian packages."""


_archive = click.option(
    "--archive", metavar="LINE", multiple=True, help="Archive to use, as in sources.list"
)
_arch = click.option("--arch", metavar="ARCH", multiple=True, help="Architecture (default: spec's)")
_lock = click.option("--lock", metavar="FILE", help="The lock (default: SPEC's .lock.json)")
_offline = click.option("--offline", is_flag=True, help="Use no network: only what is in the store")


@declare("build", "Compose a base image into the store")
@click.argument("spec", metavar="SPEC|NAME[:debug]")
@click.option("-t", "--tag", metavar="NAME[:TAG]", multiple=True, help="Name, may be repeated")
@click.option("-o", "--output", metavar="FILE", help="Write an OCI archive too")
@_lock
@_arch
@_archive
@_offline
@progress_flag
@quiet_flag("Print nothing but the image's digest")
def build(**flags: Any) -> int:
    """Compose the image of a spec, or of one of the catalogue, into the store.

    The lock beside the spec (for the catalogue: NAME.lock.json here) is obeyed if it is there.
    """
    from jettison.app.bases import build_base
    from jettison.cli.output import write, write_line
    from jettison.cli.progress.session import watching

    request = make_request(flags, os.environ)
    mode = "quiet" if flags["quiet"] else flags["progress"]
    with watching(mode, os.environ, title="Composing") as (display, cancel):
        built = build_base(request, display, environ=os.environ, cancel=cancel)
    if flags["quiet"]:
        write_line(built.digest)
    else:
        write(report(built))
    return 0


@declare("lock", "Resolve a spec and write its lock")
@click.argument("spec", metavar="SPEC|NAME")
@_lock
@_arch
@_archive
@_offline
@progress_flag
def lock(**flags: Any) -> int:
    """Resolve the packages of a spec as the archives are now, and write them with their hashes."""
    from jettison.app.bases import lock_base
    from jettison.cli.output import write_line
    from jettison.cli.progress.session import watching

    request = make_request(flags, os.environ)
    with watching(flags["progress"], os.environ, title="Locking") as (display, cancel):
        path, made = lock_base(request, display, environ=os.environ, cancel=cancel)
    for name, locked in made.architectures.items():
        write_line(f"{path}: {len(locked.packages)} packages for {name}")
    return 0


@declare("ls", "List the bases that come with jettison")
@format_flag
def ls(format: str) -> int:
    """List the bases that come with jettison."""
    from jettison.app.bases import list_bases
    from jettison.cli.output import write, write_json
    from jettison.cli.text import table

    rows = list_bases()
    if format == "json":
        for name, description in rows:
            write_json({"Name": name, "Description": description})
    else:
        write(table(("NAME", "DESCRIPTION"), rows))
    return 0


@declare("show", "Show the packages of a base, and why each is in")
@click.argument("spec", metavar="SPEC|NAME[:debug]")
@_lock
@_arch
@_archive
@_offline
@format_flag
def show(**flags: Any) -> int:
    """Show the packages of a base, the sizes of their files, and what brought each in."""
    from jettison.app.bases import show_base
    from jettison.cli.output import write
    from jettison.cli.progress.session import watching

    request = make_request(flags, os.environ)
    with watching("quiet", os.environ, title="Resolving") as (display, cancel):
        shown = show_base(request, display, environ=os.environ, cancel=cancel)
    if flags["format"] == "json":
        _write_shown(shown)
    else:
        write(_shown(shown))
    return 0


for _each in (build, lock, ls, show):
    command.add_command(_each)


def make_request(flags: Mapping[str, Any], environ: Mapping[str, str]) -> BaseRequest:
    """The request for what the command line says; raises UsageError."""
    from jettison.app.base_request import BaseRequest
    from jettison.cli.suggest import did_you_mean
    from jettison.distroless.spec import ARCHITECTURES

    names = [name for text in flags["arch"] for name in text.split(",") if name]
    for name in names:
        if name not in ARCHITECTURES:
            hint = did_you_mean(name, ARCHITECTURES) or f"known are {', '.join(ARCHITECTURES)}"
            raise UsageError(f"unknown architecture {name!r} for --arch", hint=hint)
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    if epoch and not epoch.isdecimal():
        raise UsageError(f"SOURCE_DATE_EPOCH is no number of seconds: {epoch!r}")
    output = flags.get("output")
    return BaseRequest(
        spec=flags["spec"],
        lock=Path(flags["lock"]) if flags["lock"] else None,
        architectures=tuple(dict.fromkeys(ARCHITECTURES[name] for name in names)),
        archives=tuple(flags["archive"]),
        tags=tuple(flags.get("tag", ())),
        output=Path(output) if output else None,
        epoch=int(epoch) if epoch else None,
        offline=flags["offline"],
    )


def report(built: BuiltBase) -> str:
    """What was composed: sizes by architecture, and what was left out by class."""
    from jettison.cli.text import human_size, table

    rows = [
        (
            architecture,
            str(len(composed.sizes)),
            human_size(sum(composed.sizes.values())),
            human_size(built.layers[architecture]),
        )
        for architecture, composed in built.composed.items()
    ]
    text = table(("ARCHITECTURE", "PACKAGES", "FILES", "COMPRESSED"), rows)
    first = next(iter(built.composed.values()))
    if first.trimmed:
        left = ", ".join(
            f"{t.name} {human_size(t.bytes)} ({t.files})"
            for t in sorted(first.trimmed, key=lambda t: -t.bytes)
        )
        text += f"left out: {left}\n"
    names = "".join(f"{name}\n" for name in built.names)
    return f"{text}{names}{built.digest}\n"


def _shown(shown: ShownBase) -> str:
    from jettison.cli.text import human_size, table

    rows = [
        (p.name, p.version, human_size(p.size), " -> ".join(p.chain[:-1]) or "the spec")
        for p in shown.packages
    ]
    text = table(("PACKAGE", "VERSION", "SIZE", "BROUGHT IN BY"), rows)
    return text + "".join(f"left out: {line}\n" for line in shown.dropped)


def _write_shown(shown: ShownBase) -> None:
    from jettison.cli.output import write_json

    write_json(
        {
            "Name": shown.name,
            "Description": shown.description,
            "Locked": shown.locked,
            "Packages": [
                {
                    "Name": p.name,
                    "Version": p.version,
                    "Architecture": p.architecture,
                    "Size": p.size,
                    "Chain": p.chain,
                }
                for p in shown.packages
            ],
            "LeftOut": shown.dropped,
        }
    )
