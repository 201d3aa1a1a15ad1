"""The documentation of rules: pages in Markdown, and what reports say about them."""

from __future__ import annotations

from jettison.lint.catalog import OWN_RULES
from jettison.lint.engine import INVALID
from jettison.lint.mends import MENDABLE
from jettison.lint.rule import Rule
from jettison.plan.rules import EXPERIMENTAL, RULES, url_of
from jettison.report.rules import RuleInfo


def codes() -> list[str]:
    """The codes of all rules, jettison's own first."""
    return [*(rule.code for rule in OWN_RULES), *RULES]


def infos() -> list[RuleInfo]:
    """All rules, and the code for what is no Dockerfile, as reports describe them."""
    own = [RuleInfo(r.code, r.severity, _sentence(r.summary), page(r), r.page) for r in OWN_RULES]
    buildkit = [
        RuleInfo(code, "warning", _sentence(text), _of_buildkit(code), url_of(code) or "")
        for code, text in RULES.items()
    ]
    return [RuleInfo(INVALID, "error", "The Dockerfile cannot be built."), *own, *buildkit]


def explain(code: str) -> str:
    """The page of a rule, whose code is one of `codes`."""
    for rule in OWN_RULES:
        if rule.code == code:
            return page(rule)
    return _of_buildkit(code)


def page(rule: Rule) -> str:
    """A rule of jettison's own as Markdown: what ``docs/rules`` holds."""
    state = "" if rule.on else ", off unless asked for (`--enable`)"
    mended = " `--fix` mends it." if rule.fixable else ""
    parts = [
        f"# {rule.code}\n\n{_sentence(rule.summary)}\n",
        f"Severity: {rule.severity}{state}.{mended}\n",
        f"## Why\n\n{rule.why}\n",
        f"## What it catches\n\n{_items(rule.catches)}",
        f"## What it does not catch\n\n{_items(rule.misses)}",
        f"## Example\n\n```dockerfile\n{rule.before}```\n",
        f"better:\n\n```dockerfile\n{rule.after}```\n",
        f"## Silence it\n\n`# check=skip={rule.code}` above the instruction, or at the top of the"
        f" Dockerfile for\nall of it; `jettison lint --skip {rule.code}`.\n",
    ]
    return "\n".join(parts)


def index() -> str:
    """The list of all rules as Markdown: ``docs/rules/README.md``."""
    lines = [
        "# Rules",
        "",
        "What [`jettison lint`](../commands/lint.md) checks. `jettison lint --explain RULE` shows a"
        " page.",
        "",
        "## jettison's own",
        "",
        "| rule | severity | finds | `--fix` |",
        "|---|---|---|---|",
    ]
    for rule in OWN_RULES:
        name = rule.page.rpartition("/")[2]
        severity = rule.severity if rule.on else f"{rule.severity}, off"
        fix = "yes" if rule.fixable else ""
        lines.append(f"| [{rule.code}]({name}) | {severity} | {rule.summary} | {fix} |")
    lines += [
        "",
        "Those that are off are switched on with `--enable RULE`, or `# check=experimental=RULE` at"
        " the top",
        "of the Dockerfile.",
        "",
        "## BuildKit's build checks",
        "",
        "All are warnings. Names and meaning are BuildKit's, whose pages are linked.",
        "",
        "| rule | why | `--fix` |",
        "|---|---|---|",
    ]
    for code, text in RULES.items():
        url = url_of(code)
        shown = f"[{code}]({url})" if url else code
        off = " (off)" if code in EXPERIMENTAL else ""
        lines.append(f"| {shown}{off} | {text} | {'yes' if code in MENDABLE else ''} |")
    return "\n".join(lines) + "\n"


def _of_buildkit(code: str) -> str:
    lines = [f"# {code}", "", f"{_sentence(RULES[code])} One of BuildKit's build checks.", ""]
    if code in MENDABLE:
        lines += ["`--fix` mends it where that is safe.", ""]
    url = url_of(code)
    if url:
        lines += [f"See <{url}>.", ""]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _items(texts: tuple[str, ...]) -> str:
    from textwrap import wrap

    lines = [
        line
        for text in texts
        for line in wrap(
            text, 98, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
    ]
    return "".join(line + "\n" for line in lines)
