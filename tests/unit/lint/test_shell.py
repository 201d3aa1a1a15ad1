"""Reading shell scripts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.lint.shell import commands


def shown(script: str) -> list[str]:
    """``words,with,commas operator`` of each command, ``+`` for each level around it."""
    return [
        "+" * command.depth + ",".join(word.value for word in command.words) + command.operator
        for command in commands(script)
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("a b  c", ["a,b,c"]),
        ("a && b || c; d & e\nf", ["a&&", "b||", "c;", "d&", "e\n", "f"]),
        ("a | b |& c", ["a|", "b|&", "c"]),
        ("a 'b c' \"d $e\" f\\ g", ["a,b c,d $e,f g"]),
        ("a # b\nc", ["a\n", "c"]),
        ("a#b", ["a#b"]),
        ("a >x 2>&1 <y b", ["a,b"]),
        ("a>x", ["a"]),
        ("if a; then b; else c; fi", ["a;", "b;", "c;"]),
        ("for x in 1 2; do a $x; done", ["for,x,in,1,2;", "a,$x;"]),
        ("(a; b) && c", ["+a;", "+b)", "c"]),
        ("{ a; b; }", ["a;", "b;"]),
        ("a $(b c) d", ["a,$(b c),d", "+b,c"]),
        ('a "$(b "$(c)")"', ['a,$(b "$(c)")', "+b,$(c)", "++c"]),
        ("a `b`", ["a,`b`", "+b"]),
        ("a <(b) >(c)", ["a", "+b", "+c"]),
        ("a $((1 + 2)) ${x:-y z}", ["a,$((1 + 2)),${x:-y z}"]),
        ("a <<EOF\nb; c\nEOF\nd", ["a\n", "d"]),
        ("a <<-'EOF' && b\n\tc\n\tEOF\nd", ["a&&", "b\n", "d"]),
        ("a <<< b c", ["a,c"]),
        ("x=1 y=2 a b", ["a,b"]),
        ("x=1", [""]),
        ("a \\\n b", ["a,b"]),
        ("! a", ["a"]),
        ("a 'b", ["a,b"]),
        ("a $(b", ["a,$(b", "+b"]),
        ("case $x in a) b ;; *) c;; esac", ["case,$x,in,a)", "b;;", "*)", "c;;", "esac"]),
    ],
)
def test_commands(script: str, expected: list[str]) -> None:
    assert shown(script) == expected


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("sudo -E -u x apt-get update", "apt-get"),
        ("env -u A B=c nice -n 5 make", "make"),
        ("/usr/bin/apt-get update", "apt-get"),
        ("exec a", "a"),
        ("sudo", ""),
        ("x=$(y)", ""),
    ],
)
def test_the_program_behind_what_stands_before_it(script: str, name: str) -> None:
    assert commands(script)[0].name == name


def test_words_that_the_shell_expands_are_not_literal() -> None:
    (command, *_) = commands("a $b 'c $d' \"e$f\" *.g `h` i")
    literal = [word.literal for word in command.words]
    assert literal == [True, False, True, False, False, False, True]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab \\'\"`$(){}<>|&;#\n-=EOF", max_size=60))
def test_every_text_is_read_and_words_are_where_they_say(script: str) -> None:
    for command in commands(script):
        ends = 0
        for word in command.words:
            assert ends <= word.start < word.end <= len(script)
            ends = word.end


@settings(max_examples=100, deadline=None)
@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=1, max_size=6))
def test_plain_words_are_themselves(words: list[str]) -> None:
    script = "run " + " ".join(words)
    (command,) = commands(script)
    assert [script[word.start : word.end] for word in command.words] == ["run", *words]


def test_deep_nesting_is_no_trouble() -> None:
    assert commands("$(" * 5000)
    assert commands("(" * 5000 + "a")[0].depth == 5000
