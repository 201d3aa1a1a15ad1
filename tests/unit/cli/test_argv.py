"""Go's flag syntax (pflag): booleans with values, `=` after one letter."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.cli.argv import normalise, parse_bool
from jettison.errors import UsageError

PARAMS = [
    click.Option(["-t", "--tag"], multiple=True),
    click.Option(["-q", "--quiet"], is_flag=True),
    click.Option(["--pull"], is_flag=True),
    click.Option(["-f", "--file"]),
]


def rewritten(text: str, *, interspersed: bool = True) -> str:
    return " ".join(normalise(text.split(), PARAMS, interspersed))


@pytest.mark.parametrize(
    ("given_args", "expected"),
    [
        ("-t=name .", "--tag name ."),
        ("-tname .", "--tag name ."),
        ("-t name .", "--tag name ."),
        ("--tag=name .", "--tag=name ."),
        ("--tag -q .", "--tag -q ."),  # a value, whatever it looks like
        ("--pull=true .", "--pull ."),
        ("--pull=false .", "."),
        ("--pull --pull=false .", "."),
        ("--pull=0 --pull=T .", "--pull ."),
        ("-q=true .", "--quiet ."),
        ("-qt=x .", "--quiet --tag x ."),
        (". --pull=false", "."),
        ("-- --pull=false", "-- --pull=false"),
        ("--nope=1 .", "--nope=1 ."),
        ("-xq .", "-xq ."),
        ("-f - -", "--file - -"),
        ("-t", "-t"),
    ],
)
def test_forms(given_args: str, expected: str) -> None:
    assert rewritten(given_args) == expected


def test_flags_end_at_the_first_argument_where_they_are_not_interspersed() -> None:
    assert rewritten("-q image --pull=false -t=x", interspersed=False) == (
        "--quiet image --pull=false -t=x"
    )


def test_a_boolean_is_what_go_takes_for_one() -> None:
    assert [parse_bool("-q", text) for text in ("1", "t", "TRUE", "0", "F", "False")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(UsageError, match="invalid value 'yes' for --pull"):
        rewritten("--pull=yes .")


@given(st.lists(st.text(max_size=6), max_size=6))
def test_arguments_that_are_no_flags_come_through(words: list[str]) -> None:
    args = ["--", *words]
    assert normalise(args, PARAMS, True) == args
