"""Durations, signals, ports, suggestions, quoting."""

from __future__ import annotations

import pytest

from jettison.dockerfile.durations import parse_duration
from jettison.dockerfile.ports import ExposedPorts, parse_port
from jettison.dockerfile.signals import check_signal
from jettison.dockerfile.suggest import did_you_mean, distance, nearest
from jettison.dockerfile.text import quoted
from jettison.errors import DockerfileError

SECOND = 1_000_000_000


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0", 0),
            ("0s", 0),
            ("+0", 0),
            ("5s", 5 * SECOND),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", SECOND),
            ("1h2m3s", 3723 * SECOND),
            ("100ms", 100_000_000),
            ("7us", 7_000),
            ("7\u00b5s", 7_000),
            ("7\u03bcs", 7_000),
            ("3ns", 3),
            ("-3ns", -3),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9223372036854775807ns", (1 << 63) - 1),
            ("-9223372036854775808ns", -(1 << 63)),
        ],
    )
    def test_valid(self, text: str, expected: int) -> None:
        assert parse_duration(text) == expected

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "invalid duration ''"),
            ("-", "invalid duration"),
            ("--5s", "invalid duration"),
            ("+-5s", "invalid duration"),
            ("s", "invalid duration"),
            (".s", "invalid duration"),
            ("1..s", "missing unit"),
            ("5", "missing unit in duration '5'"),
            ("1m5", "missing unit"),
            ("5x", "unknown unit 'x'"),
            ("5 s", "unknown unit ' s'"),
            ("5S", "unknown unit 'S'"),
            ("9223372036854775808ns", "too long"),
            ("99999999999999999999s", "too long"),
            ("\u0665s", "invalid duration"),
        ],
    )
    def test_invalid(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError) as caught:
            parse_duration(text)
        assert reason in str(caught.value)


class TestSignals:
    @pytest.mark.parametrize(
        "signal",
        "SIGTERM TERM term sigKill 9 15 -1 +3 CLD RTMIN RTMIN+15 SIGRTMAX-14 rtmax".split(),
    )
    def test_known(self, signal: str) -> None:
        check_signal(signal)

    @pytest.mark.parametrize(
        "signal",
        ["", "0", "SIGFOO", "SIG", "SIGSIGTERM", "RTMIN+16", "RTMIN+0", "1.5", "9 ", "9" * 30],
    )
    def test_unknown(self, signal: str) -> None:
        with pytest.raises(DockerfileError) as caught:
            check_signal(signal)
        assert caught.value.message == f"invalid signal: {signal}"

    def test_suggestion(self) -> None:
        with pytest.raises(DockerfileError) as caught:
            check_signal("SIGTREM")
        assert caught.value.hint == "did you mean SIGTERM?"


class TestPorts:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("80", ExposedPorts(("80/tcp",), "tcp", mapped=False)),
            ("53/UDP", ExposedPorts(("53/udp",), "UDP", mapped=False)),
            ("80/", ExposedPorts(("80/tcp",), "tcp", mapped=False)),
            ("7-9/sctp", ExposedPorts(("7/sctp", "8/sctp", "9/sctp"), "sctp", mapped=False)),
            ("5-5", ExposedPorts(("5/tcp",), "tcp", mapped=False)),
            ("0080", ExposedPorts(("80/tcp",), "tcp", mapped=False)),
            ("65535", ExposedPorts(("65535/tcp",), "tcp", mapped=False)),
            ("8080:80", ExposedPorts(("80/tcp",), "tcp", mapped=True)),
            ("1-9:80", ExposedPorts(("80/tcp",), "tcp", mapped=True)),
            ("127.0.0.1:8080:80", ExposedPorts(("80/tcp",), "tcp", mapped=True)),
            ("127.0.0.1::80", ExposedPorts(("80/tcp",), "tcp", mapped=True)),
            ("[::1]:8080:80/udp", ExposedPorts(("80/udp",), "udp", mapped=True)),
            ("::1::80", ExposedPorts(("80/tcp",), "tcp", mapped=True)),
            (":80", ExposedPorts(("80/tcp",), "tcp", mapped=False)),
        ],
    )
    def test_valid(self, text: str, expected: ExposedPorts) -> None:
        assert parse_port(text) == expected

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", 'invalid port: "": no port specified'),
            ("/tcp", 'invalid port: "/tcp": no port specified'),
            ("80/xyz", 'invalid port: "80/xyz": invalid proto: xyz'),
            ("80/tcp/udp", 'invalid port: "80/tcp/udp": invalid proto: tcp/udp'),
            ("http", "invalid containerPort: http"),
            ("-1", "invalid containerPort: -1"),
            ("65536", "invalid containerPort: 65536"),
            ("9-7", "invalid containerPort: 9-7"),
            ("7-", "invalid containerPort: 7-"),
            ("1-2-3", "invalid containerPort: 1-2-3"),
            ("\u0668", "invalid containerPort: \u0668"),
            ("a:80", "invalid hostPort: a"),
            ("1-2:5-7", "invalid ranges specified for container and host Ports: 5-7 and 1-2"),
            ("host:1:80", "invalid IP address: host"),
        ],
    )
    def test_invalid(self, text: str, message: str) -> None:
        with pytest.raises(DockerfileError) as caught:
            parse_port(text)
        assert caught.value.message == message


class TestSuggestions:
    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [("", "", 0), ("ab", "ab", 0), ("ab", "b", 1), ("abc", "axc", 1), ("ab", "ba", 2)],
    )
    def test_distance(self, a: str, b: str, expected: int) -> None:
        assert distance(a, b, 5) == distance(b, a, 5) == expected

    def test_distance_stops_at_the_limit(self) -> None:
        assert distance("kitten", "sitting", 10) == 3
        assert distance("kitten", "sitting", 3) >= 3
        assert distance("a" * 100, "b", 3) >= 3

    def test_nearest(self) -> None:
        assert nearest("targte", ["source", "target"]) == "target"
        assert nearest("abc", ["xyz"]) is None
        assert nearest("target", ["target", "targets"]) is None
        assert nearest("TYPE", ["type"]) is None

    def test_first_of_equally_near(self) -> None:
        assert nearest("ax", ["ab", "ac"]) == "ab"

    @pytest.mark.parametrize(("word", "found"), [("FRMO", "FROM"), ("frmo", "from")])
    def test_case_of_the_word(self, word: str, found: str) -> None:
        assert did_you_mean(word, ["FROM"], ignore_case=True) == f" (did you mean {found}?)"


def test_quoting() -> None:
    assert quoted('a"b\\c\n\b\x00\x7f\u200bä') == r'"a\"b\\c\n\b\x00\x7f\u200bä"'
