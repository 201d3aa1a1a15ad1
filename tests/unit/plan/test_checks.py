"""Build checks (checklist section B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.dockerfile.parse import parse
from jettison.errors import JettisonError
from jettison.fs.patterns import PatternList
from jettison.model.platform import parse_platform
from jettison.model.span import SourceText
from jettison.plan.planner import check_refused
from jettison.plan.rules import RULES, names_a_secret, url_of
from jettison.plan.steps import BuildPlan

Images = Any
Warnings = Any
Planned = Callable[..., BuildPlan]


@pytest.mark.parametrize("text", ["warn=1", "error=perhaps", "skip"])
def test_malformed_options(planned: Planned, text: str) -> None:
    with pytest.raises(JettisonError, match="failed to parse check options") as caught:
        planned(f"# escape=`\n# check={text}\nFROM base\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM base AS Stage", [("StageNameCasing", 1)]),
        ("FROM base as stage", [("FromAsCasing", 1)]),
        ("from base as stage\nrun x", []),
        ("FROM base\nRUN a \\\n\n  b", [("NoEmptyContinuation", 4)]),
        ("FROM base\nRUN a\nrun b", [("ConsistentInstructionCasing", 3)]),
        ("FROM base\nRun a", [("ConsistentInstructionCasing", 2)]),
        ("FROM base AS a\nFROM base AS a", [("DuplicateStageName", 2)]),
        ("FROM base AS context", [("ReservedStageName", 1)]),
        ("FROM base\nCMD a b", [("JSONArgsRecommended", 2)]),
        ('FROM base\nSHELL ["sh"]\nCMD a b', []),
        ("FROM base\nMAINTAINER me", [("MaintainerDeprecated", 2)]),
        ("FROM base AS a\nMAINTAINER me\nFROM base", [("MaintainerDeprecated", 2)]),
        ("ARG a=base\nFROM ${a}${b}", [("UndefinedArgInFrom", 2)]),
        ("FROM base\nWORKDIR a\nWORKDIR b", [("WorkdirRelativePath", 2)]),
        ("FROM base\nWORKDIR /a\nWORKDIR b", []),
        ("FROM base\nCOPY $a $PATH", [("UndefinedVar", 2)]),
        ("FROM base\nCOPY ${a:-b} c", [("UndefinedVar", 2)]),
        ("FROM base\nARG a\nCOPY x$a b", []),
        ('FROM base\nCMD ["a"]\nCMD ["b"]', [("MultipleInstructionsDisallowed", 2)]),
        ('FROM base AS a\nCMD ["a"]\nFROM a\nCMD ["b"]', []),
        ("FROM base\nENV a b", [("LegacyKeyValueFormat", 2)]),
        ("FROM --platform=$TARGETPLATFORM base", [("RedundantTargetPlatform", 1)]),
        ("FROM --platform=linux/arm64 base", [("FromPlatformFlagConstDisallowed", 1)]),
        ("FROM --platform=linux/arm64 base AS for-arm64", []),
        ("FROM base\nARG API_KEY", [("SecretsUsedInArgOrEnv", 2)]),
        ("ARG tag\nFROM base:$tag", [("InvalidDefaultArgInFrom", 2)]),
        ("FROM base\nEXPOSE 80/TCP", [("ExposeProtoCasing", 2)]),
        ("FROM base\nEXPOSE 127.0.0.1:80:80", [("ExposeInvalidFormat", 2)]),
        ("FROM base AS unused\nENV a b\nFROM base", []),
        ("# says nothing\nFROM base AS a", []),
        (
            "# check=experimental=all\n\n# says nothing\nFROM base AS a",
            [("InvalidDefinitionDescription", 4)],
        ),
        ("# check=experimental=all\n\n# a the stage\nFROM base AS a", []),
        ("# check=skip=LegacyKeyValueFormat\nFROM base\nENV a b", []),
        ("# check=skip=all\nFROM base\nENV a b\nMAINTAINER me", []),
        (
            "FROM base\n# check=skip=LegacyKeyValueFormat\nENV a b\nENV c d",
            [("LegacyKeyValueFormat", 4)],
        ),
    ],
)
def test_rules(
    planned: Planned, warnings: Warnings, text: str, found: list[tuple[str, int]]
) -> None:
    given = {"b": "", "tag": "latest"} if "tag" in text else {}
    planned(text + "\n", build_args=given)
    assert warnings.rules == found


def test_a_base_of_another_platform(planned: Planned, images: Images, warnings: Warnings) -> None:
    images.add("arm", only=parse_platform("linux/arm64"))
    planned("FROM arm\n")
    assert warnings.rules == [("InvalidBaseImagePlatform", 1)]


def test_ignored_files(planned: Planned, warnings: Warnings) -> None:
    text = "FROM base\nCOPY --from=base b /\nCOPY a b ./c/ . /d/\nADD https://h/b /\n"
    planned(text, ignore=PatternList.parse(["b", "c"]))
    assert warnings.rules == [("CopyIgnoredFile", 3), ("CopyIgnoredFile", 3)]


def test_ignored_files_with_exceptions_are_not_judged(planned: Planned, warnings: Warnings) -> None:
    planned("FROM base\nCOPY b /\n", ignore=PatternList.parse(["b", "!b/c"]))
    assert warnings.rules == []


def test_a_suggestion(planned: Planned, warnings: Warnings) -> None:
    planned("FROM base\nCOPY $FORM_BASE x\n")
    assert "did you mean $FROM_BASE?" in warnings.events[0].message


def test_warnings_become_an_error_if_asked(planned: Planned, warnings: Warnings) -> None:
    text = "# check=error=true\nFROM base\nENV a b\nARG PASSWORD\n"
    with pytest.raises(JettisonError) as caught:
        planned(text)
    assert caught.value.message == (
        "lint violation found for rules: LegacyKeyValueFormat, SecretsUsedInArgOrEnv"
    )
    assert len(warnings.events) == 2


def test_the_build_argument_replaces_the_directive(planned: Planned, warnings: Warnings) -> None:
    text = "# check=skip=all\nFROM base\nENV a b\n"
    with pytest.raises(JettisonError, match="lint violation"):
        planned(text, build_args={"BUILDKIT_DOCKERFILE_CHECK": "error=true"})
    assert warnings.rules == [("LegacyKeyValueFormat", 3)]


def test_several_platforms_warn_once(planned: Planned, warnings: Warnings) -> None:
    platforms = (parse_platform("linux/amd64"), parse_platform("linux/arm64"))
    planned("FROM base\nENV a b\n", platforms=platforms)
    assert warnings.rules == [("LegacyKeyValueFormat", 3 - 1)]


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("PASSWORD", True),
        ("api_key", True),
        ("GITHUB_TOKEN", True),
        ("PUBLIC_KEY", False),
        ("KEY_FILE", False),
        ("TOKEN_VERSION", False),
        ("KEYBOARD", False),
        ("MYPASSWORD", False),
    ],
)
def test_names_of_secrets(key: str, secret: bool) -> None:
    assert names_a_secret(key) == secret


def test_every_rule_has_an_address() -> None:
    base = "https://docs.docker.com/go/dockerfile/rule/"
    assert url_of("JSONArgsRecommended") == base + "json-args-recommended/"
    assert url_of("SecretsUsedInArgOrEnv") == base + "secrets-used-in-arg-or-env/"
    assert url_of("UndefinedArgInFrom") == base + "undefined-arg-in-from/"
    assert [rule for rule in RULES if url_of(rule) is None] == ["InvalidBaseImagePlatform"]


def test_failed_checks_are_located_at_the_first(planned: Planned, warnings: Warnings) -> None:
    with pytest.raises(JettisonError, match="lint violation") as caught:
        planned("# check=error=true\nFROM base\nRUN x\nENV a b\nENV c d\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (  # the instructions before the wrong one, and all continuations
            "FROM scratch AS Stage\nMAINTAINER me\nFROM scratch as two\nRUNN x\n"
            "FROM scratch AS Later\nRUN a \\\n\n b\n",
            [
                ("NoEmptyContinuation", 8),
                ("StageNameCasing", 1),
                ("MaintainerDeprecated", 2),
                ("FromAsCasing", 3),
            ],
        ),
        ("FROM scratch AS Stage\nMAINTAINER me\nRUN <<EOF\nx\n", []),
        ("FROM scratch AS Stage\nENV a\n", []),
        (
            "# check=experimental=all\nFROM scratch AS stage\n# not so\nARG x\nRUNN x\n",
            [("InvalidDefinitionDescription", 4)],
        ),
        ("# check=skip=MaintainerDeprecated\nFROM scratch\nMAINTAINER me\nCOPY\n", []),
        (
            "FROM scratch\n# check=skip=MaintainerDeprecated\nMAINTAINER me\nMAINTAINER i\nCOPY\n",
            [("MaintainerDeprecated", 4)],
        ),
        ("FROM scratch\nMAINTAINER\n", [("MaintainerDeprecated", 2)]),
        ("FROM scratch as Foo+\n", [("StageNameCasing", 1), ("FromAsCasing", 1)]),
        ("ARG b \\\n\n c\n", [("NoEmptyContinuation", 3)]),
        ("MAINTAINER me\nFROM scratch\n", [("MaintainerDeprecated", 1)]),
        ("LABEL a=b\nMAINTAINER me\nFROM scratch\n", []),
        ("from scratch AS a b\n", [("FromAsCasing", 1)]),
        ("FROM scratch\nrun x\nRUNN x\n", []),
        ("# syntax=example.com/other\nFROM scratch AS Foo\nRUNN x\n", []),
    ],
)
def test_what_is_found_before_a_refusal(
    warnings: Warnings, text: str, found: list[tuple[str, int]]
) -> None:
    """As recorded from BuildKit, but for the front end that cannot be run here."""
    with pytest.raises(JettisonError):
        parse(text, "Dockerfile")
    check_refused(SourceText("Dockerfile", text), None, {}, warnings)
    assert warnings.rules == found


@pytest.mark.parametrize("wrong", ["RUNN x", "ENV a"])
def test_malformed_options_come_before_all_else(warnings: Warnings, wrong: str) -> None:
    text = f"# check=skop=a\nFROM scratch AS Stage\n{wrong}\n"
    with pytest.raises(JettisonError, match="failed to parse check options"):
        check_refused(SourceText("Dockerfile", text), None, {}, warnings)
