"""--fix: what becomes of the text, and that nothing else changes."""

from __future__ import annotations

import pytest

from jettison.dockerfile.parse import parse
from jettison.lint.buildkit import Offline
from jettison.lint.catalog import OWN_RULES
from jettison.lint.mends import MENDABLE
from jettison.model.event import Silent
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan
from jettison.plan.steps import BuildPlan, Run
from tests.unit.lint.linting import AMD64, found, linter

MENDED = [
    # The rule, the text, and what it becomes.
    ("StageNameCasing", "FROM a:1 AS Build\nFROM build\n", "FROM a:1 AS build\nFROM build\n"),
    ("FromAsCasing", "FROM a:1  as  b\n", "FROM a:1  AS  b\n"),
    ("FromAsCasing", "from a:1 AS b\nrun x\n", "from a:1 as b\nrun x\n"),
    (
        "ConsistentInstructionCasing",
        "FROM a:1\nrun  x # y\nCopy a b\n",
        "FROM a:1\nRUN  x # y\nCOPY a b\n",
    ),
    (
        "ConsistentInstructionCasing",
        "from a:1\nrun x\nENV a=b\n",
        "from a:1\nrun x\nenv a=b\n",
    ),
    ("LegacyKeyValueFormat", "FROM a:1\nENV  key value\n", "FROM a:1\nENV  key=value\n"),
    ("LegacyKeyValueFormat", "FROM a:1\nENV a b $c  d\n", 'FROM a:1\nENV a="b $c  d"\n'),
    ("LegacyKeyValueFormat", "FROM a:1\nLABEL a 'b'\n", "FROM a:1\nLABEL a='b'\n"),
    (
        "MaintainerDeprecated",
        'FROM a:1\nMAINTAINER Jo "J" $x <j@example.org>\n',
        'FROM a:1\nLABEL org.opencontainers.image.authors="Jo \\"J\\" \\$x <j@example.org>"\n',
    ),
    ("JSONArgsRecommended", "FROM a:1\nCMD npm  start\n", 'FROM a:1\nCMD ["npm", "start"]\n'),
    (
        "JSONArgsRecommended",
        "FROM a:1\nENTRYPOINT exec /bin/x --port=80\n",
        'FROM a:1\nENTRYPOINT ["/bin/x", "--port=80"]\n',
    ),
    (
        "NoEmptyContinuation",
        "FROM a:1\nRUN a \\\n\n  # c\n   \n  b\n",
        "FROM a:1\nRUN a \\\n  # c\n  b\n",
    ),
    (
        "RedundantTargetPlatform",
        "FROM --platform=$TARGETPLATFORM  a:1\n",
        "FROM a:1\n",
    ),
    (
        "ExposeProtoCasing",
        "FROM a:1\nEXPOSE 80/TCP 81 82/Udp\n",
        "FROM a:1\nEXPOSE 80/tcp 81 82/udp\n",
    ),
    ("AddInsteadOfCopy", "FROM a:1\nADD  a.txt /\n", "FROM a:1\nCOPY  a.txt /\n"),
    ("AddInsteadOfCopy", "from a:1\nadd src/ /\n", "from a:1\ncopy src/ /\n"),
    ("AptInScript", "FROM a:1\nRUN x; apt update\n", "FROM a:1\nRUN x; apt-get update\n"),
    (
        "InstallWithoutYes",
        "FROM a:1\nRUN apt-get \\\n  install \\\n  x\n",
        "FROM a:1\nRUN apt-get \\\n  install -y \\\n  x\n",
    ),
    (
        "RecommendsInstalled",
        "FROM a:1\nRUN <<EOF\napt-get install -y x\nEOF\n",
        "FROM a:1\nRUN <<EOF\napt-get install --no-install-recommends -y x\nEOF\n",
    ),
    (
        "PackageCacheKept",
        "FROM a:1\r\nRUN apk add x\r\nRUN pip install y\r\n",
        "FROM a:1\r\nRUN apk add --no-cache x\r\nRUN pip install --no-cache-dir y\r\n",
    ),
]

