"""``jettison lint`` and ``jettison build --check``, from the command line to exit status."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jettison.cli.commands.build_call import parse_call
from jettison.cli.commands.build_check import document, text
from jettison.cli.main import run
from jettison.errors import PlanError, UsageError
from jettison.model.event import Warned
from jettison.model.span import SourceText, Span

Out = pytest.CaptureFixture[str]
DIRTY = "FROM debian:12\nENV a b\nADD x.txt /\n"
MENDED = "FROM debian:12\nENV a=b\nCOPY x.txt /\n"


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "Dockerfile").write_text(DIRTY)
    return tmp_path


def test_findings_as_text(context: Path, capfd: Out) -> None:
    assert run(["lint", "--only", "AddInsteadOfCopy"]) == 1
    assert capfd.readouterr().out == (
        "Dockerfile:3:1: warning: AddInsteadOfCopy: ADD copies plain files here, which is what COPY"
        " does\n"
        "   3 | ADD x.txt /\n"
        "     | ^\n"
        "  help: use COPY: ADD also unpacks archives and fetches addresses\n"
        "  see: jettison lint --explain AddInsteadOfCopy\n"
        "\n"
        "1 warning (1 can be mended with --fix)\n"
    )


def test_nothing_found(context: Path, capfd: Out) -> None:
    (context / "Dockerfile").write_text(MENDED)
    assert run(["lint"]) == 0
    assert capfd.readouterr().out == "no findings\n"


@pytest.mark.parametrize(
    ("text", "flags", "status"),
    [
        ("FROM debian:12\nRUN cd /app && make\n", [], 0),  # a note
        ("FROM debian:12\nRUN cd /app && make\n", ["--fail-on", "note"], 1),
        ("FROM debian\n", ["--fail-on", "error"], 0),
        ("FROM debian\n", ["--fail-on=warning"], 1),
        ("# check=error=true\nFROM debian\n", ["--fail-on", "error"], 1),
        ("FROM debian\n", ["--skip", "UnpinnedBase"], 0),
        ("FROM debian:12\n", ["--enable", "BaseWithoutDigest", "--fail-on", "note"], 1),
        ("FROM debian:12\nCOPY id_rsa /\n", ["--fail-on", "error"], 1),
        ("nonsense\n", ["--fail-on", "error"], 1),
        ("", [], 1),
    ],
)
def test_status(context: Path, text: str, flags: list[str], status: int) -> None:
    (context / "Dockerfile").write_text(text)
    assert run(["lint", *flags]) == status


@pytest.mark.parametrize(
    ("argv", "error", "hint"),
    [
        (["--only", "RootUsr"], "unknown rule 'RootUsr' for --only", "did you mean RootUser?"),
        (["--skip", "x"], "unknown rule 'x' for --skip", "jettison lint --rules lists them"),
        (["--explain", "x"], "unknown rule 'x' for --explain", None),
        (["--fail-on", "warn"], "invalid value 'warn' for --fail-on", "did you mean warning?"),
        (["--format", "xml"], "invalid value 'xml' for --format", None),
        (["--fix", "-"], "--fix cannot write to standard input", None),
        (["-f", "x", "-"], "with -, the Dockerfile is standard input: leave out -f", None),
        (["-f", "x", "Dockerfile"], "Dockerfile is a file: it cannot be combined with -f", None),
        (["https://h/x.git"], "cannot check https://h/x.git", None),
        (["-f", "-", "-f", "-", "."], "standard input can be read only once", None),
    ],
)
def test_usage(context: Path, capfd: Out, argv: list[str], error: str, hint: str | None) -> None:
    assert run(["lint", *argv]) == 2
    err = capfd.readouterr().err
    assert err.endswith(f"error: {error}\n")
    if hint is not None:
        assert f"hint: {hint}\n" in err


def test_a_path_that_is_not_there(context: Path, capfd: Out) -> None:
    assert run(["lint", "absent"]) == 1
    assert run(["lint", "-f", "absent", "."]) == 1
    assert "no such file or directory" in capfd.readouterr().err


def test_several_dockerfiles_of_one_context(context: Path, capfd: Out) -> None:
    (context / "other").mkdir()
    (context / "other" / "B.Dockerfile").write_text("FROM debian\n")
    assert run(["lint", "-f", "Dockerfile", "-f", "other/B.Dockerfile", "--format", "github"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert [line.partition(",line")[0] for line in lines] == [
        "::warning file=Dockerfile",
        "::warning file=Dockerfile",
        "::warning file=other/B.Dockerfile",
    ]


def test_a_dockerfile_as_path_has_its_directory_as_context(context: Path, capfd: Out) -> None:
    (context / "d").mkdir()
    (context / "d" / "Dockerfile").write_text("FROM debian:12\nCOPY . /srv\n")
    assert run(["lint", "d/Dockerfile", "--format", "json"]) == 1
    (finding,) = json.loads(capfd.readouterr().out)["findings"]
    assert (finding["code"], finding["file"]) == ("MissingDockerignore", "d/Dockerfile")
    (context / "d" / ".dockerignore").write_text(".git\n")
    assert run(["lint", "d"]) == 0


def test_secrets_in_the_context_are_seen_unless_ignored(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM debian:12\nCOPY . /srv\n")
    (context / ".env").write_text("")
    (context / ".dockerignore").write_text(".git\n")
    assert run(["lint", "--only", "SecretFileCopied"]) == 1
    (context / "Dockerfile.dockerignore").write_text(".env\n")
    assert run(["lint", "--only", "SecretFileCopied"]) == 0


def test_standard_input(context: Path, capfd: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = SimpleNamespace(buffer=io.BytesIO(b"FROM debian:12\nCOPY . /\nENV a b\n"))
    monkeypatch.setattr(sys, "stdin", piped)
    assert run(["lint", "-"]) == 1
    out = capfd.readouterr().out
    assert out.startswith("<stdin>:3:1: warning: LegacyKeyValueFormat")
    assert "MissingDockerignore" not in out  # the context is not known


def test_sarif(context: Path, capfd: Out) -> None:
    assert run(["lint", "--format", "sarif"]) == 1
    (log,) = json.loads(capfd.readouterr().out)["runs"]
    assert [result["ruleId"] for result in log["results"]] == [
        "LegacyKeyValueFormat",
        "AddInsteadOfCopy",
    ]
    rules = {rule["id"]: rule for rule in log["tool"]["driver"]["rules"]}
    assert rules["AddInsteadOfCopy"]["help"]["markdown"].startswith("# AddInsteadOfCopy\n")


def test_fix_mends_the_file_and_keeps_its_mode_and_links(context: Path, capfd: Out) -> None:
    path = context / "Dockerfile"
    path.rename(context / "real")
    path.symlink_to("real")
    (context / "real").chmod(0o640)
    assert run(["lint", "--fix"]) == 0
    assert capfd.readouterr().out == "no findings\n"
    assert path.is_symlink()
    assert path.read_text() == MENDED
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert sorted(os.listdir(context)) == ["Dockerfile", "real"]
    before = os.stat(path)
    assert run(["lint", "--fix"]) == 0
    assert os.stat(path).st_ino == before.st_ino  # nothing to mend: not written


def test_fix_shows_what_is_left(context: Path, capfd: Out) -> None:
    (context / "Dockerfile").write_text("FROM debian\nENV a b\n")
    assert run(["lint", "--fix"]) == 1
    assert capfd.readouterr().out.endswith("\n1 warning\n")


def test_bytes_that_are_not_utf8_stay(context: Path) -> None:
    (context / "Dockerfile").write_bytes(b"FROM debian:12\r\nENV a b\r\n# \xff\xfe\r\nRUN x")
    assert run(["lint", "--fix"]) == 0
    mended = b"FROM debian:12\r\nENV a=b\r\n# \xff\xfe\r\nRUN x"
    assert (context / "Dockerfile").read_bytes() == mended


def test_diff_writes_nothing_and_can_be_applied(context: Path, capfd: Out) -> None:
    (context / "Dockerfile").write_text(DIRTY + "CMD x")
    assert run(["lint", "--diff"]) == 1
    shown = capfd.readouterr().out
    assert (context / "Dockerfile").read_text() == DIRTY + "CMD x"
    assert shown.startswith("--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,4 +1,4 @@\n")
    patch = ["git", "apply", "--unsafe-paths", "-"]
    subprocess.run(patch, input=shown, text=True, cwd=context, check=True)
    assert (context / "Dockerfile").read_text() == MENDED + 'CMD ["x"]'
    assert run(["lint", "--diff"]) == 0
    assert capfd.readouterr().out == ""


def test_rules_and_explanations(capfd: Out) -> None:
    assert run(["lint", "--rules"]) == 0
    assert "[RootUser](root-user.md)" in capfd.readouterr().out
    assert run(["lint", "--explain", "RootUser"]) == 0
    assert capfd.readouterr().out.startswith("# RootUser\n")


SOURCE = SourceText("Dockerfile", "FROM a\nENV a b\n")
WARNING = Warned("LegacyKeyValueFormat", "m", Span(SOURCE, 2, 1, 2), "https://h/x", "why")


def test_checks_are_told_as_buildx_tells_them() -> None:
    assert text([]) == "Check complete, no warnings found.\n"
    assert text([WARNING]) == (
        "Check complete, 1 warning has been found!\n"
        "\n"
        "WARNING: LegacyKeyValueFormat - https://h/x\n"
        "m\n"
        "Dockerfile:2\n"
        "--------------------\n"
        "   1 |     FROM a\n"
        "   2 | >>> ENV a b\n"
        "     |     ^\n"
        "--------------------\n"
    )
    assert text([WARNING, WARNING]).startswith("Check complete, 2 warnings have been found!\n")


def test_checks_as_json() -> None:
    assert document([WARNING]) == {
        "warnings": [
            {
                "ruleName": "LegacyKeyValueFormat",
                "description": "why",
                "url": "https://h/x",
                "detail": "m",
                "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
            }
        ],
        "sources": [
            {"filename": "Dockerfile", "language": "Dockerfile", "data": "RlJPTSBhCkVOViBhIGIK"}
        ],
    }
    failed = document([], PlanError("no", span=Span(SOURCE, 1)))
    assert failed["buildError"] == {
        "message": "no",
        "location": {"ranges": [{"start": {"line": 1}, "end": {"line": 1}}]},
    }


@pytest.mark.parametrize(
    ("call", "shown"),
    [("check", "text"), ("lint", "text"), ("check,format=json", "json"), ("targets", "text")],
)
def test_call(call: str, shown: str) -> None:
    assert parse_call(call)[1] == shown


@pytest.mark.parametrize("call", ["outlines", "check,x=y", "check,format=xml", "build,format=json"])
def test_call_refuses_the_rest(call: str) -> None:
    with pytest.raises(UsageError):
        parse_call(call)


@pytest.mark.root
def test_check_builds_nothing(context: Path, capfd: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETTISON_ROOT", str(context / "store"))
    (context / "Dockerfile").write_text("FROM scratch AS a\nENV a b\nFROM scratch\nCOPY no /\n")
    assert run(["build", "--check", "."]) == 1
    out, err = capfd.readouterr()
    assert out.startswith("Check complete, 1 warning has been found!\n\nWARNING: LegacyKey")
    assert err == ""
    assert run(["build", "--call", "check,format=json", "."]) == 1
    (warning,) = json.loads(capfd.readouterr().out)["warnings"]
    assert warning["location"]["ranges"] == [{"start": {"line": 2}, "end": {"line": 2}}]
    (context / "Dockerfile").write_text("# check=error=true\nFROM scratch\nENV a b\n")
    assert run(["build", "--check", "."]) == 1
    out, err = capfd.readouterr()
    assert "WARNING: LegacyKeyValueFormat" in out
    assert err.endswith("error: lint violation found for rules: LegacyKeyValueFormat\n")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY no /\n")
    assert run(["build", "--call=check", "."]) == 0
    assert capfd.readouterr().out == "Check complete, no warnings found.\n"
