"""The program as a process: start-up, streams, signals, terminals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SRC = str(Path(__file__).parents[3] / "src")

DRIVER = """
import sys, threading, time, types
from jettison.model.event import StepStarted, StepFinished, StepLog, Warned
from jettison.errors import Cancelled

def build(request, observer, *, environ, cancel, on_failure=None):
    mode, now = request.target, time.time()
    observer.emit(StepStarted("a", "[build 1/2] RUN make", now))
    if mode == "quick":
        observer.emit(StepFinished("a", "[build 1/2] RUN make", now + 0.1))
    elif mode == "slow":
        observer.emit(StepLog("a", 1, b"compiling main.c\\n"))
        time.sleep(1)
        observer.emit(StepFinished("a", "[build 1/2] RUN make", now + 1))
    elif mode == "polite":
        print("ready", flush=True)
        cancel.wait(20)
        raise Cancelled
    elif mode == "deaf":
        print("ready", flush=True)
        threading.Event().wait(20)
    elif mode == "stuck":
        print("ready", flush=True)
        while True:
            try:
                time.sleep(20)
            except BaseException:
                pass
    elif mode == "stdout":
        for _ in range(100000):
            request.stdout.write(b"x" * 1000)
    return types.SimpleNamespace(image_id="sha256:1", digest="sha256:2")

def run(request, observer, *, environ, cancel):
    if request.image == "pulling":
        observer.emit(StepStarted("a", "pull busybox", time.time()))
    print("ready", flush=True)
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        if cancel.wait(0.05):
            raise Cancelled
    return 5

module = types.ModuleType("jettison.app.run")
module.run, module.RunRequest = run, types.SimpleNamespace
sys.modules["jettison.app.run"] = module
module = types.ModuleType("jettison.app.build")
module.build = build
sys.modules["jettison.app.build"] = module
from jettison.cli.main import run
status = run(sys.argv[1:])
if "rich" in sys.modules:
    print("rich was imported", flush=True)
sys.exit(status)
"""


def environment(**more: str) -> dict[str, str]:
    keep = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**keep, "PYTHONPATH": SRC, "TERM": "xterm", **more}


def start(*args: str, stderr: int = subprocess.PIPE, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *args],
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        env=environment(**more),
    )


def jettison(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jettison", *args],
        capture_output=True,
        text=True,
        env=environment(**more),
        check=False,
        timeout=30,
    )


def on_terminal(*args: str, **more: str) -> tuple[int, str, str]:
    """Run with standard error on a terminal: status, standard output, what the terminal got."""
    parent, child = pty.openpty()
    process = start(*args, stderr=child, **more)
    os.close(child)
    seen = b""
    while True:
        try:
            data = os.read(parent, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not data:
            break
        seen += data
    out, _ = process.communicate(timeout=20)
    os.close(parent)
    return process.returncode, out.decode(), seen.decode().replace("\r\n", "\n")


def imported(*args: str) -> set[str]:
    """The modules that running ``args`` imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "jettison", *args],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=30,
    )
    return {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }


HEAVY = {"rich", "httpx", "zstandard", "isal", "tarfile", "sqlite3", "asyncio", "json"}


@pytest.mark.parametrize("args", [["--help"], ["build", "--help"], ["build", "--nope"]])
def test_nothing_heavy_is_imported_to_read_the_command_line(args: list[str]) -> None:
    modules = imported(*args)
    assert not modules & HEAVY
    others = {m for m in modules if m.startswith("jettison.cli.commands.")}
    assert others <= {f"jettison.cli.commands.build{x}" for x in ("", "_flags")}


def test_help_names_every_command_without_importing_it() -> None:
    modules = imported("--help")
    prefixes = tuple(f"jettison.{name}." for name in ("cli.commands", "app", "store", "plan"))
    assert [m for m in modules if m.startswith(prefixes)] == []


def test_an_unknown_command() -> None:
    done = jettison("biuld", ".")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hint: did you mean build?\nerror: unknown command 'biuld'\n"


def test_version() -> None:
    from jettison import __version__

    assert jettison("--version").stdout == f"jettison {__version__}\n"
    assert jettison("version").stdout.startswith(f"jettison {__version__}\n  Python:")


def test_no_arguments_show_the_help_as_a_usage_error() -> None:
    done = jettison()
    assert done.returncode == 2
    assert "Build and run:" in done.stderr


