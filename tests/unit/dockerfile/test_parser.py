"""Lines, comments, continuations, positions (checklist section P)."""

from __future__ import annotations

import pytest

from jettison.dockerfile.ast import Ast, Comment, Node
from jettison.dockerfile.parser import MAX_LINE, parse_ast
from jettison.errors import DockerfileError
from tests.unit.dockerfile.common import place


def parsed(text: str) -> Ast:
    return parse_ast(text, "Dockerfile")


def texts(text: str) -> list[str]:
    return [node.text for node in parsed(text).nodes]


def last(text: str) -> Node:
    return parsed(text).nodes[-1]


def values(node: Node) -> list[str]:
    return [word.value for word in node.words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a", ["FROM a"]),
        ("FROM a\n", ["FROM a"]),
        ("  \tFROM a  \n\n\nRUN b\n", ["FROM a", "RUN b"]),
        ("# c\nFROM a # no comment\n  # c\nRUN b", ["FROM a # no comment", "RUN b"]),
        # continuations keep the blanks of the next line
        ("RUN a \\\n  b", ["RUN a   b"]),
        ("RUN a\\\nb", ["RUN ab"]),
        ("RUN a \\ \t\nb", ["RUN a b"]),
        ("RUN a \\\n# c\n  # d\n  b", ["RUN a   b"]),
        ("RUN a \\\n\n \t\nb\nRUN c", ["RUN a b", "RUN c"]),
        ("RUN a \\\n b \\\n c", ["RUN a  b  c"]),
        ("RUN a \\", ["RUN a"]),
        ("RUN a \\\n", ["RUN a"]),
        ("RUN a \\\n# c", ["RUN a"]),
        ("\\\nRUN a", ["RUN a"]),
        ("RU\\\nN a", ["RUN a"]),
        # a doubled escape character does not continue; an odd one after that neither
        ("RUN a \\\\\nRUN b", ["RUN a \\\\", "RUN b"]),
        ("RUN a \\\\\\\nRUN b", ["RUN a \\\\\\", "RUN b"]),
        ("RUN a \\b\nRUN c", ["RUN a \\b", "RUN c"]),
        # the escape directive
        ("# escape=`\nRUN a `\n b\nRUN c:\\\nRUN d", ["RUN a  b", "RUN c:\\", "RUN d"]),
        # line ends
        ("FROM a\r\nRUN b \\\r\n c\r\n", ["FROM a", "RUN b  c"]),
        ("FROM a\rRUN b", ["FROM a\rRUN b"]),
        # white space of any script is trimmed
        ("\u3000FROM a\u00a0\n", ["FROM a"]),
        ("\ufeffFROM a", ["FROM a"]),
    ],
)
def test_joined_lines(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_lines_of_instructions() -> None:
    nodes = parsed("# c\nFROM a\n\nRUN b \\\n\n# d\n c\nCOPY <<X /\nx\nX\nUSER u").nodes
    assert [(node.name, node.span.line, node.span.end_line) for node in nodes] == [
        ("FROM", 2, 2),
        ("RUN", 4, 7),
        ("COPY", 8, 10),
        ("USER", 11, 11),
    ]


def test_positions_of_words_across_continuations() -> None:
    node = last("FROM a\n  COPY --from=b c \\\n   d \\\n# x\n\n /e\n")
    words = [node.keyword, *node.flags, *node.words]
    places = [(word.value, node.joined.span(word.offset)) for word in words]
    assert [(value, span.line, span.column) for value, span in places] == [
        ("COPY", 2, 3),
        ("--from=b", 2, 8),
        ("c", 2, 17),
        ("d", 3, 4),
        ("/e", 6, 2),
    ]


def test_positions_of_json_elements() -> None:
    node = last('FROM a\nCMD  [ "x" , "\\u0041\\"" ,\\\n "z"]')
    assert values(node) == ["x", 'A"', "z"]
    spans = [node.joined.span(word.offset) for word in node.words]
    assert [(span.line, span.column) for span in spans] == [(2, 8), (2, 14), (3, 2)]


def test_positions_inside_onbuild() -> None:
    node = last("ONBUILD \\\n COPY --from=a b c")
    assert node.child is not None
    assert values(node.child) == ["b", "c"]
    place = node.joined.span(node.child.words[0].offset)
    assert (place.line, place.column) == (2, 16)


def test_a_word_over_two_lines_stands_where_it_begins() -> None:
    node = last("ENV ab\\\ncd=e")
    assert values(node) == ["abcd=e"]
    assert node.joined.span(node.words[0].offset).line == 1


def test_comments_above_an_instruction() -> None:
    ast = parsed("# check=skip=all\n# one\n\n#  two \nFROM a\n#three\n#\n  # four\nRUN b\n# end\n")
    assert [[comment.text for comment in node.comments] for node in ast.nodes] == [
        ["one", "two"],
        ["four"],
    ]
    assert ast.comments == (
        Comment(2, "one"),
        Comment(4, "two"),
        Comment(6, "three"),
        Comment(7, ""),
        Comment(8, "four"),
        Comment(10, "end"),
    )


def test_comments_and_empty_lines_within_an_instruction() -> None:
    joined = last("RUN a \\\n # c\n\n \n b").joined
    assert joined.comments == (Comment(2, "c"),)
    assert joined.empty == (3, 4)
    assert (joined.first, joined.last) == (1, 5)


@pytest.mark.parametrize(
    "text",
    [
        "FROM a",
        "# escape=`\r\nFROM a\r\n\r\n# c\r\nRUN <<E `\r\n x\r\n\r\nE\r\n\r\n",
        "\ufeff\n\nFROM a \\\n\n# c\n b\nRUN c\\",
    ],
)
def test_every_line_is_accounted_for(text: str) -> None:
    ast = parsed(text)
    assert ("\ufeff" if ast.bom else "") + "".join(ast.lines) == text
    known = {comment.line for comment in ast.comments}
    known |= {directive.span.line for directive in ast.directives}
    for node in ast.nodes:
        known |= set(range(node.span.line, node.span.end_line + 1))
    rest = [line for number, line in enumerate(ast.lines, 1) if number not in known]
    assert all(not line.strip() for line in rest)


class TestLineLimit:
    def test_longest_line(self) -> None:
        line = "RUN " + "x" * (MAX_LINE - 4)
        assert len(last(line + "\n").text) == MAX_LINE
        assert len(last(line).text) == MAX_LINE

    @pytest.mark.parametrize("line", ["RUN " + "x" * (MAX_LINE - 3), "RUN " + "ä" * 32766])
    def test_too_long(self, line: str) -> None:
        with pytest.raises(DockerfileError) as caught:
            parsed(f"FROM a\n{line}\nRUN b")
        assert caught.value.message == "dockerfile line greater than max allowed size of 65535"
        assert place(caught.value) == (2, 1)

    def test_also_in_a_heredoc(self) -> None:
        with pytest.raises(DockerfileError) as caught:
            parsed("RUN <<E\n" + "x" * 70000 + "\nE\n")
        assert place(caught.value) == (2, 1)

    def test_an_instruction_may_be_longer(self) -> None:
        assert len(last("RUN a \\\n" + ("x" * 60000 + "\\\n") * 3).text) > 3 * 60000


@pytest.mark.parametrize("text", ["", "\n", "# c\n", "\ufeff", "# escape=`\n", " \t\r\n\n"])
def test_no_instructions(text: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parsed(text)
    assert caught.value.message == "file with no instructions"
    assert caught.value.span is not None


class TestFlags:
    @pytest.mark.parametrize(
        ("line", "flags", "rest"),
        [
            ("RUN --a --b=c d --e", ["--a", "--b=c"], ["d --e"]),
            ("RUN --a", ["--a"], []),
            ("RUN -a", [], ["-a"]),
            ("RUN --a -- --b", ["--a"], ["--b"]),
            ("RUN -- x", [], ["x"]),
            ("RUN --", [], []),
            ("RUN --a -", ["--a"], ["-"]),
            ('RUN --a="b c" d', ["--a=b c"], ["d"]),
            ("RUN --a='b \"c' d", ['--a=b "c'], ["d"]),
            (r"RUN --a=b\ c d", ["--a=b c"], ["d"]),
            (r"RUN --a='b\'c' d", ["--a=b'c"], ["d"]),
            ("RUN --a=b\\", ["--a=b"], []),
            ('RUN --a="b', ["--a=b"], []),
            ("RUN  --a\t--b  c", ["--a", "--b"], ["c"]),
            ("RUN --a=ä --b c", ["--a=Ã¤", "--b"], ["c"]),
            ('RUN "--a" b', [], ['"--a" b']),
        ],
    )
    def test_words_in_front(self, line: str, flags: list[str], rest: list[str]) -> None:
        node = last(line)
        assert [flag.value for flag in node.flags] == flags
        assert values(node) == rest


class TestWords:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            # split at blanks only
            ('FROM "a b" as\tc', ['"a', 'b"', "as", "c"]),
            ("EXPOSE 80  81\v82\f83", ["80", "81", "82", "83"]),
            ("COPY 'a b' c\\ d", ["'a", "b'", "c\\", "d"]),
            ("VOLUME a\u00a0b", ["a\u00a0b"]),
            # the rest of the line
            ("WORKDIR  /a  b ", ["/a  b"]),
            ("USER 'a b'", ["'a b'"]),
            ("STOPSIGNAL a b", ["a b"]),
            ("MAINTAINER a <b@c>", ["a <b@c>"]),
            ("WORKDIR", []),
            # name=value
            ("ENV a=b c='d e' f=\"g h\"", ["a=b", "c='d e'", 'f="g h"']),
            (r"ENV a=b\ c d=e", [r"a=b\ c", "d=e"]),
            (r"ENV a='b\' c=d", [r"a='b\'", "c=d"]),
            (r'ENV a="b\" c" d=e', [r'a="b\" c"', "d=e"]),
            ("ENV a=b\\", ["a=b"]),
            ('ENV a="b c', ['a="b c']),
            ('ENV a="b\\', ['a="b']),
            ('LABEL "a b"=c', ['"a b"=c']),
            ("LABEL a=\u3000b=c", ["a=", "b=c"]),
            ("ARG a b=c 'd e'", ["a", "b=c", "'d e'"]),
            ("ARG a\\", ["a"]),
            ("ARG \\", []),
            ("ARG ''", ["''"]),
            # JSON or not
            ('RUN ["a", "b"]', ["a", "b"]),
            ('RUN ["a" "b"]', ['["a" "b"]']),
            ("RUN ['a']", ["['a']"]),
            ('RUN ["a"] b', ['["a"] b']),
            ('RUN ["a",]', ['["a",]']),
            ("RUN [NaN]", ["[NaN]"]),
            ("RUN [", ["["]),
            ('RUN ["\\ud800"]', ["\ufffd"]),
            ('RUN ["\\ud83d\\ude00", "ä"]', ["\U0001f600", "ä"]),
            ("CMD []", []),
            ('COPY ["a b", "c"]', ["a b", "c"]),
            ('COPY ["a b" c', ['["a', 'b"', "c"]),
            ('HEALTHCHECK CMD ["a"]', ["CMD", "a"]),
            ("HEALTHCHECK CMD a  b", ["CMD", "a  b"]),
            ("HEALTHCHECK NONE", ["NONE"]),
            ("HEALTHCHECK", []),
            ("NOSUCH a b", []),
        ],
    )
    def test_of_one_instruction(self, line: str, expected: list[str]) -> None:
        assert values(last(line)) == expected

    @pytest.mark.parametrize(
        ("line", "json"),
        [("CMD []", True), ('RUN ["a"]', True), ("RUN [a]", False), ("CMD", False)],
    )
    def test_exec_form(self, line: str, json: bool) -> None:
        assert last(line).json is json

    @pytest.mark.parametrize("name", ["ENV", "LABEL"])
    def test_legacy_pairs(self, name: str) -> None:
        node = last(f"{name} a  b  'c")
        assert node.legacy
        assert values(node) == ["a", "b  'c"]

    @pytest.mark.parametrize(
        "line", ['RUN ["a", 1]', "CMD [null]", 'COPY ["a", ["b"]]', "HEALTHCHECK CMD [{}]"]
    )
    def test_arrays_of_other_things(self, line: str) -> None:
        with pytest.raises(DockerfileError) as caught:
            parsed(f"FROM a\n{line}")
        assert caught.value.message == (
            "dockerfile parse error on line 2: "
            "when using JSON array syntax, arrays must be comprised of strings only"
        )
        assert place(caught.value) == (2, line.index("[") + 1)
