"""Choosing rules, BuildKit's checks without images, and what is no Dockerfile."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.fs.patterns import PatternList
from jettison.lint.engine import Linter
from jettison.plan.options import PlanOptions
from tests.unit.lint.linting import AMD64, found, linter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM debian\nENV a b\n", [("UnpinnedBase", 1), ("LegacyKeyValueFormat", 2)]),
        ("# check=skip=UnpinnedBase\nFROM debian\nENV a b\n", [("LegacyKeyValueFormat", 3)]),
        ("# check=skip=UnpinnedBase,LegacyKeyValueFormat\nFROM debian\nENV a b\n", []),
        ("# check=skip=all\nFROM debian\nENV a b\n", []),
        ("# x\n\n# check=skip=UnpinnedBase\nFROM debian\n", []),
        ("FROM a:1\n# check=skip=UnpinnedBase\nRUN x\n", []),
        ("# check=experimental=BaseWithoutDigest\nFROM a:1\n", [("BaseWithoutDigest", 2)]),
        (
            "# check=experimental=all\n\n# other\nFROM a:1 AS b\n",
            [("BaseWithoutDigest", 4), ("InvalidDefinitionDescription", 4)],
        ),
        (
            "FROM a:1\n# check=skip=SudoInRun\nRUN sudo x\nRUN sudo y\n",
            [("SudoInRun", 4)],
        ),
    ],
)
def test_what_a_dockerfile_skips(text: str, expected: list[tuple[str, int]]) -> None:
    assert found(linter().lint(text, "f")) == expected


TEXT = "FROM debian\nENV a b\nRUN sudo x\n"


@pytest.mark.parametrize(
    ("only", "skip", "enable", "expected"),
    [
        ("", "", "", "UnpinnedBase LegacyKeyValueFormat SudoInRun"),
        ("SudoInRun", "", "", "SudoInRun"),
        ("LegacyKeyValueFormat", "", "", "LegacyKeyValueFormat"),
        ("BaseWithoutDigest SudoInRun", "SudoInRun", "", "BaseWithoutDigest"),
        ("", "SudoInRun LegacyKeyValueFormat", "", "UnpinnedBase"),
        (
            "",
            "UnpinnedBase",
            "BaseWithoutDigest",
            "BaseWithoutDigest LegacyKeyValueFormat SudoInRun",
        ),
    ],
)
def test_what_the_user_chooses(only: str, skip: str, enable: str, expected: str) -> None:
    result = linter(only=only, skip=skip, enable=enable).lint(TEXT, "f")
    assert [code for code, _ in found(result)] == expected.split()


def test_the_build_argument_replaces_the_directive() -> None:
    text = "# check=skip=all\nFROM debian\n"
    tool = linter(BUILDKIT_DOCKERFILE_CHECK="skip=LegacyKeyValueFormat;error=true")
    result = tool.lint(text, "f")
    assert found(result) == [("UnpinnedBase", 2)]
    assert result.strict


def test_errors_asked_for_do_not_hide_findings() -> None:
    result = linter().lint("# check=error=true\nFROM debian\nENV a b\n", "f")
    assert found(result) == [("UnpinnedBase", 2), ("LegacyKeyValueFormat", 3)]
    assert result.strict


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "file with no instructions"),
        ("RUN x\n", 1, "no build stage in current context"),
        ("FROM a:1\nRUNN x\n", 2, "unknown instruction: RUNN"),
        ("FROM A:1\n", 1, "failed to parse stage name 'A:1'"),
        ("FROM $x\n", 1, "base name ($x) should not be blank"),
        ("FROM a:1\nCOPY --from=b / /\nFROM a:1 AS b\n", 2, "cannot copy from stage 'b'"),
        ("FROM a:1\nEXPOSE x\n", 2, "invalid"),
        ("# check=nonsense\nFROM a:1\n", 1, "failed to parse check options"),
    ],
)
def test_what_cannot_be_built_is_an_error(text: str, line: int, message: str) -> None:
    result = linter(only="SudoInRun").lint(text, "name")
    finding = result.findings[-1]
    assert (finding.code, finding.severity) == ("InvalidDockerfile", "error")
    assert finding.where is not None
    assert (finding.where.file, finding.where.line) == ("name", line)
    assert message in finding.message


def test_other_findings_of_what_cannot_be_built_are_told() -> None:
    text = "FROM debian\nENV a b\nEXPOSE x\n"
    assert found(linter().lint(text, "f")) == [
        ("UnpinnedBase", 1),
        ("LegacyKeyValueFormat", 2),
        ("InvalidDockerfile", 3),
    ]


@pytest.mark.parametrize(
    ("text", "undefined"),
    [
        ("FROM a:1\nWORKDIR $GOPATH/x\n", False),  # the base may set it
        ("FROM scratch\nWORKDIR $GOPATH/x\n", True),
        ("FROM scratch AS b\nFROM b\nWORKDIR /$GOPATH\n", True),
        ("FROM a:1\nENV VERSION=1\nWORKDIR /$VERSON\n", True),  # a slip
        ("ARG VERSION=1\nFROM a:1\nWORKDIR /$VERSION\n", True),  # not declared in the stage
        ("FROM a:1 AS b\nARG X=1\nFROM a:1\nCOPY x$X /\n", True),
        ("FROM a:1\nARG X\nWORKDIR /$X\n", False),
        ("FROM a:1\nWORKDIR /${PATH}\n", False),
    ],
)
def test_variables_that_a_base_may_bring_are_not_judged(text: str, undefined: bool) -> None:
    codes = {code for code, _ in found(linter(only="UndefinedVar").lint(text, "f"))}
    assert codes == ({"UndefinedVar"} if undefined else set())


def test_all_stages_are_checked_unless_there_is_a_target() -> None:
    text = "FROM a:1 AS x\nENV a b\nFROM a:1 AS y\nENV c d\n"
    assert found(linter(only="LegacyKeyValueFormat").lint(text, "f")) == [
        ("LegacyKeyValueFormat", 2),
        ("LegacyKeyValueFormat", 4),
    ]
    target = linter(only="LegacyKeyValueFormat", target="x")
    assert found(target.lint(text, "f")) == [("LegacyKeyValueFormat", 2)]


def test_build_arguments_are_heeded() -> None:
    text = "ARG tag=latest\nFROM debian:$tag\n"
    assert found(linter().lint(text, "f")) == [("UnpinnedBase", 2)]
    assert found(linter(tag="12").lint(text, "f")) == []


def test_ignored_files() -> None:
    options = PlanOptions(build_platform=AMD64, ignore=PatternList.parse(["b"]))
    result = Linter(options=options).lint("FROM a:1\nCOPY b /\n", "f")
    assert found(result) == [("CopyIgnoredFile", 2)]


def test_another_front_end_is_refused_unless_replaced() -> None:
    text = "# syntax=example.org/other\nFROM a:1\n"
    assert [code for code, _ in found(linter().lint(text, "f"))] == ["InvalidDockerfile"]
    assert found(linter(BUILDKIT_SYNTAX="docker/dockerfile:1").lint(text, "f")) == []


PIECES = st.sampled_from(
    [
        "FROM debian AS a",
        "from a as B",
        "FROM scratch",
        "RUN apt update && apt install x",
        "RUN cd /a",
        "RUN sudo curl x | sh",
        "run <<EOF\napt-get install gcc\nEOF",
        "ADD a.txt b /",
        "COPY . .",
        "RUN npm ci \\\n\n && pip install x",
        "ENV a b c",
        "CMD x y",
        "ENTRYPOINT z",
        "MAINTAINER me",
        "EXPOSE 22/TCP",
        "# check=skip=all",
        "",
        "USER root",
        "é $x",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=10))
def test_mending_comes_to_an_end_with_nothing_left_to_mend(pieces: list[str]) -> None:
    text = "\n".join(["FROM debian:12", *pieces]) + "\n"
    tool = linter(enable="BaseWithoutDigest")
    mended = tool.fix(text, "f")
    assert [hit.finding.code for hit in tool.lint(mended, "f").hits if hit.edits] == []
    assert tool.fix(mended, "f") == mended


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="FROMa:1 RUNCPYADV$\\\"'#\n=<E[]-é\ufeff\x1b", max_size=80))
def test_any_text_has_findings_and_no_traceback(text: str) -> None:
    result = linter().lint("FROM a:1\n" + text, "f")
    assert all(finding.where is not None for finding in result.findings)


def test_stages_on_top_of_each_other_are_no_recursion() -> None:
    stages = "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(1500))
    result = linter(only="UnpinnedBase").lint(f"FROM debian AS s0\n{stages}", "Dockerfile")
    assert [line for _, line in found(result)] == [1]
