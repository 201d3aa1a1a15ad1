"""Findings as SARIF 2.1.0 (OASIS), the format code hosts read."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from jettison.model.finding import Finding
from jettison.model.span import Span
from jettison.report.documents import dumped
from jettison.report.rules import RuleInfo

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(findings: Sequence[Finding], rules: Iterable[RuleInfo], version: str) -> str:
    """One run of jettison ``version``; ``rules`` describe the codes that may occur."""
    listed = list(rules)
    index = {rule.code: number for number, rule in enumerate(listed)}
    seen: Counter[str] = Counter()
    return dumped(
        {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "jettison",
                            "version": version,
                            "rules": [_rule(rule) for rule in listed],
                        }
                    },
                    "columnKind": "unicodeCodePoints",
                    "results": [_result(finding, index, seen) for finding in findings],
                }
            ],
        }
    )


def _rule(rule: RuleInfo) -> dict[str, object]:
    found: dict[str, object] = {
        "id": rule.code,
        "name": rule.code,
        "shortDescription": {"text": rule.summary},
        "defaultConfiguration": {"level": rule.severity},
    }
    if rule.help:
        found["help"] = {"text": rule.help, "markdown": rule.help}
    if "://" in rule.url:  # the property takes absolute addresses only
        found["helpUri"] = rule.url
    return found


def _result(finding: Finding, index: dict[str, int], seen: Counter[str]) -> dict[str, object]:
    text = f"{finding.message}\n{finding.fix}" if finding.fix else finding.message
    found: dict[str, object] = {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": {"text": text},
    }
    if finding.code in index:
        found["ruleIndex"] = index[finding.code]
    if finding.where is not None:
        found["locations"] = [{"physicalLocation": _location(finding.where)}]
        found["partialFingerprints"] = {"jettison/v1": _fingerprint(finding, finding.where, seen)}
    return found


def _location(span: Span) -> dict[str, object]:
    region: dict[str, object] = {"startLine": span.line, "startColumn": span.column}
    if span.end_line > span.line:
        region["endLine"] = span.end_line
    line = span.source.line(span.line)
    if line and span.end_line <= span.line:
        region["snippet"] = {"text": line[span.column - 1 :] or line}
    return {"artifactLocation": {"uri": _uri(span.file)}, "region": region}


def _uri(path: str) -> str:
    """A relative reference for a relative path, a file URI for an absolute one."""
    text = quote(os.fsencode(path))
    return f"file://{text}" if path.startswith("/") else text


def _fingerprint(finding: Finding, span: Span, seen: Counter[str]) -> str:
    """The same for the same finding on a line that has only moved."""
    what = "\0".join((finding.code, span.file, span.source.line(span.line).strip()))
    seen[what] += 1
    text = f"{what}\0{seen[what]}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:32]
