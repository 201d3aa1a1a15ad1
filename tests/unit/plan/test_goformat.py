"""Go's formatting verbs, as BuildKit's history texts show them."""

from __future__ import annotations

import pytest

from jettison.model.oci import Healthcheck
from jettison.plan.goformat import go_duration, go_healthcheck, go_list, go_quote, go_quoted_list

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ('say "x"', r'"say \"x\""'),
        ("tab\tnewline\nbackslash\\", r'"tab\tnewline\nbackslash\\"'),
        ("\x00\x7f", r'"\x00\x7f"'),
        ("é漢", '"é漢"'),
        ("\u00a0\u200b", r'"\u00a0\u200b"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("\udcff", r'"\xff"'),
    ],
)
def test_quote(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted


def test_lists() -> None:
    assert go_quoted_list(["/bin/sh", "-c", "a 'b'"]) == """["/bin/sh" "-c" "a 'b'"]"""
    assert go_quoted_list([]) == "[]"
    assert go_list(["80/tcp", "90/udp"]) == "[80/tcp 90/udp]"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (500 * 10**6, "500ms"),
        (1_000_000_100, "1.0000001s"),
        (30 * SECOND, "30s"),
        (90 * SECOND, "1m30s"),
        (60 * SECOND, "1m0s"),
        (3600 * SECOND, "1h0m0s"),
        (int(2.5 * 3600 * SECOND), "2h30m0s"),
        (-SECOND, "-1s"),
    ],
)
def test_duration(nanoseconds: int, text: str) -> None:
    assert go_duration(nanoseconds) == text


def test_healthcheck() -> None:
    check = Healthcheck(Test=("CMD", "/check"), Interval=90 * SECOND, Retries=7)
    assert go_healthcheck(check) == (
        "{Test:[CMD /check] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:7}"
    )
