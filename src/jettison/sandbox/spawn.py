"""Child processes that cannot outlive this one, however it ends.

The parent-death signal (prctl(2), PR_SET_PDEATHSIG) is sent when the *thread* that made the child
ends, so each child has a thread of its own that waits for it. A child that is the first of a pid
namespace takes all its descendants along: its death is the end of the namespace, and waiting for
it returns only when every process in there is gone (pid_namespaces(7)).

The signal is asked for by the child itself, a moment after it was made. So that a parent killed in
that moment leaves nothing either, the child then reports, and goes on only when it is answered.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jettison.errors import SandboxError
from jettison.sandbox import syscalls

if TYPE_CHECKING:
    import subprocess

UTIL_LINUX = "util-linux"
OWN = "python"
LAUNCHERS = (UTIL_LINUX, OWN)

_REPORT_AND_WAIT = 'echo >&0; read -r _ && exec "$@" </dev/null'


def choose() -> str:
    """The launcher to use: UTIL_LINUX (setpriv, unshare; 2 ms) or else OWN (`launch`; 15 ms)."""
    needed = ("setpriv", "unshare", "sh")
    return UTIL_LINUX if all(shutil.which(name) for name in needed) else OWN


def prefix(launcher: str, *, new_pids: bool, report: bool) -> list[str]:
    """The words before a command that tie it to its parent.

    With ``new_pids`` the command is first in a pid namespace and gets its own /proc; with
    ``report`` it tells on standard input, a socket, that it is tied, and waits for the answer.
    """
    if launcher == OWN:
        script = os.path.join(os.path.dirname(__file__), "launch.py")
        options = ["--proc"] * new_pids + ["--report"] * report
        return [sys.executable, "-I", "-S", script, *options, "--"]
    words = ["setpriv", "--pdeathsig", "KILL"]
    if new_pids:
        words += ["--", "unshare", "--mount", "--mount-proc", "--"]
    else:
        # A program that gains privileges (Debian's ssh-agent is setgid) would lose the signal.
        words += ["--no-new-privs", "--"]
    return [*words, "sh", "-c", _REPORT_AND_WAIT, "sh"] if report else words


class Child:
    """A process started in a thread of its own; ends with this process at the latest.

    ``inherit`` gives it this process's standard streams and keeps it in the terminal's foreground
    (and leaves out the report); else its stdin is empty and ``process.stdout`` and ``stderr`` are
    pipes. Raises SandboxError if the launcher cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        new_pids: bool,
        launcher: str,
        inherit: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self._argv = [*prefix(launcher, new_pids=new_pids, report=not inherit), *argv]
        self._new_pids = new_pids
        self._inherit = inherit
        self._env = env
        self._cwd = cwd
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="child", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise SandboxError(f"cannot start {argv[0]}: {self._error}") from self._error

    def _work(self) -> None:
        try:
            if self._new_pids:
                syscalls.unshare(syscalls.CLONE_NEWPID)
            if self._inherit:
                self._process = self._open(None)
            else:
                self._answer_report()
        except BaseException as error:
            self._error = error
            return
        finally:
            self._started.set()
        assert self._process is not None
        self._process.wait()

    def _answer_report(self) -> None:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._process = self._open(theirs.fileno())
            self._started.set()
            try:
                if ours.recv(1):
                    ours.sendall(b"\n")
            except OSError:
                pass  # it ended before; its exit status tells

    def _open(self, stdin: int | None) -> subprocess.Popen[bytes]:
        import subprocess

        stream = None if self._inherit else subprocess.PIPE
        return subprocess.Popen(
            self._argv,
            stdin=stdin,
            stdout=stream,
            stderr=stream,
            env=self._env,
            cwd=self._cwd,
            start_new_session=not self._inherit,
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """Kill it and, if it is the first of a pid namespace, all its descendants; wait for it."""
        self.process.kill()
        self.wait()

    def close(self) -> None:
        """Close the pipes to it, if their output is not wanted."""
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status (-N for signal N); None if it still runs after ``timeout`` seconds."""
        self._thread.join(timeout)
        return self.process.returncode
