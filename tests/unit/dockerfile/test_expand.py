"""Expansion: expected values follow BuildKit's shell/lex.go and the recorded conformance cases."""

from __future__ import annotations

import pytest

from jettison.dockerfile.expand import Expander
from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span

ENV = {
    "a": "one",
    "empty": "",
    "path": "/usr/local/lib/libx.so.1",
    "two": "x  y",
    "lead": "  k v ",
    "dollar": "$0",
    "lines": "ab\ncd",
    "größe": "L",
    "_u": "under",
}


def word(text: str, escape: str = "\\") -> str:
    return Expander(escape).word(text, ENV)


def message(text: str, escape: str = "\\") -> str:
    with pytest.raises(DockerfileError) as caught:
        word(text, escape)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # names
        ("plain", "plain"),
        ("$a", "one"),
        ("${a}", "one"),
        ("<$a>", "<one>"),
        ("$a$a", "oneone"),
        ("$a-b", "one-b"),
        ("$ab", ""),
        ("${a}b", "oneb"),
        ("$_u", "under"),
        ("$größe/x", "L/x"),
        ("$nosuch", ""),
        ("x${nosuch}y", "xy"),
        # a dollar that begins nothing
        ("$", "$"),
        ("$ a", "$ a"),
        ("$.", "$."),
        ("a$", "a$"),
        ("$/x", "$/x"),
        # special parameters are never set
        ("[$1]", "[]"),
        ("[$12a]", "[a]"),
        ("[$@$*$#$?$-$$$!$0]", "[]"),
        ("[${@}${1}]", "[]"),
        ("${#:-n}", "n"),
        # escapes and quotes
        (r"\$a", "$a"),
        (r"\\$a", r"\one"),
        (r"a\b", "ab"),
        ("a\\", "a"),
        (r"\"x\'", "\"x'"),
        (r"a\ b", "a b"),
        ("'$a'", "$a"),
        (r"'\$a\'", r"\$a" + "\\"),
        ('"$a"', "one"),
        (r'"\$a"', "$a"),
        (r'"\"\\\x"', '"\\\\x'),
        ('"it\'s"', "it's"),
        ("'say \"x\"'", 'say "x"'),
        ("''", ""),
        ("a''b", "ab"),
        ("$'a'", "$a"),
        ("two  words", "two  words"),
        ("<<EOF", "<<EOF"),
        ("<< 'a'", "<< a"),
    ],
)
def test_words_without_modifiers(text: str, expected: str) -> None:
    assert word(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${a:-d}", "one"),
        ("${empty:-d}", "d"),
        ("${no:-d}", "d"),
        ("${a-d}", "one"),
        ("${empty-d}", ""),
        ("${no-d}", "d"),
        ("${a:+d}", "d"),
        ("${empty:+d}", ""),
        ("${no:+d}", ""),
        ("${a+d}", "d"),
        ("${empty+d}", "d"),
        ("${no+d}", ""),
        ("${a:?m}", "one"),
        ("${empty?m}", ""),
        ("${no:-}", ""),
        # the word is itself expanded, quotes and all
        ("${no:-$a}", "one"),
        ("${no:-${nope:-${a}}}", "one"),
        ("${no:-'}'}", "}"),
        ('${no:-"$a b"}', "one b"),
        (r"${no:-\}}", "}"),
        (r"${no:-\$a}", "$a"),
        ("${a:+<${a}>}", "<one>"),
        ("${no:-{x}", "{x"),
        ("${no:-x}}", "x}"),
        ("${no:-x:y}", "x:y"),
    ],
)
def test_defaults_and_alternatives(text: str, expected: str) -> None:
    assert word(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${path#*/}", "usr/local/lib/libx.so.1"),
        ("${path##*/}", "libx.so.1"),
        ("${path%.*}", "/usr/local/lib/libx.so"),
        ("${path%%.*}", "/usr/local/lib/libx"),
        ("${path%/*}", "/usr/local/lib"),
        ("${path#/???}", "/local/lib/libx.so.1"),
        ("${path#usr}", "/usr/local/lib/libx.so.1"),
        ("${path%nothing}", "/usr/local/lib/libx.so.1"),
        ("${a#}", "one"),
        ("${a##*}", ""),
        ("${a#*}", "one"),
        ("${a%%*}", ""),
        ("${no#x}", ""),
        ("${a#$a}", ""),
        # everything but * and ? is literal
        ("${path#[/]}", "/usr/local/lib/libx.so.1"),
        ("${path%so.1}", "/usr/local/lib/libx."),
        ("${path%so?1}", "/usr/local/lib/libx."),
        # wildcards stop at line ends
        ("${lines##*}", "\ncd"),
    ],
)
def test_prefixes_and_suffixes(text: str, expected: str) -> None:
    assert word(text) == expected


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("a*b*c", r"${v#*\*}", "b*c"),
        ("a*b*c", r"${v##*\*}", "c"),
        ("a*b*c", r"${v%\**}", "a*b"),
        ("a?b", r"${v%\?b}", "a"),
        ("a\\b", r"${v#*\\}", "b"),
        ("a}b", r"${v#a\}}", "b"),
        ("abab", "${v/b/x}", "axab"),
        ("abab", "${v//b/x}", "axax"),
        ("abab", "${v//b/}", "aa"),
        ("abab", "${v/nothing/x}", "abab"),
        ("a/b/c", r"${v//\//.}", "a.b.c"),
        ("a.b", "${v//./-}", "a-b"),
        ("abcb", "${v/b*/x}", "ax"),
        ("abcb", "${v/a?/x}", "xcb"),
        ("abc", "${v//?/x}", "xxx"),
        ("abc", "${v//*/x}", "x"),
        ("abc", "${v///-}", "-a-b-c-"),
        ("", "${v/*/x}", "x"),
        ("ab", "${v/b/$a}", "aone"),
        ("ab", "${v/$nope/x}", "xab"),
        # escapes stay in the replacement, of which // makes a template
        ("ab", r"${v/b/\x}", r"a\x"),
        ("ab", r"${v//b/[\$0]}", r"a[\b]"),
        ("ab", r"${v/b/\$0}", r"a\$0"),
        ("ab", "${v//b/$dollar}", "ab"),
        ("ab", "${v//b/'${0}$$$1$name$'}", "ab$$"),
        ("ab", "${v//b/'$ x'}", "a$ x"),
        ("ab", "${v//b/'$00'}", "a"),
    ],
)
def test_patterns_and_replacements(value: str, text: str, expected: str) -> None:
    assert Expander().word(text, {**ENV, "v": value}) == expected


