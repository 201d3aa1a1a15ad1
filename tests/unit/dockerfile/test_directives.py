"""Parser directives, front ends, the check directive (P-18 to P-24, P-30, B-03, B-04)."""

from __future__ import annotations

import pytest

from jettison.dockerfile.checks import CheckOptions, checks_of, parse_check_options
from jettison.dockerfile.directives import detect_syntax
from jettison.dockerfile.parse import parse
from jettison.dockerfile.parser import parse_ast
from jettison.errors import DockerfileError
from jettison.model.span import SourceText
from tests.unit.dockerfile.common import failure, place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# escape=`", {"escape": "`"}),
        ("#escape=\\", {"escape": "\\"}),
        ("  #\t eSCape \t=  `  ", {"escape": "`"}),
        ("# escape=`\r", {"escape": "`"}),
        ("# check=skip=all\n# escape=`", {"check": "skip=all", "escape": "`"}),
        ("# syntax=docker/dockerfile:1 x", {"syntax": "docker/dockerfile:1 x"}),
        # what ends the block
        ("\n# escape=`", {}),
        ("# comment\n# escape=`", {}),
        ("# unknown=x\n# escape=`", {}),
        ("#!/bin/x\n# escape=`", {}),
        ("# escape\n# escape=`", {}),
        ("# escape=\n# check=skip=all", {}),
        ("ARG a\n# escape=`", {}),
        ("# es cape=`", {}),
    ],
)
def test_leading_block(text: str, expected: dict[str, str]) -> None:
    typed = parse(f"{text}\nFROM a", "Dockerfile")
    assert typed.directives == expected
    assert typed.escape == expected.get("escape", "\\")


def test_positions_and_comments() -> None:
    ast = parse_ast("# check=skip=all\n  # escape=`\n# c\nFROM a", "Dockerfile")
    assert [(each.name, each.span.line, each.span.column) for each in ast.directives] == [
        ("check", 1, 1),
        ("escape", 2, 3),
    ]
    assert [comment.text for comment in ast.comments] == ["c"]


def test_twice() -> None:
    error = failure("# escape=`\n# Escape=`\nFROM a")
    assert error.message == (
        "only one escape parser directive can be used (the first is on line 1)"
    )
    assert place(error) == (2, 1)


@pytest.mark.parametrize("value", ["x", "``", "\\n"])
def test_escape_takes_two_characters_only(value: str) -> None:
    error = failure(f"# escape={value}\nFROM a")
    assert error.message == f"invalid escape token '{value}' does not match ` or \\"
    assert place(error) == (1, 1)


class TestSyntax:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("# syntax=docker/dockerfile:1 --opt\nFROM a", ("docker/dockerfile:1", 1)),
            ("# check=skip=all\n# syntax=x\n", ("x", 2)),
            ("#!/usr/bin/x\n# syntax=x\n", ("x", 2)),
            ("// syntax=x\nwhatever", ("x", 1)),
            ('{"syntax": "x", "other": 1}', ("x", 1)),
            ("# c\n# syntax=x", None),
            ("\n# syntax=x", None),
            ('{"syntax": 1}', None),
            ("{", None),
            ("FROM a", None),
        ],
    )
    def test_detected(self, text: str, expected: tuple[str, int] | None) -> None:
        found = detect_syntax(SourceText("Dockerfile", text))
        assert (found and (found.value, found.span.line)) == expected

    @pytest.mark.parametrize(
        "image",
        [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile:1@sha256:" + "0" * 64,
            "docker/dockerfile-upstream:master",
            "registry.example.com:5000/mirror/docker/dockerfile:1",
            "dockerfile.v0",
            "jettison",
            "jettison/dockerfile:2",
        ],
    )
    def test_accepted(self, image: str) -> None:
        assert parse(f"# syntax={image}\nFROM a", "Dockerfile").directives["syntax"] == image

    @pytest.mark.parametrize("image", ["evil/frontend:1", "notdocker/dockerfile", "a b:c", "::"])
    def test_others_are_refused_by_name(self, image: str) -> None:
        error = failure(f"# escape=`\n# syntax={image}\nFROM a")
        assert f'unsupported front end "{image.split(maxsplit=1)[0]}"' in error.message
        assert place(error) == (2, 1)

    def test_refused_also_in_other_forms(self) -> None:
        assert "evil/x" in failure("// syntax=evil/x\nFROM a").message

    def test_an_option_overrides_the_directive(self) -> None:
        parse("# syntax=evil/x\nFROM a", "Dockerfile", syntax="dockerfile.v0")
        with pytest.raises(DockerfileError, match="evil/y"):
            parse("FROM a", "Dockerfile", syntax="evil/y")


class TestChecks:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", CheckOptions()),
            ("skip=A", CheckOptions(skip=frozenset({"A"}))),
            (" skip = A, B ;error= true", CheckOptions(skip=frozenset({"A", "B"}), error=True)),
            ("skip=all;error=0", CheckOptions(skip_all=True)),
            ("experimental=all", CheckOptions(experimental_all=True)),
            (
                "error=T;experimental=A,B",
                CheckOptions(error=True, experimental=frozenset({"A", "B"})),
            ),
        ],
    )
    def test_options(self, text: str, expected: CheckOptions) -> None:
        assert parse_check_options(text) == expected

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("warn=true", 'invalid check option "warn"'),
            ("skip", 'invalid check option "skip"'),
            ("skp=A", 'invalid check option "skp" (did you mean skip?)'),
            ("error=maybe", 'failed to parse check option "error=maybe"'),
            ("skip=A;", 'invalid check option ""'),
        ],
    )
    def test_refused(self, text: str, message: str) -> None:
        with pytest.raises(DockerfileError) as caught:
            parse_check_options(text)
        assert caught.value.message == f"failed to parse check options: {message}"

    def test_above_an_instruction(self) -> None:
        text = (
            "FROM a\n# CHECK = skip=A;error=true because\nRUN a\n"
            "# c\n# check=experimental=B\n\nRUN b\n# check=nonsense\nRUN c\nRUN d\n"
        )
        nodes = parse_ast(text, "Dockerfile").nodes
        assert [checks_of(node) for node in nodes] == [
            CheckOptions(),
            CheckOptions(skip=frozenset({"A"}), error=True),
            CheckOptions(experimental=frozenset({"B"})),
            CheckOptions(),
            CheckOptions(),
        ]

    def test_merging(self) -> None:
        base = CheckOptions(skip=frozenset({"A"}), error=True)
        other = CheckOptions(skip=frozenset({"B"}), experimental_all=True)
        assert base.merged(other) == CheckOptions(
            skip=frozenset({"A", "B"}), error=True, experimental_all=True
        )
