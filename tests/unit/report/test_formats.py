"""Findings as text, JSON, SARIF and annotations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jettison.model.finding import Finding
from jettison.model.span import SourceText, Span
from jettison.report.annotations import to_annotations
from jettison.report.documents import to_json
from jettison.report.rules import RuleInfo, at_least
from jettison.report.sarif import to_sarif
from jettison.report.text import render, summary

SOURCE = SourceText("dir/Docker file", "FROM a\n\tRUN é && b \\\n  c\nRUN \x1b[31mx\n")
LOCATED = Finding(
    "SomeRule", "warning", "what, is: wrong", Span(SOURCE, 2, 6, 3), "é", "do 100%", "docs/x.md"
)
SIMPLE = Finding("Other", "error", "bad", Span(SOURCE, 4, 5, 4))
NOWHERE = Finding("Third", "note", "first line\nsecond")
ALL = [LOCATED, SIMPLE, NOWHERE]
RULES = [
    RuleInfo("Other", "error", "Other things."),
    RuleInfo("SomeRule", "warning", "Some things.", "# Help", "https://example.org/x"),
]


def test_text_shows_the_line_and_how_to_mend() -> None:
    assert render([LOCATED]) == (
        "dir/Docker file:2:6: warning: SomeRule: what, is: wrong\n"
        "   2 |  RUN é && b \\\n"
        "     |      ^\n"
        "  help: do 100%\n"
        "  see: jettison lint --explain SomeRule\n"
        "\n"
    )


def test_text_has_no_control_characters_and_one_line_a_message() -> None:
    text = render([SIMPLE, NOWHERE])
    assert "   4 | RUN ?[31mx\n     |     ^\n" in text
    assert "note: Third: first line?second\n" in text


def test_text_in_colour() -> None:
    assert render([SIMPLE], color=True).startswith(
        "dir/Docker file:4:5: \x1b[1;31merror\x1b[0m: \x1b[1mOther\x1b[0m: bad\n"
    )


def test_a_long_line_is_cut_around_the_caret() -> None:
    source = SourceText("f", "RUN " + "x" * 500 + "!" + "y" * 500)
    shown = render([Finding("A", "note", "m", Span(source, 1, 505))]).splitlines()
    assert len(shown[1]) < 180
    assert shown[1][shown[2].index("^")] == "!"


def test_summary() -> None:
    assert summary([]) == "no findings"
    assert summary([LOCATED, LOCATED, NOWHERE, SIMPLE]) == "1 error, 2 warnings, 1 note"


@pytest.mark.parametrize(
    ("findings", "level", "expected"),
    [
        ([], "note", False),
        ([NOWHERE], "note", True),
        ([NOWHERE], "warning", False),
        ([NOWHERE, LOCATED], "warning", True),
        ([LOCATED], "error", False),
        ([SIMPLE], "error", True),
        ([SIMPLE], "note", True),
    ],
)
def test_at_least(findings: list[Finding], level: str, expected: bool) -> None:
    assert at_least(findings, level) is expected


def test_json() -> None:
    assert json.loads(to_json(ALL)) == {
        "findings": [
            {
                "code": "SomeRule",
                "severity": "warning",
                "message": "what, is: wrong",
                "evidence": "é",
                "fix": "do 100%",
                "url": "docs/x.md",
                "file": "dir/Docker file",
                "line": 2,
                "column": 6,
                "endLine": 3,
            },
            {
                "code": "Other",
                "severity": "error",
                "message": "bad",
                "evidence": "",
                "fix": "",
                "url": "",
                "file": "dir/Docker file",
                "line": 4,
                "column": 5,
                "endLine": 4,
            },
            {
                "code": "Third",
                "severity": "note",
                "message": "first line\nsecond",
                "evidence": "",
                "fix": "",
                "url": "",
            },
        ]
    }


def test_names_that_are_not_utf8_can_be_written() -> None:
    finding = Finding("A", "note", "m", Span(SourceText("\udcff", "x"), 1))
    for text in (to_json([finding]), to_sarif([finding], [], "1")):
        text.encode("ascii")
    assert "%FF" in to_sarif([finding], [], "1")


def sarif(findings: list[Finding]) -> Any:
    return json.loads(to_sarif(findings, RULES, "1.2.3"))


def test_sarif_holds_what_the_schema_requires() -> None:
    document = sarif(ALL)
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-2.1.0.json")
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("jettison", "1.2.3")
    assert [rule["id"] for rule in driver["rules"]] == ["Other", "SomeRule"]
    assert driver["rules"][0] == {
        "id": "Other",
        "name": "Other",
        "shortDescription": {"text": "Other things."},
        "defaultConfiguration": {"level": "error"},
    }
    assert driver["rules"][1]["helpUri"] == "https://example.org/x"
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in ("error", "warning", "note")
        if "ruleIndex" in result:
            assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_locates_findings() -> None:
    first, second, third = sarif(ALL)["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "dir/Docker%20file"},
        "region": {"startLine": 2, "startColumn": 6, "endLine": 3},
    }
    region = second["locations"][0]["physicalLocation"]["region"]
    assert region["snippet"]["text"] == "\x1b[31mx"
    assert "locations" not in third


def test_sarif_of_an_absolute_path_is_a_file_uri() -> None:
    finding = Finding("A", "note", "m", Span(SourceText("/a b/f", "x"), 1))
    place = sarif([finding])["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "file:///a%20b/f"


def test_a_finding_on_a_line_that_moves_keeps_its_fingerprint() -> None:
    def prints(text: str) -> list[str]:
        source = SourceText("f", text)
        lines = [n for n, line in enumerate(text.split("\n"), 1) if line.strip() == "RUN x"]
        findings = [Finding("A", "note", "m", Span(source, n)) for n in lines]
        results = sarif(findings)["runs"][0]["results"]
        return [result["partialFingerprints"]["jettison/v1"] for result in results]

    before, after = prints("RUN x\nRUN x\n"), prints("\n\n  RUN x\n# c\nRUN x\n")
    assert before == after
    assert len(set(before)) == 2


def test_annotations() -> None:
    source = SourceText("a,b:c", "x\ny")
    finding = Finding("A", "note", "50%\nmore", Span(source, 1, 1, 2))
    assert to_annotations([finding, NOWHERE, SIMPLE]) == (
        "::notice file=a%2Cb%3Ac,line=1,col=1,endLine=2,title=A::50%25%0Amore\n"
        "::notice title=Third::first line%0Asecond\n"
        "::error file=dir/Docker file,line=4,col=5,title=Other::bad\n"
    )
