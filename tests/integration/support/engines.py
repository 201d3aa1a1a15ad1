"""podman and dockerd, each with its storage in a temporary directory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Engine:
    """A client with its global flags. ``run_flags``: what ``run`` needs to work in a container."""

    command: Sequence[str]
    run_flags: Sequence[str]

    def __call__(self, *arguments: str | Path) -> str:
        command = [*self.command, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def run(self, image: str, *arguments: str) -> str:
        """What the container writes to its standard output."""
        return self("run", "--rm", *self.run_flags, image, *arguments)


def podman(directory: Path) -> Engine:
    """podman by itself: no daemon, no network plug-ins, the limits a container may set."""
    command = [
        "podman",
        f"--root={directory}/root",
        f"--runroot={directory}/runroot",
        f"--tmpdir={directory}/tmp",
        "--storage-driver=vfs",
        "--runtime=runc",
        "--cgroup-manager=cgroupfs",
        "--events-backend=none",
    ]
    limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
    return Engine(command, ["--network=none", "--pull=never", *limits])


@contextmanager
def run_dockerd(directory: Path) -> Iterator[Engine]:
    """A Docker daemon that lives as long as the ``with`` block and touches no network."""
    directory.mkdir(parents=True, exist_ok=True)
    socket = f"unix://{directory}/sock"
    command = [
        "dockerd",
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        f"--data-root={directory}/data",
        f"--exec-root={directory}/exec",
        f"--pidfile={directory}/pid",
        f"--host={socket}",
    ]
    log = directory / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(socket, process, log)
        yield Engine(["docker", "--host", socket], ["--network=none"])
    finally:
        process.terminate()  # it ends its containers and its containerd
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(socket: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    environment = {**os.environ, "DOCKER_CONFIG": "/nonexistent"}
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        asked = ["docker", "--host", socket, "version"]
        if subprocess.run(asked, capture_output=True, env=environment).returncode == 0:
            return
        time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"dockerd does not answer:\n{tail}")
