"""Typed instructions: what each says, and what it refuses."""

from __future__ import annotations

import pytest

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.parse import parse
from tests.unit.dockerfile.common import failure, only, place

SECOND = 1_000_000_000


class TestFrom:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("FROM a", ("a", None, None, None)),
            ("from a:1@sha256:00", ("a:1@sha256:00", None, None, None)),
            ("FROM a AS b", ("a", "b", "b", None)),
            ("FROM a aS Build-1_x.y", ("a", "build-1_x.y", "Build-1_x.y", None)),
            ("FROM --platform=$P a", ("a", None, None, "$P")),
            ("FROM --platform= a", ("a", None, None, "")),
            ("FROM $a-${b:-c}", ("$a-${b:-c}", None, None, None)),
        ],
    )
    def test_forms(self, line: str, expected: tuple[str | None, ...]) -> None:
        base = parse(line, "Dockerfile").stages[0].base
        assert (base.image, base.name, base.raw_name, base.platform) == expected

    def test_stages(self) -> None:
        typed = parse("ARG a\nARG b\nFROM x\nRUN a\nARG c\nFROM y AS Z\nRUN b\nRUN c", "Dockerfile")
        assert [arg.values[0].key for arg in typed.global_args] == ["a", "b"]
        assert [(stage.index, stage.name) for stage in typed.stages] == [(0, None), (1, "z")]
        assert [[each.text for each in stage.instructions] for stage in typed.stages] == [
            ["RUN a", "ARG c"],
            ["RUN b", "RUN c"],
        ]


class TestPairs:
    def test_env(self) -> None:
        env = only(ins.Env, "ENV a=b 'c d'=\"e f\" g= h=i=j")
        assert [(pair.key, pair.value) for pair in env.values] == [
            ("a", "b"),
            ("'c d'", '"e f"'),
            ("g", ""),
            ("h", "i=j"),
        ]
        assert not any(pair.legacy for pair in env.values)

    def test_legacy(self) -> None:
        env = only(ins.Env, "ENV a   b = c")
        assert env.values == (ins.KeyValue("a", "b = c", legacy=True),)

    def test_label(self) -> None:
        label = only(ins.Label, 'LABEL a.b="c" d=e')
        assert label.values == (ins.KeyValue("a.b", '"c"'), ins.KeyValue("d", "e"))

    def test_arg(self) -> None:
        arg = only(ins.Arg, "ARG a b= c='d e' f=g=h")
        assert arg.values == (
            ins.ArgValue("a", None),
            ins.ArgValue("b", ""),
            ins.ArgValue("c", "'d e'"),
            ins.ArgValue("f", "g=h"),
        )


class TestCommands:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('RUN echo "$x"  y', ins.ShellWords(words=('echo "$x"  y',), shell=True)),
            ('RUN ["a", "$b"]', ins.ShellWords(words=("a", "$b"), shell=False)),
            ("RUN ['a']", ins.ShellWords(words=("['a']",), shell=True)),
            ("RUN", ins.ShellWords(words=("",), shell=True)),
            ("RUN []", ins.ShellWords(words=(), shell=False)),
        ],
    )
    def test_forms(self, line: str, expected: ins.ShellWords) -> None:
        assert only(ins.Run, line).command == expected
        assert only(ins.Cmd, line.replace("RUN", "CMD")).command == expected
        assert only(ins.Entrypoint, line.replace("RUN", "ENTRYPOINT")).command == expected

    def test_text(self) -> None:
        assert only(ins.Run, "run  a \\\n  b  ").text == "run  a   b"

    def test_run_flags(self) -> None:
        run = only(ins.Run, "RUN --network=none --security=insecure x")
        assert (run.network, run.security, run.mounts) == ("none", "insecure", ())
        assert only(ins.Run, "RUN x").network is None

    def test_flags_after_the_command_belong_to_it(self) -> None:
        assert only(ins.Run, "RUN x --network=none").command.words == ("x --network=none",)

    def test_mounts(self) -> None:
        run = only(ins.Run, "RUN --mount=type=cache,target=/a --mount=from=b,dst=$c x")
        assert run.mounts == (
            ins.Mount(type="cache", target="/a"),
            ins.Mount(from_="b", target="$c"),
        )
        assert run.mount_texts == ("type=cache,target=/a", "from=b,dst=$c")

    def test_shell(self) -> None:
        assert only(ins.Shell, 'SHELL ["/bin/a", "-c"]').words == ("/bin/a", "-c")


