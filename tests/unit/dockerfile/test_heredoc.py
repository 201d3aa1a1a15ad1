"""Here-documents (checklist section H)."""

from __future__ import annotations

import pytest

from jettison.dockerfile.heredoc import Opener, Script, opener, script
from jettison.dockerfile.instructions import Copy, Heredoc, Onbuild, Run
from jettison.dockerfile.lexer import ExpansionError
from jettison.dockerfile.parser import parse_ast
from tests.unit.dockerfile.common import failure, only, place


def bodies(text: str) -> list[tuple[str, str]]:
    return [(each.name, each.raw) for each in parse_ast(text, "Dockerfile").nodes[0].heredocs]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("<<EOF", Opener("EOF", expand=True, chomp=False, descriptor=0)),
        ("<<-EOF", Opener("EOF", expand=True, chomp=True, descriptor=0)),
        ("3<<EOF", Opener("EOF", expand=True, chomp=False, descriptor=3)),
        ("<<'EOF'", Opener("EOF", expand=False, chomp=False, descriptor=0)),
        ('<<E"O"F', Opener("EOF", expand=False, chomp=False, descriptor=0)),
        ("<<'a b'", Opener("a b", expand=False, chomp=False, descriptor=0)),
        (r"<<it\'s", Opener("it's", expand=True, chomp=False, descriptor=0)),
        (r"<<'it'\''s'", Opener("it's", expand=False, chomp=False, descriptor=0)),
        ("<<$x", Opener("$x", expand=True, chomp=False, descriptor=0)),
        ("<<${x:-y}", Opener("${x:-y}", expand=True, chomp=False, descriptor=0)),
        ("<<  EOF", Opener("EOF", expand=True, chomp=False, descriptor=0)),
        ("<<- EOF", Opener("EOF", expand=True, chomp=True, descriptor=0)),
        ("<<", None),
        ("<<-", None),
        ("<<''", None),
        ("<<<EOF", None),
        ("<<A<B", None),
        ("x<<EOF", None),
        ("<EOF", None),
        ("<<a b", None),
    ],
)
def test_openers(word: str, expected: Opener | None) -> None:
    assert opener(word) == expected


def test_a_name_with_an_open_quote() -> None:
    with pytest.raises(ExpansionError):
        opener("<<'EOF")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN <<A\na\nA\n", [("A", "a\n")]),
        ("RUN <<A\nA", [("A", "")]),
        ("RUN << A\nA", [("A", "")]),
        ("RUN <<A\nA \n A\nA\n", [("A", "A \n A\n")]),
        ("RUN <<-A\n\ta\n\t\tA\n", [("A", "\ta\n")]),
        ("RUN <<A\n\tA\nA\n", [("A", "\tA\n")]),
        ("RUN <<'A B'\nx\nA B\n", [("A B", "x\n")]),
        # in order of their appearance, one after the other
        ("RUN a <<A b 3<<B\n1\nA\n2\nB\n", [("A", "1\n"), ("B", "2\n")]),
        ("COPY <<A <<A /d\n1\nA\n2\nA\n", [("A", "1\n"), ("A", "2\n")]),
        # bodies are verbatim
        ("RUN <<A\n# c\n\nx \\\ny\n<<B\nA\n", [("A", "# c\n\nx \\\ny\n<<B\n")]),
        ("RUN <<A\r\nx\r\nA\r\n", [("A", "x\r\n")]),
        # the line may be continued; the body comes after all of it
        ("RUN a <<A \\\n b\nx\nA\n", [("A", "x\n")]),
        ("ADD <<A /d\nA\n", [("A", "")]),
        ("onbuild run <<A\nx\nA\n", [("A", "x\n")]),
        ("RUN --mount=type=tmpfs,target=/t <<A\nx\nA\n", [("A", "x\n")]),
        ("RUN a;<<A\n", []),
        ("RUN cat<<A\n", []),
        ("RUN (cat) <<A\nA\n", [("A", "")]),
        # none of these
        ('RUN "<<A"\n', []),
        ("RUN '<<A' \\<<A\n", []),
        ("RUN a <<<A\n", []),
        ('RUN ["<<A"]\n', []),
        ("RUN it's <<A\n", []),
        ("USER <<A\n", []),
        ("CMD cat <<A\n", []),
        ("ONBUILD CMD <<A\n", []),
        ("RUN a << \n", []),
    ],
)
def test_bodies(text: str, expected: list[tuple[str, str]]) -> None:
    assert bodies(text) == expected


