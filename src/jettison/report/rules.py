"""What a report tells about the rules behind its findings."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from jettison.model.finding import Finding

SEVERITIES = ("note", "warning", "error")
"""From the least to the most severe; SARIF's levels have the same names."""


class RuleInfo(Struct, frozen=True):
    """``summary`` is one line, ``help`` Markdown; ``url`` is empty or the page of the rule."""

    code: str
    severity: str
    summary: str
    help: str = ""
    url: str = ""


def at_least(findings: Iterable[Finding], severity: str) -> bool:
    """Whether a finding is as severe as ``severity`` or more so."""
    rank = SEVERITIES.index
    return any(rank(finding.severity) >= rank(severity) for finding in findings)
