from __future__ import annotations

import pytest

from jettison.errors import DockerfileError
from jettison.fs.patterns import (
    BadPatternError,
    Pattern,
    PatternList,
    compile_glob,
    has_wildcards,
    read_ignorefile,
)
from jettison.model.span import SourceText


def ignore(text: str) -> PatternList:
    return read_ignorefile(SourceText(".dockerignore", text))


# The table of Go's own TestMatch (path/filepath), as far as it concerns one component.
@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "ab/c", False),
        ("a*b*c*d*e*", "axbxcxdxexxx", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^b-d]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "-", True),
        ("[\\-x]", "a", False),
        ("*x", "xxx", True),
        ("[a-b-d]", "a", None),
        ("[]a]", "]", None),
        ("[-]", "-", None),
        ("[x-]", "x", None),
        ("[-x]", "x", None),
        ("\\", "a", None),
        ("[", "a", None),
        ("[^", "a", None),
        ("[^bc", "a", None),
        ("a[", "ab", None),
        ("*.txt", ".txt", True),
        ("arr[[]0].txt", "arr[0].txt", True),
        ("a+(b)|c$", "a+(b)|c$", True),
        ("new?line", "new\nline", True),
    ],
)
def test_glob(pattern: str, name: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(BadPatternError):
            compile_glob(pattern)
    else:
        assert (compile_glob(pattern).fullmatch(name) is not None) is expected


@pytest.mark.parametrize("text", ["[b-a]", "!x/[^d-a]", "[xz-y]"])
def test_a_list_refuses_ranges_running_backwards(text: str) -> None:
    with pytest.raises(BadPatternError):
        Pattern(text)


def test_range_running_backwards_matches_nothing() -> None:
    assert compile_glob("[d-a]").fullmatch("b") is None
    assert compile_glob("[^d-a]").fullmatch("b") is not None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a*", True), ("a\\*", False), ("\\\\*", True), ("a[", True), ("a", False)],
)
def test_has_wildcards(name: str, expected: bool) -> None:
    assert has_wildcards(name) is expected


# From moby/patternmatcher's tests of the documented grammar.
@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**", "file", True),
        ("**", "dir/file", True),
        ("**/", "dir/file", True),
        ("**/**", "dir/file", True),
        ("dir/**", "dir/file", True),
        ("dir/**", "dir/dir2/file", True),
        ("dir/**", "dir", False),
        ("**/dir", "dir/file", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**/dir2/**", "dir/dir2/dir2/file", True),
        ("**file", "file", True),
        ("**file", "dir/file", True),
        ("**/file", "dir/dir/file", True),
        ("**/file*", "dir/dir/file.txt", True),
        ("**/file*txt", "dir/dir/file.txt", True),
        ("**/file*.txt*", "dir/dir/file.txt", True),
        ("**/**/*.txt", "dir/dir/file.txt", True),
        ("**/**/*.txt2", "dir/dir/file.txt", False),
        ("**/*.txt", "file.txt", True),
        ("**/a.txt", "file.txt", False),
        ("a[b-d]e", "ae", False),
        ("a[b-d]e", "ace", True),
        ("abc.def", "abcdef", False),
        ("abc.def", "abcZdef", False),
        ("a(b)c/def", "a(b)c/def", True),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
        ("dist/proxy.py-2.4.0", "dist/proxy.py-2.4.0rc3", False),
        ("foo", "foo/bar/baz", True),
        ("fo*", "x/foo", False),
        ("*/f", "d/f", True),
        ("*/f", "f", False),
        ("x**y", "xy", True),
        ("x**y", "x/d/y", True),
        ("x**y", "x1y", False),
        ("abc**", "abcd/e", True),
        ("./one", "one", True),
        ("a/../b/", "b", True),
    ],
)
def test_list(pattern: str, path: str, expected: bool) -> None:
    assert PatternList.parse([pattern]).matches(path) is expected
    assert PatternList.parse([pattern, "!nothing"]).matches(path) is expected


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (["**/*", "!util/docker/web"], "util/docker/web/foo", False),
        (["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", True),
        (["*", "!a"], "a/f", False),
        (["*", "!a", "a/b"], "a/b/c", True),
        (["a", "!a/b", "a/b/c", "!a/b/c/d"], "a/b/c/d", False),
        (["a", "!a/b", "a/b/c", "!a/b/c/d"], "a/b/c/e", True),
        (["!a", "a"], "a", True),
        (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
        (["*.md", "!README*.md", "README-secret.md"], "README.md", False),
    ],
)
def test_last_match_decides(patterns: list[str], path: str, expected: bool) -> None:
    assert PatternList.parse(patterns).matches(path) is expected


def test_ignorefile_lines() -> None:
    found = ignore("\ufeff# no\n /a/ \r\n\n  #name\n!  /b\n./c/../d\n")
    assert [(p.negated, p.text) for p in found.patterns] == [
        (False, "a"),
        (False, "#name"),
        (True, "b"),
        (False, "d"),
    ]


@pytest.mark.parametrize(("text", "line"), [("a\n!\n", 2), ("a\nb\n [x\n", 3), ("!\\", 1)])
def test_ignorefile_errors_have_a_place(text: str, line: int) -> None:
    with pytest.raises(DockerfileError) as caught:
        ignore(text)
    assert caught.value.span is not None
    assert caught.value.span.line == line


@pytest.mark.parametrize(
    ("pattern", "directory", "expected"),
    [
        ("!a/b", "a", True),
        ("!a/b", "a/b", False),
        ("!a/b", "b", False),
        ("!*/x", "foo", True),
        ("!*/x", "foo/x", False),
        ("!**/x", "any/where", True),
        ("!a/**", "a/b/c", True),
        ("!a/**", "b", False),
        ("a/b", "a", False),
    ],
)
def test_may_match_below(pattern: str, directory: str, expected: bool) -> None:
    found = PatternList.parse([pattern])
    assert found.may_match_below(directory, negated=True) is expected
