"""Child processes that cannot outlive this one, however it ends.

The parent-death signal (prctl(2), PR_SET_PDEATHSIG) is sent when the *thread* that made the child
ends, so each child has a thread of its own that waits for it. A child that is the first of a pid
namespace takes all its descendants along: its death is the end of the namespace, and waiting for
it returns only when every process in there is gone (pid_namespaces(7)).
"""

from __future__ import annotations

import os
import shutil
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


def prefix(launcher: str, *, new_pids: bool) -> list[str]:
    """The words before a command that tie it to its parent.

    ``launcher`` is UTIL_LINUX (setpriv and unshare, about 2 ms) or OWN (`launch`, about 15 ms).
    With ``new_pids`` the command is first in a pid namespace and gets its own /proc. Raises
    SandboxError if the programs are not installed.
    """
    if launcher == OWN:
        script = os.path.join(os.path.dirname(__file__), "launch.py")
        options = ["--proc"] if new_pids else []
        return [sys.executable, "-I", "-S", script, *options, "--"]
    setpriv, unshare = shutil.which("setpriv"), shutil.which("unshare")
    if setpriv is None or unshare is None:
        raise SandboxError("setpriv and unshare (util-linux) are not installed")
    tied = [setpriv, "--pdeathsig", "KILL"]
    if new_pids:
        return [*tied, "--", unshare, "--mount", "--mount-proc", "--"]
    # A program that gains privileges (Debian's ssh-agent is setgid) would lose the signal.
    return [*tied, "--no-new-privs", "--"]


class Child:
    """A process started in a thread of its own; ends with this process at the latest.

    ``argv`` holds the launcher's prefix. ``inherit`` gives it this process's standard streams and
    keeps it in the terminal's foreground; else stdin is empty and ``process.stdout`` and
    ``stderr`` are pipes. Raises SandboxError if it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        new_pids: bool,
        inherit: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self._argv = list(argv)
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
            self._process = self._open()
        except BaseException as error:
            self._error = error
            return
        finally:
            self._started.set()
        self._process.wait()

    def _open(self) -> subprocess.Popen[bytes]:
        import subprocess

        stream = None if self._inherit else subprocess.PIPE
        return subprocess.Popen(
            self._argv,
            stdin=None if self._inherit else subprocess.DEVNULL,
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
