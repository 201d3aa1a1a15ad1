"""Sizes, durations, ages and tables. Expected values are docker's (go-units) where it has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.cli import text


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (1240, "1.24kB"),
        (77_812_345, "77.8MB"),
        (999_900, "1MB"),
        (4_259_000_000, "4.26GB"),
        (5 * 10**15, "5PB"),
        (5 * 10**18, "5000PB"),
    ],
)
def test_size(size: int, expected: str) -> None:
    assert text.human_size(size) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (12.34, "12.3s"),
        (99.94, "99.9s"),
        (99.96, "1m40s"),
        (184, "3m04s"),
        (3720, "1h02m"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert text.human_duration(seconds) == expected


HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, "Less than a second ago"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "About a minute ago"),
        (130, "2 minutes ago"),
        (HOUR, "About an hour ago"),
        (47 * HOUR, "47 hours ago"),
        (3 * DAY, "3 days ago"),
        (21 * DAY, "3 weeks ago"),
        (100 * DAY, "3 months ago"),
        (1000 * DAY, "2 years ago"),
    ],
)
def test_age(seconds: float, expected: str) -> None:
    assert text.human_age(seconds) == expected


def test_table_is_aligned_as_dockers_and_lines_have_no_trailing_blanks() -> None:
    rows = [("busybox", "1", "4MB"), ("registry.example/application", "latest", "")]
    assert text.table(("REPOSITORY", "TAG", "SIZE"), rows) == (
        "REPOSITORY                     TAG       SIZE\n"
        "busybox                        1         4MB\n"
        "registry.example/application   latest\n"
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\tb", "a       b"),
        ("\x1b[2J\x1b[Hgone\x07", "gone"),
        ("caf\u00e9", "caf\u00e9"),
        ("\x9b31m", "31m"),
    ],
)
def test_printable(raw: str, shown: str) -> None:
    assert text.printable(raw) == shown


@given(st.text(max_size=30).map(lambda s: "\x1b" + s.replace("\n", "")))
def test_nothing_that_moves_a_cursor_comes_through(raw: str) -> None:
    shown = text.printable(raw)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown if c != "\n")