def test_unset_matches_as_empty_in_replacements() -> None:
    assert word("${no/*/x}") == "x"
    assert word("${no//x/y}") == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ("it's", "unexpected end of statement while looking for matching single-quote"),
        ('"a', "unexpected end of statement while looking for matching double-quote"),
        (r'"a\"', "unexpected end of statement while looking for matching double-quote"),
        ("${}", "syntax error: bad substitution"),
        ("${:-x}", "syntax error: bad substitution"),
        ("${{a}}", "syntax error: bad substitution"),
        ("${", "syntax error: missing '}'"),
        ("${a", "syntax error: missing '}'"),
        ("${a:", "syntax error: missing '}'"),
        ("${a:-b", "syntax error: missing '}'"),
        ("${a:-'b}", "syntax error: missing '}'"),
        ("${a/b}", "syntax error: missing '/' in ${}"),
        ("${a/b/c", "syntax error: missing '}'"),
        ("${a:=b}", "unsupported modifier (:=) in substitution"),
        ("${a:#b}", "unsupported modifier (:#) in substitution"),
        ("${a:%b}", "unsupported modifier (:%) in substitution"),
        ("${a^}", "unsupported modifier (^) in substitution"),
        ("${.}", "unsupported modifier (.) in substitution"),
        ("${no:?}", "no: is not allowed to be unset"),
        ("${no?}", "no: is not allowed to be unset"),
        ("${empty:?}", "empty: is not allowed to be empty"),
        ("${no:?give $a}", "no: give one"),
        ("${empty:?why}", "empty: why"),
        (r"${a#\x}", r"invalid pattern (\x) in substitution: invalid escape '\x'"),
        (r"${a/\[/y}", r"invalid pattern (\[) in substitution: invalid escape '\['"),
    ],
)
def test_errors(text: str, reason: str) -> None:
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    assert message(text) == f'failed to process "{shown}": {reason}'