NOT_MENDED = [
    # Found, but not for a machine to mend.
    ("JSONArgsRecommended", "FROM a:1\nCMD cd /x && y\n"),
    ("JSONArgsRecommended", "FROM a:1\nCMD echo $HOME\n"),
    ("JSONArgsRecommended", "FROM a:1\nCMD a 'b c'\n"),
    ("JSONArgsRecommended", "FROM a:1\nCMD A=b c\n"),
    ("JSONArgsRecommended", "FROM a:1\nCMD export\n"),
    # A shell-form ENTRYPOINT ignores CMD; in JSON it would not.
    ("JSONArgsRecommended", 'FROM a:1\nENTRYPOINT x\nCMD ["y"]\n'),
    ("JSONArgsRecommended", 'FROM a:1 AS b\nENTRYPOINT x\nFROM b\nCMD ["y"]\n'),
    ("LegacyKeyValueFormat", 'FROM a:1\nENV a b "c d"\n'),
    ("LegacyKeyValueFormat", "FROM a:1\nENV a b\\ c\n"),
    ("AddInsteadOfCopy", "FROM a:1\nADD app /app\n"),
    ("WorkdirRelativePath", "FROM a:1\nWORKDIR x\n"),
    ("InstallWithoutYes", 'FROM a:1\nRUN ["sh", "-c", "apt-get install x"]\n'),
]


@pytest.mark.parametrize(("code", "text", "expected"), MENDED)
def test_mends(code: str, text: str, expected: str) -> None:
    tool = linter(only=code)
    assert {each for each, _ in found(tool.lint(text, "f"))} == {code}
    assert tool.fix(text, "f") == expected
    assert found(tool.lint(expected, "f")) == []


@pytest.mark.parametrize(("code", "text"), NOT_MENDED)
def test_leaves_alone(code: str, text: str) -> None:
    tool = linter(only=code)
    assert {each for each, _ in found(tool.lint(text, "f"))} == {code}
    assert tool.fix(text, "f") == text


def test_every_mend_has_a_case() -> None:
    fixable = {rule.code for rule in OWN_RULES if rule.fixable}
    assert {code for code, _, _ in MENDED} == fixable | MENDABLE


def planned(text: str) -> BuildPlan:
    return plan(parse(text, "f"), PlanOptions(build_platform=AMD64), Offline(), Silent())


# Mends of form: what is built is what was built before.
SAME = [
    (code, text, mended)
    for code, text, mended in MENDED
    if code
    not in (
        "MaintainerDeprecated",  # a label in place of the author
        "JSONArgsRecommended",  # no shell around the program
        "AptInScript",
        "InstallWithoutYes",
        "RecommendsInstalled",
        "PackageCacheKept",
    )
]


@pytest.mark.parametrize(("code", "text", "mended"), SAME)
def test_a_mend_of_form_keeps_steps_and_configuration(code: str, text: str, mended: str) -> None:
    before, after = planned(text).images[0], planned(mended).images[0]
    assert before.config == after.config
    if code == "AddInsteadOfCopy":  # ADD would unpack
        return
    assert repr(before.root) == repr(after.root)


def test_steps_before_a_mended_instruction_stay_equal() -> None:
    text = "FROM a:1\nRUN one\nCOPY x /x\nRUN apt-get install y\n"
    mended = linter().fix(text, "f")
    assert mended != text
    before, after = planned(text).images[0].root, planned(mended).images[0].root
    assert isinstance(before, Run) and isinstance(after, Run)
    assert repr(before) != repr(after)
    assert repr(before.root) == repr(after.root)


def test_many_mends_at_once_leave_everything_else() -> None:
    text = (
        "\ufeff# check=skip=UnpinnedBase\r\n"
        "\r\n"
        "from debian as Build\t\r\n"
        "  # kept  \r\n"
        "RUN apt update \\\r\n"
        "\r\n"
        "\t&& apt install x   \r\n"
        "ENV a b\r\n"
        "CMD x y"
    )
    expected = (
        "\ufeff# check=skip=UnpinnedBase\r\n"
        "\r\n"
        "FROM debian AS build\t\r\n"
        "  # kept  \r\n"
        "RUN apt-get update \\\r\n"
        "\t&& apt-get install --no-install-recommends -y x   \r\n"
        "ENV a=b\r\n"
        'CMD ["x", "y"]'
    )
    assert linter().fix(text, "f") == expected


def test_what_is_skipped_is_not_mended() -> None:
    text = "FROM a:1\n# check=skip=LegacyKeyValueFormat\nENV a b\n"
    assert linter().fix(text, "f") == text


@pytest.mark.parametrize("text", ["", "FROM\n", "nonsense\n", "FROM a:1\nRUN <<E\n"])
def test_what_is_no_dockerfile_stays(text: str) -> None:
    assert linter().fix(text, "f") == text
