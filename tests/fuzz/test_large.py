"""Large inputs take time in proportion: bounds are generous, and what is quadratic misses them."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.trial import LINTER, outcome

LINES = 4_000
WIDTH = 60_000
"""Characters of a long line, of which 65,535 are allowed."""
BOUND = 15.0
"""Seconds of the processor's time on a slow and busy machine; what is measured is below 3."""

MANY_LINES = {
    "instructions": "FROM a\n" + "RUN x\nCOPY a b\nWORKDIR c\nENV a=b\n" * (LINES // 4),
    "findings": "FROM a\n" + "run apt-get install x\nENV a b\n" * (LINES // 8),
    "continuations": "FROM a\nRUN x \\\n" + "a && \\\n" * LINES + "y\n",
    "empty lines": "FROM a\nRUN x \\\n" + "\n" * LINES + "y\n",
    "comments": "FROM a\n" + "# x\n" * LINES + "RUN x\n",
    "variables": "FROM a\nENV " + " \\\n".join(f"a{n}=$a{n}" for n in range(LINES // 2)) + "\n",
    "script": "FROM a\nRUN <<E\n" + "apt-get install x\n" * LINES + "E\n",
    "file": "FROM a\nCOPY <<E /x\n" + "a $b ${c:-d}\n" * LINES + "E\n",
    "here-documents": "FROM a\n" + "RUN <<E\na\nE\n" * (LINES // 3),
    "triggers": "FROM a AS b\n" + "ONBUILD RUN x\n" * (LINES // 2) + "FROM b\n",
}
LONG_LINES = {
    "words": "ENV " + "a=b " * (WIDTH // 4),
    "openers": "COPY " + "<<A " * (WIDTH // 4) + "/x/\n" + "A\n" * (WIDTH // 4),
    "substitutions": "ENV y=" + "${A:-${B}}" * (WIDTH // 10),
    "nesting": "ENV y=" + "${A:-" * (WIDTH // 6) + "}" * (WIDTH // 6),
    "escapes": "ENV y=" + "\\a" * (WIDTH // 2),
    "quotes": "ENV y=" + "'a'\"b\"" * (WIDTH // 6),
    "array": "CMD [" + '"a",' * (WIDTH // 4) + '"a"]',
    "prefix": f"ENV A={'a' * WIDTH}\nENV x=${{A##*a*a*a*a*a*a*b}}",
    "suffix": f"ENV A={'a' * WIDTH}\nENV x=${{A%%b*a*a*a*a*a*a*}}",
    "replacement": f"ENV A={'a' * WIDTH}\nENV x=${{A//*a*a*a*a*a*b/c}}${{A/a?*?*b/c}}",
    "every letter": f"ENV A={'a' * WIDTH}\nENV x=${{A//a/c}}",
    "duration": "HEALTHCHECK --interval=" + "1s" * (WIDTH // 2) + " CMD x",
    "digits": f"HEALTHCHECK --interval={'9' * WIDTH}s --retries={'9' * 10} CMD x",
    "size": f"RUN --mount=type=tmpfs,target=/x,size={'9' * WIDTH} x",
    "mount": "RUN --mount=" + "target=/x," * (WIDTH // 10) + " x",
    "commands": "RUN " + "apt-get install x && " * (WIDTH // 21) + "x",
    "subshells": "RUN " + "(" * WIDTH,
    "substituted commands": "RUN " + '"$(' * (WIDTH // 3),
    "ports": "EXPOSE " + "1-60000 " * 4,
    "paths": "COPY " + "**/" * (WIDTH // 3) + " " + "../" * 1000,
    "blanks": "RUN a" + " " * WIDTH,
    "returns": "RUN a" + "\r" * WIDTH + "b",
    "escape characters": "RUN " + "\\" * WIDTH,
    "descriptor": "RUN cat " + "9" * WIDTH + "<<E\nE",
}


def check(text: str) -> None:
    start = time.process_time()
    outcome(text)
    LINTER.lint(text, "Dockerfile")
    took = time.process_time() - start
    assert took < BOUND, f"{took:.1f} s"


@pytest.mark.parametrize("name", MANY_LINES)
def test_many_lines(name: str) -> None:
    check(MANY_LINES[name])


@pytest.mark.parametrize("name", LONG_LINES)
def test_long_lines(name: str) -> None:
    check(f"FROM a\n{LONG_LINES[name]}\n")


def test_a_thousand_stages_on_top_of_each_other() -> None:
    stages = "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(1000))
    check(f"FROM a AS s0\n{stages}")