def test_errors_carry_the_span() -> None:
    span = Span(SourceText("Dockerfile", "FROM ${"), 1, 6, 1)
    with pytest.raises(DockerfileError) as caught:
        Expander("\\", span).word("${", {})
    assert caught.value.span is span


def test_hint_names_what_is_supported() -> None:
    with pytest.raises(DockerfileError) as caught:
        word("${a:=b}")
    assert caught.value.hint is not None and ":-" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`$a", "$a"),
        (r"C:\dir\$a", r"C:\dir\one"),
        ("a`", "a"),
        ('"`"``"', '"`'),
        (r'"\x"', r"\x"),
        ("${no:-`}}", "}"),
    ],
)
def test_backtick_as_escape(text: str, expected: str) -> None:
    assert word(text, "`") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ["a", "b"]),
        (" a\t b ", ["a", "b"]),
        ("$two", ["x", "y"]),
        ('"$two"', ["x  y"]),
        ("<$two>", ["<x", "y>"]),
        ("${lead}z", ["k", "v", "z"]),
        ("z$lead", ["z", "k", "v"]),
        (r"a\ b c", ["a b", "c"]),
        ("'a b' c", ["a b", "c"]),
        ("a ''", ["a"]),
        ("", []),
        ("$nosuch", []),
        # As in BuildKit, what stands before an operator's word is lost.
        ("8${no:-0}80", ["080"]),
        ("7 8${no:-0}80 9", ["7", "080", "9"]),
        ('7 8"x${no:-0}" 9', ["7", "x0", "9"]),
        ("${no:-80 81}/tcp", ["80", "81/tcp"]),
        ("a\u00a0b", ["a", "b"]),
        ("a\x1cb", ["a\x1cb"]),
    ],
)
def test_splitting_after_expansion(text: str, expected: list[str]) -> None:
    assert Expander().words(text, ENV) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no variables, \"quotes\" or 'such'\n", "no variables, \"quotes\" or 'such'\n"),
        ("'$a' \"${a}\" it's\n", "'one' \"one\" it's\n"),
        (r"\$a \\ \n \x" + "\n", "$a \\ n x\n"),
        ("${no:-'q'}\n", "'q'\n"),
        ("`$a`\n", "`one`\n"),
        ("a\\\nb\n", "a\nb\n"),
    ],
)
def test_heredoc_bodies(text: str, expected: str) -> None:
    assert Expander("`").heredoc(text, ENV) == expected


def test_names_that_were_looked_up_are_reported() -> None:
    expander = Expander()
    expander.word("$b$a${c:-$d}${b}", ENV)
    expander.words("$e", ENV)
    assert (list(expander.unset), list(expander.used)) == (["b", "d", "c", "e"], ["a"])


def test_names_are_reported_also_before_an_error() -> None:
    expander = Expander()
    with pytest.raises(DockerfileError):
        expander.word("$b ${", ENV)
    assert list(expander.unset) == ["b"]


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    text = "${x:-" * 5000 + "}" * 5000
    assert "nested too deeply" in message(text)


def test_large_values_take_no_quadratic_time() -> None:
    body = "x" * 2_000_000 + "$a\n"
    assert Expander().heredoc(body, ENV) == "x" * 2_000_000 + "one\n"
    assert Expander().words(body, ENV) == ["x" * 2_000_000 + "one"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${v#*a*b}", "ab\nab"),
        ("${v##*a*b}", "\nab"),
        ("${v%b*a*b}", "aabab\nab"),
        ("${v%%a*b}", "aabab\n"),
        ("${v/a*b/-}", "-\nab"),
        ("${v//a*b/-}", "-\n-"),
        ("${v//*b\n*a/-}", "-b"),
        ("${v/?\n?/-}", "aaba-b"),
    ],
)
def test_stars_meet_the_nearest_or_the_farthest_of_their_line(text: str, result: str) -> None:
    assert Expander().word(text, {"v": "aabab\nab"}) == result
