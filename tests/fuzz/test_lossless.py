"""Parsing and writing loses nothing: real Dockerfiles, and odd ones, byte for byte.

$DOCKERFILES names a folder of more of them; their number is printed then.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.app.lint import LintRequest, lint, write_fixed
from jettison.dockerfile.ast import Ast
from jettison.dockerfile.parser import parse_ast
from jettison.dockerfile.text import SPACE
from jettison.errors import DockerfileError
from jettison.lint.edit import Edits, Places, apply_edits
from tests.fuzz import corpus
from tests.fuzz.strategies import generated, mutated
from tests.fuzz.trial import LINTER

ODD = {
    "crlf": b"FROM a\r\nRUN b \\\r\n  # c\r\n\r\n  d\r\nCOPY <<E /\r\nx\r\nE\r\nENV a b\r\n",
    "mixed ends": b"from a\r\nRUN b\nrun c\rd\n\r\n",
    "mark": b"\xef\xbb\xbf# escape=`\nfrom a AS B\nRUN b `\n c\n",
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf# x\nFROM a\n",
    "no last newline": b"from a\nRUN b",
    "ends in a continuation": b"from a\nRUN b \\\n",
    "ends in an escape": b"from a\nRUN b \\",
    "comments in continuations": b"FROM a\nRUN b \\ \n# c \\\n\t# d\n\n  e \\\t\n\n\n  f\nrun g\n",
    "here-documents": b"FROM a\nRUN <<-E 3<<'F' \\\n  x\n\t\ty \\\n# z\n\tE\n\xff\0\nF\nrun\n",
    "here-document at the end": b"from a\nRUN <<E\n x \nE",
    "latin-1": b"FROM a\nLABEL name=J\xf6rg\nrun echo \xe9\n# \xfc\n",
    "broken utf-8": b"from a\nENV a \xc3\nLABEL b=\xed\xa0\x80 c=\xf8\x88\nMAINTAINER \xff\n",
    "other line ends": b"from a\nRUN b\xe2\x80\xa8c\x0bd\x0ce\x1cf\xc2\x85g\nEXPOSE 80/TCP\n",
    "nul": b"FROM a\nRUN b\x00c\n\x00\nrun d\n",
    "blanks": b"\n \t\nFROM a  \n\n\n\t RUN b \t\n   \nrun c",
}


def paths() -> list[Path]:
    return [*corpus.own(), *corpus.given()]


def test_there_are_dockerfiles_of_the_repository() -> None:
    assert len(corpus.dockerfiles(corpus.ROOT / "tests")) > 100


def ast_of(text: str) -> Ast | None:
    try:
        return parse_ast(text, "Dockerfile")
    except DockerfileError:
        return None


def check_partition(text: str) -> bool:
    """Every line belongs to one instruction, comment or directive, or is blank; together they are
    the text. False if it is no Dockerfile.
    """
    ast = ast_of(text)
    if ast is None:
        return False
    owners: dict[int, str] = {}
    parts = [(node.joined.first, node.end_line, "instruction") for node in ast.nodes]
    parts += [(comment.line, comment.line, "comment") for comment in ast.comments]
    parts += [(each.span.line, each.span.line, "directive") for each in ast.directives]
    for first, last, kind in parts:
        for number in range(first, last + 1):
            assert number not in owners, f"line {number}: {owners[number]} and {kind}"
            owners[number] = kind
    for number, line in enumerate(ast.lines, 1):
        if number not in owners:
            assert not line.strip(SPACE), f"line {number} is lost: {line!r}"
    assert ("\ufeff" if ast.bom else "") + "".join(ast.lines) == text
    return True


def check_edits(raw: bytes) -> int:
    """Each mend, and the replacement of each keyword, leaves all other bytes alone; how many."""
    text = raw.decode("utf-8", "surrogateescape")
    ast = ast_of(text)
    if ast is None:
        return 0
    places = Places(ast.source)
    edits = [places.replace(node, node.keyword, "ZZ") for node in ast.nodes]
    assert all(edits), "a keyword stands where it says"
    edits += [hit.edits for hit in LINTER.lint(text, "Dockerfile").hits if hit.edits]
    mark = b"\xef\xbb\xbf" if ast.bom else b""
    for group in edits:
        after = mark + _bytes(apply_edits(ast.source.text, [group]))
        assert after == mark + _spliced(_bytes(ast.source.text), ast.source.text, group)
    return len(edits)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _spliced(raw: bytes, text: str, group: Edits) -> bytes:
    """The edits made on bytes, from the last to the first."""
    for edit in sorted(group, reverse=True):
        start, end = (len(_bytes(text[:offset])) for offset in (edit.start, edit.end))
        raw = raw[:start] + _bytes(edit.text) + raw[end:]
    return raw


def test_real_dockerfiles_are_made_of_their_parts(capsys: pytest.CaptureFixture[str]) -> None:
    parsed = [path for path in paths() if check_partition(corpus.read(path))]
    assert len(parsed) > len(corpus.own()) * 0.8
    if corpus.given():
        with capsys.disabled():
            print(f"\n{len(parsed)} of {len(paths())} texts are Dockerfiles; nothing is lost")


@pytest.mark.parametrize("name", ODD)
def test_odd_dockerfiles_are_made_of_their_parts(name: str) -> None:
    assert check_partition(ODD[name].decode("utf-8", "surrogateescape"))


def test_the_writer_changes_nothing(tmp_path: Path) -> None:
    for number, path in enumerate(paths()):
        raw = path.read_bytes()
        copy = tmp_path / f"{number}.Dockerfile"
        copy.write_bytes(raw)
        (linted,) = lint(LintRequest(path=str(copy)))
        write_fixed(linted)
        assert copy.read_bytes() == raw, path


@pytest.mark.parametrize("name", ODD)
def test_the_writer_changes_nothing_of_odd_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(ODD[name])
    (linted,) = lint(LintRequest(path=str(path)))
    write_fixed(linted)
    assert path.read_bytes() == ODD[name]


def test_one_edit_leaves_the_rest_of_real_dockerfiles(capsys: pytest.CaptureFixture[str]) -> None:
    made = sum(check_edits(path.read_bytes()) for path in paths())
    assert made > len(corpus.own())
    if corpus.given():
        with capsys.disabled():
            print(f"\n{made} edits, each alone; the rest stays")


@pytest.mark.parametrize("name", ODD)
def test_one_edit_leaves_the_rest_of_odd_ones(name: str) -> None:
    assert check_edits(ODD[name])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.one_of(generated(), mutated()))
def test_made_up_dockerfiles_are_made_of_their_parts(text: str) -> None:
    check_partition(text)
    check_edits(text.encode("utf-8", "surrogateescape"))


FIXED = {
    "crlf": ODD["crlf"].replace(b"\r\n\r\n", b"\r\n").replace(b"ENV a b", b"ENV a=b"),
    "mark": ODD["mark"].replace(b"from a AS B", b"FROM a AS b"),
    "comments in continuations": ODD["comments in continuations"]
    .replace(b"d\n\n", b"d\n")
    .replace(b"\t\n\n\n", b"\t\n")
    .replace(b"run g", b"RUN g"),
    "latin-1": ODD["latin-1"].replace(b"run", b"RUN"),
    "other line ends": ODD["other line ends"]
    .replace(b"from", b"FROM")
    .replace(b"80/TCP", b"80/tcp"),
}


@pytest.mark.parametrize("name", FIXED)
def test_fixing_changes_what_it_mends_and_no_more(name: str, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(ODD[name])
    (linted,) = lint(LintRequest(path=str(path), fix=True))
    write_fixed(linted)
    assert path.read_bytes() == FIXED[name]