class TestCopies:
    def test_copy(self) -> None:
        copy = only(
            ins.Copy,
            "COPY --from=Build --chown=a:$b --chmod=0644 --link --parents=TRUE "
            "--exclude=*.o --exclude=x a b /d/",
        )
        assert (copy.add, copy.sources, copy.dest) == (False, ("a", "b"), "/d/")
        assert (copy.from_, copy.chown, copy.chmod) == ("Build", "a:$b", "0644")
        assert (copy.link, copy.parents, copy.exclude) == (True, True, ("*.o", "x"))

    def test_defaults(self) -> None:
        copy = only(ins.Copy, "COPY a b")
        assert (copy.from_, copy.chown, copy.chmod, copy.checksum) == (None, None, None, None)
        assert (copy.link, copy.parents, copy.exclude, copy.heredocs) == (False, False, (), {})
        assert (copy.keep_git_dir, copy.unpack) == (None, None)

    def test_add(self) -> None:
        add = only(
            ins.Copy, "ADD --keep-git-dir --unpack=False --checksum=sha256:1 --link=false a b"
        )
        assert (add.add, add.keep_git_dir, add.unpack, add.link) == (True, True, False, False)
        assert add.checksum == "sha256:1"

    def test_json(self) -> None:
        copy = only(ins.Copy, 'COPY ["a b", "", "/c d"]')
        assert (copy.sources, copy.dest) == (("a b", ""), "/c d")


class TestOthers:
    def test_rest_of_the_line(self) -> None:
        assert only(ins.Workdir, "WORKDIR  /a  $b ").path == "/a  $b"
        assert only(ins.User, "USER a:b").user == "a:b"
        assert only(ins.StopSignal, "STOPSIGNAL $s").signal == "$s"
        # BuildKit looks at no flags of these two.
        assert only(ins.StopSignal, "STOPSIGNAL --a 9").signal == "9"
        assert [value.key for value in only(ins.Arg, "ARG --a b").values] == ["b"]
        assert only(ins.Maintainer, "MAINTAINER Me <me@x>").name == "Me <me@x>"

    def test_expose_is_sorted(self) -> None:
        assert only(ins.Expose, "EXPOSE 9 80/udp $p 1-2").ports == ("$p", "1-2", "80/udp", "9")

    def test_volume(self) -> None:
        assert only(ins.Volume, "VOLUME /a $b").paths == ("/a", "$b")
        assert only(ins.Volume, 'VOLUME [" /a b "]').paths == ("/a b",)

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("ONBUILD RUN a", "RUN a"),
            ("onbuild   copy a \\\n  b", "copy a   b"),
            ('ONBUILD CMD ["a"]', 'CMD ["a"]'),
            ("ONBUILD NOSUCH a --b", "NOSUCH a --b"),
            ("ONBUILD COPY a", "COPY a"),
            ("ONBUILD RUN --nosuch a", "RUN --nosuch a"),
        ],
    )
    def test_onbuild_keeps_the_text(self, line: str, expected: str) -> None:
        assert only(ins.Onbuild, line).expression == expected

    def test_node(self) -> None:
        run = only(ins.Run, "# why\nrUn a")
        assert run.node is not None
        assert run.node.keyword.value == "rUn"
        assert [comment.text for comment in run.node.comments] == ["why"]