@pytest.mark.parametrize(("signal_number"), [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mode", ["polite", "deaf"])
def test_signals_end_the_build_within_a_second(mode: str, signal_number: int) -> None:
    process = start("build", "--target", mode, "--progress", "plain", ".")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    begun = time.monotonic()
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - begun < 1
    assert process.returncode == 130
    assert err.decode().endswith("error: interrupted: [build 1/2] RUN make\n")
    assert b"Traceback" not in err


def test_a_second_signal_ends_what_does_not_listen() -> None:
    process = start("build", "--target", "stuck", "--progress", "plain", ".")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.endswith(b"error: interrupted\n")


def test_what_hangs_is_ended_at_last() -> None:
    process = start("build", "--target", "stuck", "--progress", "plain", ".")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("image", "signals", "status", "message"),
    [
        ("image", [signal.SIGINT], 5, b""),  # the container had it, and went on to its end
        ("image", [signal.SIGINT, signal.SIGINT], 130, b"error: interrupted\n"),
        ("image", [signal.SIGTERM], 130, b"error: interrupted\n"),
        ("pulling", [signal.SIGINT], 130, b"error: interrupted: pull busybox\n"),
    ],
)
def test_ctrl_c_is_the_containers_first(
    image: str, signals: list[signal.Signals], status: int, message: bytes
) -> None:
    process = start("run", image)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    for number in signals:
        process.send_signal(number)
        time.sleep(0.1)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (status, message)


def test_sigterm_while_waiting_for_an_answer_is_an_interruption(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "jettison", "prune"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(JETTISON_ROOT=str(tmp_path)),
    )
    assert process.stderr is not None
    assert select.select([process.stderr], [], [], 20)[0]
    time.sleep(0.2)
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.endswith(b"error: interrupted\n")


@pytest.mark.parametrize("args", [["build", "--target", "stdout", "-o", "-", "."], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(args: list[str]) -> None:
    process = start(*args)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=20)
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err
    assert process.returncode == 1


def test_a_quick_build_on_a_terminal_lists_its_steps_and_never_imports_rich() -> None:
    status, out, seen = on_terminal("build", "--target", "quick", ".", NO_COLOR="1", COLUMNS="50")
    assert (status, out) == (0, "")
    assert "[+] Building 0." in seen
    assert "(1/1) FINISHED\n" in seen
    assert " => [build 1/2] RUN make".ljust(45) + " 0.1s\n" in seen
    assert "\x1b" not in seen


def test_a_slow_build_is_drawn_and_the_screen_left_clean() -> None:
    status, out, seen = on_terminal("build", "--target", "slow", ".", COLUMNS="50")
    assert status == 0
    assert out == "rich was imported\n"
    assert "=> => # compiling main.c" in seen
    assert "\x1b[?25l" in seen  # the cursor is hidden, and shown again
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    final = seen[seen.rindex("FINISHED") :]
    assert "\x1b[34m => [build 1/2] RUN make" in final
    assert "compiling" not in final


def test_no_color_also_for_the_live_view() -> None:
    _, _, seen = on_terminal("build", "--target", "slow", ".", NO_COLOR="1")
    assert "\x1b[34m" not in seen
    assert "\x1b[1m" not in seen


def test_a_dumb_terminal_gets_lines() -> None:
    _, _, seen = on_terminal("build", "--target", "slow", ".", TERM="dumb")
    assert seen.startswith("#1 [build 1/2] RUN make\n#1 ")
    assert "\x1b" not in seen


def test_force_color_colours_errors_that_go_into_a_pipe() -> None:
    assert "\x1b[1;31merror:\x1b[0m" in jettison("build", FORCE_COLOR="1").stderr
    assert "\x1b" not in jettison("build").stderr
    assert "\x1b" not in jettison("build", FORCE_COLOR="1", NO_COLOR="1").stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = jettison("completion", shell)
    assert done.returncode == 0
    assert "_JETTISON_COMPLETE" in done.stdout


def test_completion_of_commands_and_flags() -> None:
    def complete(words: str, word: int) -> list[str]:
        done = jettison(_JETTISON_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(word))
        return [line.partition(",")[2] for line in done.stdout.split()]

    assert complete("jettison bu", 1) == ["build"]
    assert complete("jettison build --no-c", 2) == ["--no-cache", "--no-cache-filter"]
    assert complete("jettison build --squ", 2) == []  # what is refused is not offered


def test_a_closed_standard_output_is_no_internal_error() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m jettison version >&-', sys.executable],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 1
    assert "internal error" not in done.stderr
