"""Findings for people.

Dockerfile:3:5: warning: AptListsKept: the package lists stay in the image
   3 | RUN apt-get update && apt-get install -y curl
     |     ^
  help: end the RUN with rm -rf /var/lib/apt/lists/*
  see: docs/rules/apt-lists-kept.md
"""

from __future__ import annotations

from collections.abc import Sequence

from jettison.model.finding import Finding
from jettison.model.span import Span
from jettison.report.rules import SEVERITIES

_COLORS = {"error": "1;31", "warning": "1;33", "note": "1;36"}
_MAX_LINE = 160  # characters of a source line that are shown


def render(findings: Sequence[Finding], *, color: bool = False) -> str:
    """All findings, each ending in an empty line; empty if there are none."""
    return "".join(_finding(finding, color) + "\n" for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    """``1 error, 2 warnings``; ``no findings`` if there are none."""
    counts = [
        f"{number} {severity}{'s' if number > 1 else ''}"
        for severity in reversed(SEVERITIES)
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    return ", ".join(counts) or "no findings"


def _finding(finding: Finding, color: bool) -> str:
    span = finding.where
    place = f"{visible(span.file)}:{span.line}:{span.column}: " if span else ""
    severity = _painted(finding.severity, _COLORS[finding.severity], color)
    code = _painted(finding.code, "1", color)
    lines = [f"{place}{severity}: {code}: {visible(finding.message)}"]
    if span is not None:
        lines += _excerpt(span, _COLORS[finding.severity], color)
    if finding.fix:
        lines.append(f"  help: {visible(finding.fix)}")
    if finding.url:
        # A page that has no address of its own is in the program.
        page = finding.url if "://" in finding.url else f"jettison lint --explain {finding.code}"
        lines.append(f"  see: {visible(page)}")
    return "".join(line + "\n" for line in lines)


def _excerpt(span: Span, style: str, color: bool) -> list[str]:
    """The line a span begins on, and a caret under its column."""
    line = span.source.line(span.line)
    before = visible(line[: span.column - 1])
    start = max(0, len(before) - _MAX_LINE // 2)
    shown = visible(line)[start : start + _MAX_LINE].rstrip()
    caret = " " * (len(before) - start) + _painted("^", style, color)
    return [f"{span.line:4} | {shown}".rstrip(), f"     | {caret}"]


def _painted(text: str, style: str, color: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if color else text


def visible(text: str) -> str:
    """``text`` with a blank for each tab and ``?`` for what is not printable (a terminal must not
    obey a Dockerfile); its length does not change.
    """
    return "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in text)
