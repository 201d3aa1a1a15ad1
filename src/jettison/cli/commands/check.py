"""``jettison check``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from jettison.cli.commands._common import declare, format_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jettison.store.check import Problem


@declare("check", "Verify the store, and mend what can be mended")
@click.option("--read-data", is_flag=True, help="Hash every blob and every exported layer")
@click.option("--repair", is_flag=True, help="Take away what is damaged, to be made again")
@format_flag
def command(read_data: bool, repair: bool, format: str) -> int:
    """Verify that the store holds what it says; the status is 1 if something is damaged.

    Leftovers of processes that were killed are shown, but are no damage.
    """
    from jettison.app.check import check
    from jettison.cli.output import write_json
    from jettison.cli.signals import Interruptible

    with Interruptible() as cancel:
        problems = check(read_data=read_data, repair=repair, environ=os.environ, cancel=cancel)
    if format == "json":
        write_json(
            {
                "Problems": [
                    {
                        "Kind": p.kind,
                        "ID": p.id,
                        "Detail": p.detail,
                        "Harmless": p.harmless,
                        "Mended": p.mended,
                    }
                    for p in problems
                ]
            }
        )
    else:
        _show(problems)
    return int(any(not p.harmless and not p.mended for p in problems))


def _show(problems: Sequence[Problem]) -> None:
    from jettison.cli.output import write, write_line
    from jettison.cli.text import plural, table

    if problems:
        rows = [(p.kind, p.id, _state(p), p.detail) for p in problems]
        write(table(("KIND", "ID", "STATE", "PROBLEM"), rows) + "\n")
    bad = sum(not p.harmless and not p.mended for p in problems)
    if not bad:
        write_line("The store is sound.")
        return
    write_line(f"{plural(bad, 'problem')}; jettison check --repair mends what can be mended")


def _state(problem: Problem) -> str:
    if problem.mended:
        return "mended"
    return "harmless" if problem.harmless else "damaged"