def test_fields_of_a_heredoc() -> None:
    run = only(Run, "RUN 4<<-'A' cat\n\t\tx\n\t\n  y\n\tA")
    (heredoc,) = run.command.heredocs
    assert heredoc == Heredoc(
        "A", "x\n\n  y\n", expand=False, chomp=True, descriptor=4, raw="\t\tx\n\t\n  y\n", line=3
    )
    assert (run.span.line, run.span.end_line) == (2, 6)
    assert run.text == "RUN 4<<-'A' cat"


def test_unterminated() -> None:
    error = failure("FROM a\nRUN cat \\\n <<EOF\nx\nEOF \n")
    assert "unterminated heredoc" in error.message
    assert "line 2" in error.message
    assert place(error) == (3, 2)


def test_unreadable_name() -> None:
    error = failure("FROM a\nRUN <<\\'A\nx\n")
    assert "unterminated heredoc" in error.message
    assert place(error) == (2, 5)


class TestCopies:
    def test_sources(self) -> None:
        copy = only(Copy, 'COPY x <<A <<-"B" /d\n$a\nA\n\tb\nB')
        assert copy.sources == ("x", "<<A", '<<-"B"')
        assert {n: (h.name, h.content, h.expand) for n, h in copy.heredocs.items()} == {
            1: ("A", "$a\n", True),
            2: ("B", "b\n", False),
        }

    def test_of_two_with_one_name_the_last_serves_both(self) -> None:
        copy = only(Copy, "COPY <<A <<A /d\n1\nA\n2\nA")
        assert [each.content for each in copy.heredocs.values()] == ["2\n", "2\n"]

    def test_json_form_has_no_body(self) -> None:
        copy = only(Copy, 'COPY ["<<A", "/d"]')
        assert [each.content for each in copy.heredocs.values()] == [""]

    def test_not_as_destination(self) -> None:
        error = failure("FROM a\nCOPY x <<A\nx\nA\n")
        assert error.message.endswith("COPY cannot accept a heredoc as a destination")
        assert place(error) == (2, 8)


class TestScripts:
    def run(self, text: str) -> Script:
        return script(only(Run, text).command)

    def test_shell_form(self) -> None:
        assert self.run("RUN a  b") == Script("a  b")
        assert self.run("RUN") == Script("")

    def test_alone_is_the_script(self) -> None:
        assert self.run("RUN <<-A\n\techo $x\n\tA") == Script("echo $x\n")

    def test_alone_with_a_shebang_is_a_program(self) -> None:
        made = self.run("RUN <<-'a b'\n\t#!/bin/x\n\ty\n\ta b")
        assert made.text == "/dev/pipes/a b"
        assert made.file is not None
        assert made.file.content == "#!/bin/x\ny\n"

    def test_beside_a_command_it_is_left_to_the_shell(self) -> None:
        made = self.run("RUN cat <<-'A' 3<<B\n\ta\n\tA\nb\nB")
        assert made == Script("cat <<-'A' 3<<B\n\ta\nA\nb\nB")

    def test_two_alone_are_left_to_the_shell(self) -> None:
        assert self.run("RUN <<A <<B\na\nA\nb\nB") == Script("<<A <<B\na\nA\nb\nB")


def test_onbuild_keeps_bodies() -> None:
    trigger = only(Onbuild, "ONBUILD RUN cat <<-'A' <<B >x \n\ta\n\tA\nb\nB")
    assert trigger.expression == "RUN cat <<-'A' <<B >x \n\ta\nA\nb\nB"
