"""Findings as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jettison.model.finding import Finding


def to_json(findings: Sequence[Finding]) -> str:
    """``{"findings": [{"code": …, "severity": …, "file": …, "line": …}]}``, indented.

    Lines and columns count from 1; what has no place has no ``file``. Texts a finding does not
    have are empty.
    """
    return dumped({"findings": [_finding(finding) for finding in findings]})


def dumped(document: object) -> str:
    """A document as indented JSON that any encoding can carry (file names need not be UTF-8)."""
    return json.dumps(document, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, object]:
    found: dict[str, object] = {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "evidence": finding.evidence,
        "fix": finding.fix,
        "url": finding.url,
    }
    span = finding.where
    if span is not None:
        found |= {
            "file": span.file,
            "line": span.line,
            "column": span.column,
            "endLine": max(span.line, span.end_line),
        }
    return found
