"""Findings as workflow commands, which GitHub Actions shows beside the changed lines."""

from __future__ import annotations

from collections.abc import Sequence

from jettison.model.finding import Finding

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def to_annotations(findings: Sequence[Finding]) -> str:
    """One ``::warning file=…,line=…,title=…::message`` a line."""
    return "".join(_annotation(finding) + "\n" for finding in findings)


def _annotation(finding: Finding) -> str:
    properties: dict[str, object] = {}
    span = finding.where
    if span is not None:
        properties = {"file": span.file, "line": span.line, "col": span.column}
        if span.end_line > span.line:
            properties["endLine"] = span.end_line
    properties["title"] = finding.code
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    text = f"{finding.message}\n{finding.fix}" if finding.fix else finding.message
    return f"::{_LEVELS[finding.severity]} {given}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
