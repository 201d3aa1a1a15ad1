"""``jettison run``: what the command gets, what it gives back, and how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root

TOOL = """\
FROM base
RUN echo 'ada:x:1234:1235::/home/ada:/bin/sh' >> /etc/passwd && \\
    printf 'ada:x:1235:\\nextra:x:77:ada\\n' >> /etc/group
ENV A=image B=image
WORKDIR /srv/here
USER ada
ENTRYPOINT ["sh", "-c", "echo entry $0 $@"]
CMD ["one", "two"]
"""


@pytest.fixture(scope="module", autouse=True)
def tool(jettison: Jettison) -> None:
    jettison("build", "-t", "tool", "-", stdin=TOOL.encode())


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["tool"], "entry one two\n"),
        (["tool", "three"], "entry three\n"),
        (["--entrypoint", "echo", "tool"], "\n"),
        (["--entrypoint", "printf", "tool", "%s\n", "-e", "x"], "-e\nx\n"),
        (["--entrypoint", "", "tool", "echo", "bare"], "bare\n"),
        (["--entrypoint", "pwd", "tool"], "/srv/here\n"),
        (["-w", "/made/up", "--entrypoint", "pwd", "tool"], "/made/up\n"),
        (["--entrypoint", "id", "tool", "-un"], "ada\n"),
        (["--entrypoint", "grep", "tool", "Groups", "/proc/self/status"], "Groups:\t77 1235 \n"),
        (["-u", "0", "--entrypoint", "id", "tool", "-u"], "0\n"),
        (["-u", "5:6", "--entrypoint", "sh", "tool", "-c", "id -u; id -g"], "5\n6\n"),
        (["-u", "ada", "base", "id", "-u"], None),
        (["base", "sh", "-c", "echo $HOME; stat -c %a /tmp /dev/shm"], "/\n1777\n1777\n"),
        (["--hostname", "x", "base"], None),
    ],
)
def test_what_is_executed(jettison: Jettison, arguments: list[str], output: str | None) -> None:
    """``None``: the image has no such user, or there is no such flag."""
    done = jettison("run", *arguments, check=False)
    if output is None:
        assert done.returncode == 125
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, output), done.stderr


def test_environment(jettison: Jettison, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\nFROM_FILE=a b\nFROM_HOST\n")
    done = jettison.having({"FROM_HOST": "host", "SECRET": "not passed"})(
        "run", "--env-file", file, "-e", "A=flag", "-e", "C==", "-e", "UNKNOWN_HERE",
        "--entrypoint", "env", "tool",
    )  # fmt: skip
    env = dict(line.split("=", 1) for line in done.stdout.splitlines())
    env.pop("HOSTNAME", None)
    assert env == {
        "PATH": "/bin",
        "A": "flag",
        "B": "image",
        "C": "=",
        "FROM_FILE": "a b",
        "FROM_HOST": "host",
        "HOME": "/home/ada",
    }


@pytest.mark.parametrize("status", [0, 1, 7, 125, 255])
def test_exit_status(jettison: Jettison, status: int) -> None:
    done = jettison("run", "base", "sh", "-c", f"exit {status}", check=False)
    assert done.returncode == status
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["/no/such"], 127, "/no/such"),
        (["nosuch"], 127, "nosuch"),
        (["/etc"], 126, "/etc"),
        (["/etc/passwd"], 126, "/etc/passwd"),
    ],
)
def test_how_commands_fail(jettison: Jettison, command: list[str], status: int, said: str) -> None:
    done = jettison("run", "-u", "0", "--entrypoint", command[0], "tool", check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_that_is_not_there(jettison: Jettison) -> None:
    done = jettison("run", "127.0.0.1:1/no/image", check=False)
    assert done.returncode == 125
    assert "no/image" in done.stderr
    assert "Traceback" not in done.stderr


def test_volumes(jettison: Jettison, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/in").write_text("in\n")
    (tmp_path / "file").write_text("file\n")
    script = "cat /vol/in /a/file; echo out > /vol/out; touch /ro/x 2>/dev/null || echo read-only"
    done = jettison(
        "run",
        "-v", f"{tmp_path}/dir:/vol",
        "-v", f"{tmp_path}/file:/a/file:ro",
        "--mount", f"type=bind,src={tmp_path}/dir,dst=/ro,readonly",
        "base", "sh", "-c", script,
    )  # fmt: skip
    assert done.stdout == "in\nfile\nread-only\n"
    assert (tmp_path / "dir/out").read_text() == "out\n"
    relative = subprocess.run(
        jettison.command("run", "-v", "./dir:/vol", "base", "ls", "/vol"),
        cwd=tmp_path, env=jettison.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert relative.stdout == "in\nout\n"
    done = jettison("run", "-v", f"{tmp_path}/missing:/vol", "base", "true", check=False)
    assert done.returncode == 125
    assert "missing" in done.stderr


def test_what_is_written_is_thrown_away(jettison: Jettison) -> None:
    jettison("run", "base", "sh", "-c", "echo x > /new; rm -r /bin/wc")
    assert jettison(
        "run", "base", "sh", "-c", "ls -d /new /etc 2>/dev/null", check=False
    ).stdout == ("/etc\n")


def test_standard_input(jettison: Jettison) -> None:
    data = bytes(range(256)) * 4096
    done = jettison.raw("run", "-i", "base", "cat", stdin=data)
    assert done.stdout == data
    assert jettison.raw("run", "base", "cat", stdin=b"not read").stdout == b""


def test_streams_are_apart(jettison: Jettison) -> None:
    done = jettison("run", "base", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_a_reader_that_goes_away(jettison: Jettison) -> None:
    """``jettison run … | head -1`` ends."""
    command = jettison.command("run", "base", "sh", "-c", "while echo line; do :; done")
    process = subprocess.Popen(command, env=jettison.environment(), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(5) == b"line\n"
    process.stdout.close()
    process.wait(timeout=10)


def test_network(jettison: Jettison) -> None:
    script = "grep -v lo: /proc/net/dev | wc -l"  # two lines are the table's head
    assert jettison("run", "--network", "none", "base", "sh", "-c", script).stdout == "2\n"
    ours = len([n for n in os.listdir("/sys/class/net") if n != "lo"])
    if ours:
        assert jettison("run", "base", "sh", "-c", script).stdout != "2\n"


def test_a_terminal(jettison: Jettison) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        jettison.command("run", "-it", "base", "sh", "-c", "test -t 0 && test -t 1 && echo a tty"),
        env=jettison.environment(), stdin=child, stdout=child, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(child)
    said = b""
    with suppress(OSError):  # EIO: the last one who had it open is gone
        while data := os.read(parent, 1024):
            said += data
    os.close(parent)
    assert process.wait(timeout=10) == 0, process.stderr and process.stderr.read()
    assert said == b"a tty\r\n"


@contextmanager
def started(jettison: Jettison, marker: str, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A container that says ``ready`` runs; in the end no process has ``marker`` in its words."""
    process = subprocess.Popen(
        jettison.command("run", "-e", f"MARKER={marker}", "base", "sh", "-c", script, marker),
        env=jettison.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def processes_with(marker: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if marker.encode() in words:
                found.append(f"{pid} {words!r}")
    return found


def gone(marker: str, seconds: float = 3) -> bool:
    deadline = time.monotonic() + seconds
    while processes_with(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


SLEEP = "echo ready; sleep 300 & sleep 301 & wait; wait"


@pytest.mark.parametrize(
    ("signals", "status"),
    [([signal.SIGTERM], 130), ([signal.SIGINT, signal.SIGINT], 130), ([signal.SIGKILL], -9)],
    ids=["term", "twice", "kill"],
)
def test_signals_end_everything(
    jettison: Jettison, tmp_path: Path, signals: list[signal.Signals], status: int
) -> None:
    marker = f"marker-{tmp_path.name}"
    with started(jettison, marker, SLEEP) as process:
        begin = time.monotonic()
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        assert process.wait(timeout=5) == status
        assert time.monotonic() - begin < 3
        assert gone(marker)
    # Nothing is left that keeps the next from running, nor a mount or a scratch directory.
    assert jettison("run", "base", "echo", "next").stdout == "next\n"
    assert str(jettison.store) not in Path("/proc/mounts").read_text()
    assert os.listdir(jettison.store / "tmp") == []


def test_ctrl_c_is_the_commands(jettison: Jettison, tmp_path: Path) -> None:
    """The terminal sends it to the whole group, and who handles it decides the status."""
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    with started(jettison, f"marker-{tmp_path.name}", script) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=5) == 5
        assert process.stdout is not None
        assert process.stdout.read() == b"caught\n"


def test_of_two_stores_each_has_its_own(
    jettison: Jettison, tmp_path: Path, context: Callable[..., Path]
) -> None:
    other = Jettison(tmp_path / "other")
    assert other.names() == []
    done = other("run", "base", check=False, DOCKER_CONFIG="/nonexistent")
    assert done.returncode == 125
