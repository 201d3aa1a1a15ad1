"""An ordinary user builds what root builds, byte for byte."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.runner import SOURCE, Jettison, build_base, problems

pytestmark = [pytest.mark.root, pytest.mark.userns]

NAME = f"jettison-{os.getpid()}"
DOCKERFILE = """\
FROM base AS made
RUN mkdir -p /d/sub /gone && echo x > /d/sub/file && busybox chown 12:34 /d/sub/file && \\
    busybox chmod 4751 /d/sub/file && busybox ln /d/sub/file /d/hard && busybox ln -s hard /d/soft
RUN rm -r /gone /d/sub && mkdir /d/sub && echo y > /d/sub/other && id -u > /d/who
FROM base
RUN mkdir -p /d && echo lower > /d/lower && busybox chown -R 1000:1000 /d
COPY --from=made --chown=5:6 /d /copied
COPY --link note /linked/
RUN rm -r /d && mkdir /d && touch /d/upper
USER 4321
RUN id -u > /tmp/user
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of an ordinary user with subordinate ids."""
    subprocess.run(
        ["useradd", "--create-home", "--shell", "/bin/sh", NAME], check=True, capture_output=True
    )
    try:
        for kind in ("uid", "gid"):
            ranges = Path(f"/etc/sub{kind}").read_text()
            if f"{NAME}:" not in ranges:
                flag = f"--add-sub{kind}s"
                subprocess.run(["usermod", flag, "3000000-3065535", NAME], check=True)
        yield Path(pwd.getpwnam(NAME).pw_dir)
    finally:
        subprocess.run(["userdel", "--remove", NAME], capture_output=True)


@pytest.fixture
def user(home: Path, rootfs: Path) -> Iterator[Jettison]:
    """The command line, run by that user, on a store in their home that has ``base``."""
    account = pwd.getpwnam(NAME)
    source = shutil.copytree(SOURCE, home / "src", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", source], check=True)
    # setpriv keeps its capabilities until it executes something: env is what that is.
    ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
    prefix = ["setpriv", *ids, "env"]
    paths = f"{source}:{sysconfig.get_path('platlib')}"
    environ = {"HOME": str(home), "USER": NAME, "PYTHONPATH": paths}
    runner = Jettison(home / "store", environ, prefix, python_of(prefix))
    work = home / "work"
    work.mkdir()
    build_base(runner, work, rootfs)
    yield runner
    # Ids of other users own what is in the store: only who mapped them can take it away.
    runner("rm", "-f", *runner.names(), check=False)
    runner("prune", "--all", "-f", check=False)


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


def test_the_layers_are_root_s(
    jettison: Jettison, user: Jettison, home: Path, context: Callable[..., Path]
) -> None:
    directory = context(DOCKERFILE, note="a note\n")
    shutil.copytree(directory, home / "context")
    subprocess.run(["chmod", "-R", "a+rX", home / "context"], check=True)
    flags = ("-t", "same", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "-o")
    output = "type=image,rewrite-timestamp=true"
    jettison.build(home / "context", *flags, output)
    user.build(home / "context", *flags, output)
    ours, theirs = jettison.inspect("same"), user.inspect("same")
    assert theirs["RootFS"]["Layers"][1:] == ours["RootFS"]["Layers"][1:]
    assert theirs["Layers"][1:] == ours["Layers"][1:]
    assert problems(user.store) == []
    assert user.store.stat().st_uid == pwd.getpwnam(NAME).pw_uid
    again = user.build(home / "context", *flags, output)
    assert user.inspect("same") == theirs
    assert "CACHED" in again.stderr


def test_a_user_runs_and_saves(user: Jettison, home: Path) -> None:
    assert user("run", "base", "sh", "-c", "id -u; id -g").stdout == "0\n0\n"
    assert user("run", "-u", "77", "base", "id", "-u").stdout == "77\n"
    assert user("run", "base", "sh", "-c", "exit 9", check=False).returncode == 9
    saved = user.raw("save", "base").stdout
    user("rm", "base")
    user("load", stdin=saved)
    assert user("run", "base", "echo", "loaded").stdout == "loaded\n"
    (home / "volume").mkdir()
    shutil.chown(home / "volume", NAME, NAME)
    user("run", "-v", f"{home}/volume:/v", "base", "touch", "/v/file")
    assert (home / "volume/file").stat().st_uid == pwd.getpwnam(NAME).pw_uid
