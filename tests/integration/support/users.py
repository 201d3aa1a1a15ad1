"""An ordinary user of this machine, who exists while a test needs one."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.integration.support.runner import SOURCE, Jettison

_NUMBERS = count(1)
_FIRST_ID, _IDS = 3_000_000, 65536


@dataclass(frozen=True)
class User:
    """``name`` with the directory ``home``, which holds a copy of the source."""

    name: str
    uid: int
    gid: int
    home: Path

    @property
    def prefix(self) -> list[str]:
        """The words before a command that make it this user's."""
        # setpriv keeps its capabilities until it executes something: env is what that is.
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups", "env"]

    @property
    def environ(self) -> dict[str, str]:
        paths = f"{self.home}/src:{sysconfig.get_path('platlib')}"
        return {"HOME": str(self.home), "USER": self.name, "PYTHONPATH": paths}

    def jettison(self, store: str = "store") -> Jettison:
        """The command line, run by this user, on a store in their home."""
        return Jettison(self.home / store, self.environ, self.prefix, python_of(self.prefix))

    def own(self, path: Path) -> Path:
        """Give the user everything at ``path``."""
        subprocess.run(["chown", "-hR", f"{self.uid}:{self.gid}", path], check=True)
        return path


@contextmanager
def _passwords() -> Iterator[None]:
    """Tests that run at once must not change /etc/passwd at once: useradd does not wait."""
    with open(Path(tempfile.gettempdir(), "jettison-test-users.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _add(name: str, *, sub_ids: bool) -> None:
    command = ["useradd", "--create-home", "--shell", "/bin/sh", name]
    subprocess.run(command, check=True, capture_output=True)
    for kind in ("uid", "gid"):
        ranges = Path(f"/etc/sub{kind}").read_text().splitlines()
        mine = [r.partition(":")[2].split(":") for r in ranges if r.startswith(f"{name}:")]
        if mine and not sub_ids:
            for start, size in mine:
                last = int(start) + int(size) - 1
                flag = f"--del-sub{kind}s"
                subprocess.run(["usermod", flag, f"{start}-{last}", name], check=True)
        elif sub_ids and not mine:
            wanted = f"{_FIRST_ID}-{_FIRST_ID + _IDS - 1}"
            subprocess.run(["usermod", f"--add-sub{kind}s", wanted, name], check=True)


@contextmanager
def ordinary_user(*, sub_ids: bool = True) -> Iterator[User]:
    """A new user, with subordinate ids or without any; gone afterwards with all they had."""
    name = f"jettison-{os.getpid()}-{next(_NUMBERS)}"
    try:
        with _passwords():
            _add(name, sub_ids=sub_ids)
        account = pwd.getpwnam(name)
        home = Path(account.pw_dir)
        ignore = shutil.ignore_patterns("__pycache__")
        source = shutil.copytree(SOURCE, home / "src", ignore=ignore)
        subprocess.run(["chmod", "-R", "a+rX", source], check=True)
        yield User(name, account.pw_uid, account.pw_gid, home)
    finally:
        with _passwords():
            subprocess.run(["userdel", "--remove", name], capture_output=True)


def python_of(prefix: list[str]) -> str:
    """A Python of this version that the user may execute: ours may be in root's home."""
    ask = "import sys; print(*sys.version_info[:2])"
    wanted = f"{sys.version_info.major} {sys.version_info.minor}\n"
    candidates = (sys.executable, "/usr/bin/python3")
    for python in candidates:
        done = subprocess.run([*prefix, python, "-c", ask], capture_output=True, text=True)
        if done.stdout == wanted:
            return python
    raise AssertionError(f"an ordinary user can execute none of {', '.join(candidates)}")
