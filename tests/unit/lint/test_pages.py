"""docs/rules is in step with the rules, and their examples with what they find."""

from __future__ import annotations

from pathlib import Path

import pytest

from jettison.lint.catalog import OWN_RULES
from jettison.lint.page import codes, explain, index, infos, page
from jettison.lint.rule import Rule, kebab
from jettison.plan.rules import RULES
from jettison.report.rules import SEVERITIES
from tests.unit.lint.linting import found, linter

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "rules"
EACH = pytest.mark.parametrize("rule", OWN_RULES, ids=lambda rule: rule.code)


@EACH
def test_a_page_is_what_the_rule_says(rule: Rule) -> None:
    # If it is not: jettison lint --explain RULE > docs/rules/PAGE.md
    assert (ROOT / rule.page).read_text() == page(rule)


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    pages = {f"{kebab(rule.code)}.md" for rule in OWN_RULES}
    assert {path.name for path in DOCS.iterdir()} == {"README.md", *pages}


def test_the_index_is_what_the_command_lists() -> None:
    # If it is not: jettison lint --rules > docs/rules/README.md
    assert (DOCS / "README.md").read_text() == index()
    assert all(f"[{code}](" in index() or f"| {code} |" in index() for code in codes())


def test_rules_are_in_order_one_a_module() -> None:
    own = [rule.code for rule in OWN_RULES]
    assert own == sorted(own)
    modules = (ROOT / "src" / "jettison" / "lint" / "rules").glob("[a-z]*.py")
    assert {path.stem for path in modules} == {kebab(code).replace("-", "_") for code in own}
    assert not set(own) & set(RULES)


@EACH
def test_the_example_shows_the_rule(rule: Rule) -> None:
    before = linter(enable=rule.code, context=rule.before_context).lint(rule.before, "f")
    after = linter(enable=rule.code, context=rule.after_context).lint(rule.after, "f")
    assert rule.code in {code for code, _ in found(before)}
    assert found(after) == []


@EACH
def test_a_rule_is_documented(rule: Rule) -> None:
    assert rule.catches and rule.misses and rule.why
    assert rule.severity in SEVERITIES
    assert rule.summary[0].islower() or rule.summary.startswith(("ADD", "COPY"))
    assert not rule.summary.endswith(".")
    assert all(len(line) <= 100 for line in page(rule).splitlines())


def test_every_rule_is_explained() -> None:
    assert all(explain(code).startswith(f"# {code}\n") for code in codes())
    assert "docs.docker.com/go/dockerfile/rule/stage-name-casing/" in explain("StageNameCasing")
    described = {info.code for info in infos()}
    assert described == {*codes(), "InvalidDockerfile"}