class TestHealthcheck:
    def test_none(self) -> None:
        assert only(ins.Healthcheck, "HEALTHCHECK --interval=5s none").test == ("NONE",)
        assert only(ins.Healthcheck, "HEALTHCHECK --interval=5s NONE").interval == 0

    def test_command(self) -> None:
        check = only(
            ins.Healthcheck,
            "HEALTHCHECK --interval=1m --timeout=1.5s --start-period=0 --start-interval=1ms "
            "--retries=3 cmd curl  -f x",
        )
        assert check.test == ("CMD-SHELL", "curl  -f x")
        assert (check.interval, check.timeout) == (60 * SECOND, 3 * SECOND // 2)
        assert (check.start_period, check.start_interval, check.retries) == (0, SECOND // 1000, 3)

    def test_exec_form(self) -> None:
        assert only(ins.Healthcheck, 'HEALTHCHECK CMD ["a", "b"]').test == ("CMD", "a", "b")

    def test_empty_options_are_none(self) -> None:
        check = only(ins.Healthcheck, "HEALTHCHECK --interval= --retries= CMD x")
        assert (check.interval, check.retries) == (0, 0)


@pytest.mark.parametrize(
    ("line", "message", "column"),
    [
        ("FRMO a", "unknown instruction: FRMO (did you mean FROM?)", 1),
        ("lable a=b", "unknown instruction: lable (did you mean label?)", 1),
        ("  APT-GET x", "unknown instruction: APT-GET", 3),
        ("\\\n\n", "unknown instruction: ", 1),
        # counts of words
        ("FROM", "FROM requires either one or three arguments", 1),
        ("FROM a b", "FROM requires either one or three arguments", 8),
        ("FROM a of b", "FROM requires either one or three arguments", 8),
        ("FROM a AS b c", "FROM requires either one or three arguments", 8),
        ("ENV", "ENV requires at least one argument", 1),
        ("LABEL", "LABEL requires at least one argument", 1),
        ("ARG", "ARG requires at least one argument", 1),
        ("EXPOSE", "EXPOSE requires at least one argument", 1),
        ("VOLUME", "VOLUME requires at least one argument", 1),
        ("VOLUME []", "VOLUME requires at least one argument", 1),
        ("ONBUILD", "ONBUILD requires at least one argument", 1),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument", 1),
        ("SHELL", "SHELL requires at least one argument", 1),
        ("SHELL []", "SHELL requires at least one argument", 1),
        ("WORKDIR", "WORKDIR requires exactly one argument", 1),
        ("USER ", "USER requires exactly one argument", 1),
        ("STOPSIGNAL", "STOPSIGNAL requires exactly one argument", 1),
        ("MAINTAINER", "MAINTAINER requires exactly one argument", 1),
        (
            "COPY a",
            "COPY requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
            6,
        ),
        (
            'ADD ["a"]',
            "ADD requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
            6,
        ),
        # words
        (
            "FROM a AS 1b",
            'invalid name for build stage: "1b", '
            "name can't start with a number or contain symbols",
            11,
        ),
        (
            "FROM a AS $b",
            'invalid name for build stage: "$b", '
            "name can't start with a number or contain symbols",
            11,
        ),
        ("ENV a", "ENV must have two arguments", 5),
        (
            "ENV a=b c",
            'Syntax error - can\'t find = in "c". Must be of the form: name=value',
            9,
        ),
        ("ENV a=b =c", "ENV names can not be blank", 9),
        ("LABEL =c", "LABEL names can not be blank", 7),
        ("ARG a =b", "ARG names can not be blank", 7),
        ('VOLUME ["/a", " "]', "VOLUME specified can not be an empty string", 15),
        ("SHELL /bin/sh -c", "SHELL requires the arguments to be in JSON form", 7),
        ("ONBUILD ONBUILD RUN a", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", 9),
        ("ONBUILD from a", "FROM isn't allowed as an ONBUILD trigger", 9),
        ("ONBUILD MAINTAINER a", "MAINTAINER isn't allowed as an ONBUILD trigger", 9),
        ("ONBUILD ENV a", "ENV must have two arguments", 13),
        ("HEALTHCHECK FOO x", 'Unknown type "FOO" in HEALTHCHECK (try CMD)', 13),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD", 13),
        ("HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD", 13),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments", 18),
        # flags
        ("RUN --moutn=x y", "unknown flag: --moutn (did you mean mount?)", 5),
        ("RUN --MOUNT=x y", "unknown flag: --MOUNT", 5),
        ("COPY --link a b --from=x", None, 0),
        ("COPY --checksum=a b c", "unknown flag: --checksum", 6),
        ("ADD --from=a b c", "unknown flag: --from", 5),
        ("FROM --platfrom=a b", "unknown flag: --platfrom (did you mean platform?)", 6),
        ("CMD --a", "unknown flag: --a", 5),
        ("ENTRYPOINT --a b", "unknown flag: --a", 12),
        ("USER --a b", "unknown flag: --a", 6),
        ("ENV --a b=c", "unknown flag: --a", 5),
        ("EXPOSE --a 80", "unknown flag: --a", 8),
        ("VOLUME --a /b", "unknown flag: --a", 8),
        ("LABEL --a b=c", "unknown flag: --a", 7),
        ('SHELL --a ["b"]', "unknown flag: --a", 7),
        ("WORKDIR --a /b", "unknown flag: --a", 9),
        ("MAINTAINER --a b", "unknown flag: --a", 12),
        ("ONBUILD --a RUN b", "unknown flag: --a", 9),
        ("COPY --chown a b", "missing a value on flag: --chown", 6),
        ("COPY --exclude a b", "missing a value on flag: --exclude", 6),
        ("COPY --link= a b", "missing a value on flag: --link", 6),
        ("COPY --chown=a --chown=b c d", "duplicate flag specified: --chown", 16),
        ("COPY --link --link a b", "duplicate flag specified: --link", 13),
        ("COPY --link=1 a b", "expecting boolean value for flag --link, not: 1", 6),
        ("RUN --network=bridge a", 'invalid network mode "bridge"', 5),
        ("RUN --network= a", 'invalid network mode ""', 5),
        ("RUN --security=none a", 'security "none" is not valid', 5),
        ("RUN --device=a b", "RUN --device is not supported", 5),
        # values of flags
        ("HEALTHCHECK --interval=5 CMD x", "missing unit in duration '5' (--interval)", 13),
        ("HEALTHCHECK --timeout=1us CMD x", 'Interval "timeout" cannot be less than 1ms', 13),
        ("HEALTHCHECK --timeout=-1s CMD x", 'Interval "timeout" cannot be less than 1ms', 13),
        ("HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)", 13),
        ("HEALTHCHECK --retries=a CMD x", 'invalid value for --retries: "a"', 13),
        ("HEALTHCHECK --retries=2147483648 CMD x", 'invalid value for --retries: "2147483648"', 13),
        (
            "RUN --mount=typ=tmpfs,target=/a b",
            "unexpected key 'typ' in 'typ=tmpfs' (did you mean type?)",
            5,
        ),
        (
            "RUN --mount=type=tmp,target=/a b",
            'unsupported mount type "tmp" (did you mean tmpfs?)',
            5,
        ),
        (
            "RUN --mount=from=$a,target=/a b",
            "'from' doesn't support variable expansion, define alias stage instead",
            5,
        ),
    ],
)
def test_refused(line: str, message: str | None, column: int) -> None:
    if message is None:
        parse(f"FROM a\n{line}", "Dockerfile")
        return
    error = failure(f"FROM a\n{line}")
    assert error.message == f"dockerfile parse error on line 2: {message}"
    assert place(error) == (2, column)


def test_the_message_names_the_first_line_and_the_span_the_word() -> None:
    error = failure("FROM a\nENV a=b \\\n  c=d \\\n   e\n")
    assert error.message.startswith("dockerfile parse error on line 2: ")
    assert place(error) == (4, 4)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("RUN a\nFROM b", "no build stage in current context", 1),
        ("ARG a\nENV b=c\nFROM b", "no build stage in current context", 2),
        ("ARG a\n# c\nARG b", "dockerfile contains no stages to build", 3),
    ],
)
def test_structure(text: str, message: str, line: int) -> None:
    error = failure(text)
    assert message in error.message
    assert place(error)[0] == line


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("RUN --moutn=x y", "RUN takes --device, --mount, --network, --security"),
        ("USER --x y", "USER takes no flags"),
        ("apt-get install", "to continue the instruction above"),
        ("COPY --from a b /c", "write --from=value"),
        ("SHELL sh -c", 'write SHELL ["/bin/sh", "-c"]'),
    ],
)
def test_hints(line: str, hint: str) -> None:
    found = failure(f"FROM a\n{line}").hint
    assert found is not None and hint in found
