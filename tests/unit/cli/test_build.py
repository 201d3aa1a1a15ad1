"""jettison build: the command line -> the request, and what is printed."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest

from jettison.app.request import BuildRequest, BuildResult, Output, SecretSpec, SshSpec
from jettison.cli.commands.build_flags import IDLE_SWITCHES, REFUSED, REFUSED_SWITCHES
from jettison.cli.main import run
from jettison.errors import DockerfileError
from jettison.model.digest import sha256_digest
from jettison.model.event import Observer, StepFinished, StepStarted
from jettison.model.span import SourceText, Span

MANIFEST = sha256_digest(b"manifest")
IMAGE_ID = sha256_digest(b"config")


class Builder:
    """Stands where jettison.app.build does, and keeps the request."""

    def __init__(self) -> None:
        self.request: BuildRequest | None = None
        self.threads: int | None = None
        self.act: Callable[[BuildRequest, Observer], None] = lambda request, observer: None

    def build(
        self,
        request: BuildRequest,
        observer: Observer,
        *,
        environ: Mapping[str, str],
        cancel: threading.Event,
        on_failure: object = None,
    ) -> BuildResult:
        self.request = request
        self.threads = threading.active_count()
        self.act(request, observer)
        return BuildResult(digest=MANIFEST, image_id=IMAGE_ID, names=(), metadata={})


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    found = Builder()
    monkeypatch.setitem(sys.modules, "jettison.app.build", SimpleNamespace(build=found.build))
    monkeypatch.delenv("BUILDKIT_PROGRESS", raising=False)
    return found


def request_of(builder: Builder, *args: str) -> BuildRequest:
    assert run(["build", *args]) == 0
    assert builder.request is not None
    return builder.request


def test_a_bare_build_asks_for_nothing_special(builder: Builder) -> None:
    assert request_of(builder, ".") == BuildRequest(context=".")


def test_the_epoch_of_the_environment_is_passed_on_unless_given(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    assert request_of(builder, ".").build_args == {"SOURCE_DATE_EPOCH": "7"}
    given = request_of(builder, "--build-arg", "SOURCE_DATE_EPOCH=9", ".")
    assert given.build_args == {"SOURCE_DATE_EPOCH": "9"}


def test_every_flag_reaches_the_request(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_ENV", "e")
    monkeypatch.delenv("ABSENT", raising=False)
    line = """-f d/Dockerfile -t a:1 --tag b --build-arg X=1 --build-arg FROM_ENV
    --build-arg ABSENT --target prod --platform linux/amd64,linux/arm64 --secret id=s,src=/s
    --ssh default --ssh git=/a.sock -o type=oci,dest=o.tar --output dir --label l=1
    --annotation index:a=b --build-context n=docker-image://x --no-cache-filter s1,s2 --pull
    --network none --allow security.insecure --add-host h:1.2.3.4 --shm-size 64m
    --ulimit nofile=1:2 --cgroup-parent /p --host-ca --iidfile i --metadata-file m ctx"""
    request = request_of(builder, *line.split())
    assert request.dockerfile == "d/Dockerfile"
    assert request.context == "ctx"
    assert request.tags == ("a:1", "b")
    assert request.build_args == {"X": "1", "FROM_ENV": "e"}
    assert request.target == "prod"
    assert [str(p) for p in request.platforms] == ["linux/amd64", "linux/arm64"]
    assert request.secrets == (SecretSpec("s", "/s"),)
    assert request.ssh == (SshSpec(), SshSpec("git", ("/a.sock",)))
    assert request.outputs == (Output("oci", "o.tar"), Output("local", "dir"))
    assert request.labels == {"l": "1"}
    assert request.annotations == {"index:a": "b"}
    assert request.build_contexts == {"n": "docker-image://x"}
    assert request.no_cache == ("s1", "s2")
    assert request.pull
    assert request.network == "none"
    assert request.allow == frozenset({"security.insecure"})
    assert request.add_hosts == (("h", "1.2.3.4"),)
    assert request.shm_size == 64 << 20
    assert [(u.name, u.soft, u.hard) for u in request.ulimits] == [("nofile", 1, 2)]
    assert request.cgroup_parent == "/p"
    assert request.host_ca
    assert (request.iidfile, request.metadata_file) == ("i", "m")


def test_flags_may_follow_the_context(builder: Builder) -> None:
    request = request_of(builder, ".", "-t=a", "--pull=false", "--no-cache=true")
    assert (request.tags, request.pull, request.no_cache) == (("a",), False, ())


def test_network_host_permits_itself(builder: Builder) -> None:
    request = request_of(builder, "--network", "host", ".")
    assert (request.network, request.allow) == ("host", frozenset({"network.host"}))


@pytest.mark.parametrize(
    ("line", "outputs"),
    [
        ("--push -t r/x .", (Output("registry"),)),
        ("--load .", (Output("image"),)),
        ("--push --load -t r/x .", (Output("image", None, {}), Output("registry"))),
        ("--push -t r/x -o type=image .", (Output("image", None, {"push": "true"}),)),
        ("--push -o type=registry,name=r/x .", (Output("registry", None, {"name": "r/x"}),)),
        ("--push -t r/x -o out .", (Output("local", "out"), Output("registry"))),
    ],
)
def test_push_and_load_are_outputs(
    builder: Builder, line: str, outputs: tuple[Output, ...]
) -> None:
    found = request_of(builder, *line.split()).outputs
    assert sorted(found, key=str) == sorted(outputs, key=str)


def test_standard_input_is_handed_over_only_when_it_is_read(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"FROM scratch")))
    assert request_of(builder, "-").stdin is not None
    stdin = request_of(builder, "-f", "-", ".").stdin
    assert stdin is not None
    assert stdin.read() == b"FROM scratch"
    assert request_of(builder, ".").stdin is None


def test_quiet_prints_the_image_id_only(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    builder.act = lambda request, observer: observer.emit(StepStarted("a", "a", 0.0))
    assert run(["build", "-q", "."]) == 0
    assert capfd.readouterr() == (f"{IMAGE_ID}\n", "")


def test_progress_goes_to_standard_error_and_nothing_to_standard_output(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    def act(request: BuildRequest, observer: Observer) -> None:
        observer.emit(StepFinished("a", "[1/1] FROM x", 0.0, cached=True))

    builder.act = act
    assert run(["build", "."]) == 0
    assert capfd.readouterr() == ("", "#1 [1/1] FROM x\n#1 CACHED\n")


def test_progress_from_the_environment(
    builder: Builder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    builder.act = lambda request, observer: observer.emit(StepStarted("a", "n", 0.0))
    monkeypatch.setenv("BUILDKIT_PROGRESS", "rawjson")
    assert run(["build", "."]) == 0
    assert json.loads(capfd.readouterr().err)["vertexes"][0]["name"] == "n"
    monkeypatch.setenv("BUILDKIT_PROGRESS", "palin")
    assert run(["build", "."]) == 2
    assert "did you mean plain?" in capfd.readouterr().err
    assert run(["build", "--progress", "plain", "."]) == 0


def test_an_image_for_standard_output_goes_there(
    builder: Builder, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def act(request: BuildRequest, observer: Observer) -> None:
        assert request.stdout is not None
        request.stdout.write(b"\xfftar")

    builder.act = act
    assert run(["build", "-q", "-o", "-", "."]) == 0
    assert capfdbinary.readouterr().out == b"\xfftar"


def test_no_thread_runs_before_the_builder_has_entered_its_namespaces(builder: Builder) -> None:
    before = threading.active_count()
    for mode in ("plain", "rawjson", "quiet"):
        request_of(builder, "--progress", mode, ".")
        assert builder.threads == before


def test_what_is_wrong_with_the_dockerfile_is_shown_and_the_status_is_1(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    def act(request: BuildRequest, observer: Observer) -> None:
        span = Span(SourceText("Dockerfile", "FORM x\n"), 1)
        raise DockerfileError("unknown instruction: FORM", span=span)

    builder.act = act
    assert run(["build", "."]) == 1
    err = capfd.readouterr().err
    assert err.startswith("Dockerfile:1\n")
    assert err.endswith("error: dockerfile parse error on line 1: unknown instruction: FORM\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "build needs one argument"),
        (". ..", "unexpected extra argument"),
        ("- -f -", "standard input cannot be both"),
        ("-q --progress plain .", "--quiet and --progress plain"),
        ("--no-cache --no-cache-filter s .", "cannot be used together"),
        ("--push .", "--push needs a name"),
        ("-o - -o type=oci .", "only one --output"),
        ("--network bridge .", "invalid value 'bridge' for --network"),
        ("--allow all .", "invalid value 'all' for --allow"),
        ("--progress tty .", "--progress tty needs a terminal"),
        ("--pull=maybe .", "invalid value 'maybe' for --pull"),
        ("--tga x .", "unknown flag --tga"),
        ("--tag", "requires an argument"),
    ],
)
def test_a_wrong_command_line_is_one_error_with_status_2(
    builder: Builder, capfd: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    assert run(["build", *line.split()]) == 2
    assert builder.request is None
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


def test_an_unknown_flag_is_answered_with_the_nearest(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", "--build-args", "X=1", "."]) == 2
    assert "did you mean --build-arg" in capfd.readouterr().err


NAMES = [
    *(n for names in REFUSED for n in names),
    *(n for names in REFUSED_SWITCHES for n in names),
]


@pytest.mark.parametrize("name", NAMES)
def test_flags_that_are_not_supported_say_so(
    builder: Builder, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    value = ["something"] if any(name in names for names in REFUSED) else []
    assert run(["build", name, *value, "."]) == 2
    err = capfd.readouterr().err
    long = max(next(n for n in [*REFUSED, *REFUSED_SWITCHES] if name in n), key=len)
    assert err.endswith(f"error: {long} is not supported\n")
    assert err.startswith("hint: ")
    assert builder.request is None


@pytest.mark.parametrize(
    "line",
    [
        "--provenance=false",
        "--sbom=false",
        "--builder default",
        "--call build",
        "--squash=false",
        *list(IDLE_SWITCHES),
        "--rm=true",
    ],
)
def test_flags_that_ask_for_what_is_so_anyway_are_fine(builder: Builder, line: str) -> None:
    assert request_of(builder, *line.split(), ".") == BuildRequest(context=".")


def test_a_disk_that_is_full_is_no_bug(builder: Builder, capfd: pytest.CaptureFixture[str]) -> None:
    def act(request: BuildRequest, observer: Observer) -> None:
        raise OSError(28, os.strerror(28), "/store/tmp/x")

    builder.act = act
    assert run(["build", "."]) == 1
    assert capfd.readouterr().err == "error: [Errno 28] No space left on device: '/store/tmp/x'\n"


def test_a_bug_has_its_own_status(builder: Builder, capfd: pytest.CaptureFixture[str]) -> None:
    def act(request: BuildRequest, observer: Observer) -> None:
        raise ZeroDivisionError

    builder.act = act
    assert run(["build", "."]) == 70
    assert "Traceback" in capfd.readouterr().err
