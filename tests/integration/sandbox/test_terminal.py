"""``jettison run``: the caller's own streams, with and without a terminal."""

import os
import pty
from pathlib import Path

from jettison.sandbox import namespace
from tests.integration.sandbox.lab import Lab, become


def in_terminal(lab: Lab, typed: bytes, *args: str) -> tuple[bytes, int]:
    """What a container run on a new terminal shows when ``typed`` is typed; its exit status."""
    child, master = pty.fork()
    if child == 0:
        status = 99
        try:
            become(lab.uid)
            result = lab.run_inside(namespace.enter(), *args, terminal=True, inherit=True)
            status = 98 if result.status is None else result.status
        finally:
            os._exit(status)
    shown = b""
    try:
        while True:
            piece = os.read(master, 4096)
            if not piece:
                break
            shown += piece
            if typed and b"ready" in shown:
                os.write(master, typed)
                typed = b""
    except OSError:  # EIO: the terminal's other side is closed
        pass
    os.close(master)
    return shown, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_terminal(lab: Lab) -> None:
    shown, status = in_terminal(
        lab, b"hello\n", "/bin/sh", "-c", "tty; echo ready; read -r line; echo got $line; exit 5"
    )
    assert b"/dev/pts/0" in shown or b"/dev/console" in shown
    assert b"got hello" in shown
    assert status == 5


def test_interrupt_key_reaches_the_command_only(lab: Lab) -> None:
    script = "trap 'echo caught; exit 6' INT; echo ready; while true; do sleep 0.05; done"
    shown, status = in_terminal(lab, b"\x03", "/bin/sh", "-c", script)
    assert b"caught" in shown
    assert status == 6


def test_streams_without_a_terminal(lab: Lab) -> None:
    out = os.path.join(lab.directory, "out")

    def work() -> int | None:
        read, write = os.pipe()
        os.write(write, b"piped\n")
        os.close(write)
        become(lab.uid)
        os.dup2(read, 0)
        os.dup2(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666), 1)
        result = lab.run_inside(namespace.enter(), "/bin/sh", "-c", "cat; tty", inherit=True)
        return result.status

    assert lab.plain(work) == 1
    assert Path(out).read_text() == "piped\nnot a tty\n"
