"""``jettison lint``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from jettison.cli.commands._common import declare
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.lint import Linted, LintRequest
    from jettison.lint.engine import Selection

SEVERITIES = ("error", "warning", "note")
FORMATS = ("text", "json", "sarif", "github")


@declare("lint", "Check Dockerfiles, and mend what can be mended")
@click.argument("path", metavar="[PATH|-]", default=".")
@click.option("-f", "--file", metavar="PATH", multiple=True, help="Dockerfile, may be repeated")
@click.option("--only", metavar="RULE", multiple=True, help="Check these rules, and no others")
@click.option("--skip", metavar="RULE", multiple=True, help="Leave out these rules")
@click.option("--enable", metavar="RULE", multiple=True, help="Check these too, which are off")
@click.option(
    "--fail-on", metavar="LEVEL", default="warning", help="error, warning (default) or note"
)
@click.option("--format", metavar="FORMAT", default="text", help="text, json, sarif or github")
@click.option("--fix", is_flag=True, help="Mend what can be mended, and show the rest")
@click.option("--diff", is_flag=True, help="Show what --fix would change, or changes")
@click.option("--build-arg", metavar="KEY[=VALUE]", multiple=True, help="Value of an ARG")
@click.option("--target", metavar="STAGE", default="", help="Final stage (default: the last)")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", multiple=True, help="Platform to plan for")
@click.option("--rules", is_flag=True, help="List all rules")
@click.option("--explain", metavar="RULE", help="Show the page of a rule")
def command(**flags: Any) -> int:
    """Check Dockerfiles with BuildKit's build checks and rules of jettison's own.

    PATH is the build context or a Dockerfile (default: the current directory), - is a Dockerfile
    on standard input. Neither the network nor the store is asked. The status is 1 if there are
    findings as severe as --fail-on says.
    """
    from jettison.cli.output import write
    from jettison.cli.values import one_of

    if flags["rules"]:
        from jettison.lint.page import index

        write(index())
        return 0
    if flags["explain"] is not None:
        from jettison.lint.page import explain

        (code,) = _known("--explain", (flags["explain"],))
        write(explain(code))
        return 0
    level = one_of("--fail-on", flags["fail_on"], SEVERITIES)
    shown = one_of("--format", flags["format"], FORMATS)
    return _lint(make_request(flags, os.environ), level, shown, flags)


def _lint(request: LintRequest, level: str, shown: str, flags: Mapping[str, Any]) -> int:
    from jettison.app.lint import lint, write_fixed
    from jettison.cli.output import write

    linted = list(lint(request))
    if flags["fix"]:
        for each in linted:
            if each.fixed != each.text:
                write_fixed(each)
    if flags["diff"]:
        write("".join(diff(each) for each in linted))
    if not flags["diff"] or flags["fix"]:
        write(rendered(linted, shown, to_terminal=not flags["fix"]))
    if flags["diff"] and not flags["fix"]:
        return int(any(each.fixed != each.text for each in linted))
    return int(any(each.fails(level) for each in linted))


def make_request(flags: Mapping[str, Any], environ: Mapping[str, str]) -> LintRequest:
    """The request for what the command line says; raises UsageError."""
    from jettison.app.lint import LintRequest
    from jettison.cli import values

    piped = flags["path"] == "-" or "-" in flags["file"]
    if piped and flags["fix"]:
        hint = "use --diff, which shows the changes"
        raise UsageError("--fix cannot write to standard input", hint=hint)
    if flags["file"].count("-") > 1:
        raise UsageError("standard input can be read only once")
    return LintRequest(
        path=flags["path"],
        files=flags["file"],
        build_args=values.variables("--build-arg", flags["build_arg"], environ),
        target=flags["target"],
        platforms=values.platforms(flags["platform"], values.host_platform())
        if flags["platform"]
        else (),
        selection=_selection(flags),
        fix=flags["fix"] or flags["diff"],
        stdin=sys.stdin.buffer if piped else None,
    )


def _selection(flags: Mapping[str, Any]) -> Selection:
    from jettison.lint.engine import Selection

    only, skip, enable = (
        frozenset(_known(f"--{name}", flags[name])) if flags[name] else frozenset[str]()
        for name in ("only", "skip", "enable")
    )
    return Selection(only, skip, enable)


def _known(flag: str, texts: Sequence[str]) -> list[str]:
    """The rules named, also separated by commas; raises UsageError for one that is none."""
    from jettison.cli.suggest import did_you_mean
    from jettison.lint.page import codes

    known = codes()
    found = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    for name in found:
        if name not in known:
            hint = did_you_mean(name, known) or "jettison lint --rules lists them"
            raise UsageError(f"unknown rule {name!r} for {flag}", hint=hint)
    return found


def diff(linted: Linted) -> str:
    """What mending changes, as a unified diff that patch(1) and git read."""
    from difflib import unified_diff

    before, after = (_lines(text) for text in (linted.text, linted.fixed))
    lines = []
    for line in unified_diff(before, after, f"a/{linted.name}", f"b/{linted.name}"):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def rendered(linted: Sequence[Linted], shown: str, *, to_terminal: bool) -> str:
    """The findings in the format asked for."""
    findings = [finding for each in linted for finding in each.result.findings]
    if shown == "json":
        from jettison.report.documents import to_json

        return to_json(findings)
    if shown == "sarif":
        from jettison import __version__
        from jettison.lint.page import infos
        from jettison.report.sarif import to_sarif

        return to_sarif(findings, infos(), __version__)
    if shown == "github":
        from jettison.report.annotations import to_annotations

        return to_annotations(findings)
    from jettison.cli.terminal import wants_color
    from jettison.report.text import render, summary

    mendable = sum(bool(hit.edits) for each in linted for hit in each.result.hits)
    more = f" ({mendable} can be mended with --fix)" if mendable and to_terminal else ""
    color = wants_color(sys.stdout, os.environ)
    return f"{render(findings, color=color)}{summary(findings)}{more}\n"
