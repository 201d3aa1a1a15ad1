"""The warnings of a build, told once, at its end."""

from __future__ import annotations

from collections.abc import Sequence

from jettison.cli.text import plural, printable
from jettison.model.event import Warned


def summary(warnings: Sequence[Warned]) -> str:
    """``2 warnings found:`` and each with its rule, line and page; empty if there are none."""
    if not warnings:
        return ""
    ordered = sorted(warnings, key=lambda w: (w.span.line if w.span else 0, w.code))
    lines = [f"{plural(len(warnings), 'warning')} found:"]
    for warning in ordered:
        where = f" (line {warning.span.line})" if warning.span else ""
        lines.append(f" - {printable(f'{warning.code}: {warning.message}')}{where}")
        if warning.url:
            lines.append(f"   {printable(warning.url)}")
    return "\n".join(lines) + "\n"
