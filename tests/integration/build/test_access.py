"""ADD from where one has to be authorized; the server and ssh's far end see what arrives."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison
from tests.integration.support.web import Git, Web, run_web

pytestmark = pytest.mark.root


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "f").write_text("content")
    with run_web(tmp_path / "web") as running:
        yield running


def test_http_token(
    jettison: Jettison, context: Callable[..., Path], web: Web, tmp_path: Path
) -> None:
    web.authorization = "Bearer s3cret"
    web.redirects["/moved"] = f"{web.url}/f"
    directory = context(f"FROM scratch\nADD {web.url}/f {web.url}/moved /\n")
    refused = jettison.build(directory, "-o", tmp_path / "out", check=False)
    assert refused.returncode == 1 and "invalid response status 401" in refused.stderr
    token = "id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN"
    jettison.build(directory, "--secret", token, "-o", tmp_path / "out", TOKEN="s3cret")
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found == {"f": "content", "moved": "content"}


def test_a_token_does_not_go_to_another_host(
    jettison: Jettison, context: Callable[..., Path], web: Web, tmp_path: Path
) -> None:
    web.authorization = "Bearer s3cret"
    web.redirects["/away"] = web.url.replace("127.0.0.1", "localhost") + "/f"
    directory = context(f"FROM scratch\nADD {web.url}/away /\n")
    token = "id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN"
    done = jettison.build(
        directory, "--secret", token, "-o", tmp_path / "out", check=False, TOKEN="s3cret"
    )
    assert done.returncode == 1 and "invalid response status 401" in done.stderr


def test_git_token(
    jettison: Jettison, context: Callable[..., Path], web: Web, tmp_path: Path
) -> None:
    repository = Git(tmp_path / "git", web.root / "r.git")
    repository.commit(g="1")
    repository.publish()
    pair = base64.b64encode(b"x-access-token:s3cret").decode()
    web.authorization = f"basic {pair}"
    directory = context(f"FROM scratch\nADD {web.url}/r.git /\n")
    refused = jettison.build(directory, "-o", tmp_path / "out", check=False)
    assert refused.returncode == 1
    token = "id=GIT_AUTH_TOKEN,env=TOKEN"
    jettison.build(directory, "--secret", token, "-o", tmp_path / "out", TOKEN="s3cret")
    assert (tmp_path / "out" / "g").read_text() == "1"


def test_git_over_ssh_uses_the_forwarded_key(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    """The program git takes for ssh says which keys it was given, and does what was asked."""
    repository = Git(tmp_path / "git", tmp_path / "r.git")
    repository.commit(g="1")
    repository.publish()
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nssh-add -L > {tmp_path}/keys\nfor last; do :; done\neval "$last"\n')
    ssh.chmod(0o755)
    jettison.build(
        context(f"FROM scratch\nADD ssh://git@host.example{tmp_path}/r.git /\n"),
        *("--ssh", f"default={key}", "-o", tmp_path / "out"),
        GIT_SSH_COMMAND=str(ssh),
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="safe.directory",
        GIT_CONFIG_VALUE_0="*",
    )
    assert (tmp_path / "out" / "g").read_text() == "1"
    public = (tmp_path / "key.pub").read_text().split()[:2]
    assert (tmp_path / "keys").read_text().split()[:2] == public
