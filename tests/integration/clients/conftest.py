"""Other people's programs that read and write images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.support.engines import Engine, podman, run_dockerd
from tests.integration.support.runner import Jettison

APP = """\
FROM base
RUN mkdir -p /data/sub /data/gone && echo old | busybox tee /data/old /data/sub/old && \\
    echo text > /data/file && busybox ln /data/file /data/hard && busybox ln -s file /data/soft
RUN rm -r /data/old /data/gone /data/sub && mkdir /data/sub && busybox chmod 1750 /data/sub && \\
    touch /data/sub/new && busybox chown 7:8 /data/sub/new
COPY greeting /
ENV WHO=world
WORKDIR /data
ENTRYPOINT ["sh", "-c", "cat /greeting soft hard; echo *; stat -c '%a %u:%g %n' sub sub/*; \
echo $WHO"]
"""
OUTPUT = """\
hello
text
text
file hard soft sub
1750 0:0 sub
644 7:8 sub/new
world
"""
"""What a container of APP writes: whiteouts, an opaque directory, links, modes, owners, config."""


@pytest.fixture(scope="package", name="podman")
def _podman() -> Iterator[Engine]:
    """In a directory with a short name: podman refuses a runroot of more than 50 characters."""
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/tmp") as directory:
        yield podman(Path(directory))


@pytest.fixture(scope="package")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with run_dockerd(tmp_path_factory.mktemp("dockerd")) as engine:
        yield engine


@pytest.fixture(scope="module")
def app(jettison: Jettison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The context of APP; the store has it as ``app``."""
    directory = tmp_path_factory.mktemp("app")
    (directory / "Dockerfile").write_text(APP)
    (directory / "greeting").write_text("hello\n")
    jettison.build(directory, "-t", "app:1")
    return directory
