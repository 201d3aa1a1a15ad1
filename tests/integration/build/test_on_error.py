"""``build --on-error shell``, on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root

TEXT = """\
FROM base
ENV KEPT=value
WORKDIR /work
RUN touch below
RUN --mount=type=secret,id=s --mount=type=tmpfs,target=/scratch touch made && exit 3
"""


class Terminal:
    """A process on a terminal, to type to and to read from."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path) -> None:
        self._parent, child = pty.openpty()
        self._process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=child, stdout=child, stderr=child,
            start_new_session=True,
        )  # fmt: skip
        os.close(child)
        os.set_blocking(self._parent, False)
        self.said = ""

    def wait_for(self, text: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            with suppress(BlockingIOError, OSError):
                self.said += os.read(self._parent, 4096).decode()
                continue
            time.sleep(0.02)

    def type(self, line: str) -> None:
        os.write(self._parent, line.encode() + b"\n")

    def end(self, seconds: float = 20) -> int:
        """Its exit status; what it said last is in ``said``."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(BlockingIOError, OSError):
                self.said += os.read(self._parent, 4096).decode()
            time.sleep(0.02)
        with suppress(BlockingIOError, OSError):
            while data := os.read(self._parent, 4096):
                self.said += data.decode()
        os.close(self._parent)
        self._process.kill()
        return self._process.wait()


@pytest.mark.parametrize("mode", ["plain", "tty"])
def test_a_shell_where_it_failed(
    jettison: Jettison, context: Callable[..., Path], mode: str
) -> None:
    directory = context(TEXT, token="secret value")
    terminal = Terminal(
        jettison.command(
            "build", "--on-error", "shell", "--progress", mode,
            "-t", "never", "--secret", "id=s,src=token", ".",
        ),
        jettison.environment(TERM="xterm"),
        directory,
    )  # fmt: skip
    terminal.wait_for("Leave it to end the build.")
    assert "exit code: 3" in terminal.said
    terminal.type('echo "<$KEPT $(pwd) $(echo *) $(cat /run/secrets/s) $(stat -fc %T /scratch)>"')
    terminal.wait_for("<value /work below made secret value tmpfs>")
    terminal.type("exit")
    assert terminal.end() == 1
    assert len(re.findall("exit code: 3", terminal.said)) >= 2
    assert not any("never" in name for name in jettison.names())


def test_an_image_without_a_shell_says_so(jettison: Jettison, context: Callable[..., Path]) -> None:
    directory = context('FROM scratch\nCOPY nothing /\nRUN ["/nothing"]\n', nothing="x")
    terminal = Terminal(
        jettison.command("build", "--on-error", "shell", "."),
        jettison.environment(TERM="xterm"),
        directory,
    )
    assert terminal.end() == 1
    assert "no shell could be opened" in terminal.said


def test_it_needs_a_terminal(jettison: Jettison, context: Callable[..., Path]) -> None:
    done = jettison.build(context(TEXT), "--on-error", "shell", check=False)
    assert done.returncode == 2
    assert "--on-error shell needs a terminal" in done.stderr


def test_what_else_it_takes(jettison: Jettison, context: Callable[..., Path]) -> None:
    done = jettison.build(context(TEXT), "--on-error", "shel", check=False)
    assert done.returncode == 2
    assert "did you mean shell?" in done.stderr
