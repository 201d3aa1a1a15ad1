import os
import shutil
import socket
import stat
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import ssh

needs_openssh = pytest.mark.skipif(
    not shutil.which("ssh-agent") or not shutil.which("ssh-keygen"), reason="needs openssh-client"
)


def frame(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">IB", 1 + len(body), kind) + body


class FakeAgent:
    """Answers every request with its type and body repeated, and remembers the types."""

    def __init__(self, path: Path) -> None:
        self.seen: list[int] = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                while head := connection.recv(4, socket.MSG_WAITALL):
                    body = connection.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)
                    self.seen.append(body[0])
                    connection.sendall(head + body)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    fake = FakeAgent(tmp_path / "host")
    yield fake
    fake.server.close()


def ask(path: Path, message: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(message)
        return client.recv(1 << 16)


def test_listing_and_signing_pass(tmp_path: Path, agent: FakeAgent) -> None:
    listen = tmp_path / "box"
    with ssh.forwarded(
        str(listen), str(tmp_path / "host"), uid=os.getuid(), gid=os.getgid(), mode=0o640
    ):
        state = listen.stat()
        assert stat.S_ISSOCK(state.st_mode) and state.st_mode & 0o777 == 0o640
        assert ask(listen, frame(11)) == frame(11)
        assert ask(listen, frame(13, b"data")) == frame(13, b"data")
    assert agent.seen == [11, 13]


@pytest.mark.parametrize("kind", [17, 18, 19, 22, 25, 27])
def test_changing_the_agent_is_refused(tmp_path: Path, agent: FakeAgent, kind: int) -> None:
    listen = tmp_path / "box"
    with ssh.forwarded(
        str(listen), str(tmp_path / "host"), uid=os.getuid(), gid=os.getgid(), mode=0o600
    ):
        assert ask(listen, frame(kind, b"x")) == frame(5)
    assert agent.seen == []


@pytest.mark.parametrize("message", [struct.pack(">I", 0), struct.pack(">I", 1 << 30)])
def test_nonsense_ends_the_connection(tmp_path: Path, agent: FakeAgent, message: bytes) -> None:
    listen = tmp_path / "box"
    with ssh.forwarded(
        str(listen), str(tmp_path / "host"), uid=os.getuid(), gid=os.getgid(), mode=0o600
    ):
        assert ask(listen, message) == b""


def test_long_directory_names_are_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with ssh.forwarded(str(deep / "box"), "/no/such", uid=os.getuid(), gid=os.getgid(), mode=0o600):
        assert stat.S_ISSOCK((deep / "box").stat().st_mode)


def test_agent_of_the_environment(tmp_path: Path, agent: FakeAgent) -> None:
    path = str(tmp_path / "host")
    with ssh.agent((), {"SSH_AUTH_SOCK": path}, scratch=str(tmp_path)) as found:
        assert found == path
    with ssh.agent((path,), {}, scratch=str(tmp_path)) as found:
        assert found == path


@pytest.mark.parametrize("environment", [{}, {"SSH_AUTH_SOCK": "/no/such"}])
def test_no_agent(tmp_path: Path, environment: dict[str, str]) -> None:
    with (
        pytest.raises(SandboxError, match="agent"),
        ssh.agent((), environment, scratch=str(tmp_path)),
    ):
        pass


def make_key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "mark", "-f", path],
        check=True,
    )
    return path


@needs_openssh
def test_key_files_are_served_by_an_agent_of_our_own(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    key.chmod(0o644)
    public = (tmp_path / "key.pub").read_text().split()[1]
    with (
        ssh.agent((str(key),), {}, scratch=str(tmp_path)) as path,
        ssh.forwarded(str(tmp_path / "box"), path, uid=os.getuid(), gid=os.getgid(), mode=0o600),
    ):
        environment = {**os.environ, "SSH_AUTH_SOCK": str(tmp_path / "box")}
        listed = subprocess.run(
            ["ssh-add", "-L"], env=environment, capture_output=True, text=True, check=True
        )
        assert listed.stdout.split()[1] == public
        removed = subprocess.run(["ssh-add", "-D"], env=environment, capture_output=True)
        assert removed.returncode != 0
    assert not os.path.exists(path)


@needs_openssh
def test_key_with_a_passphrase_is_refused_with_a_hint(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", "secret")
    with (
        pytest.raises(SandboxError, match="cannot use SSH key") as caught,
        ssh.agent((str(key),), {}, scratch=str(tmp_path)),
    ):
        pass
    assert "passphrase" in (caught.value.hint or "")


@needs_openssh
def test_public_key_is_not_a_private_one(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    with (
        pytest.raises(SandboxError, match="neither an agent's socket nor a private") as caught,
        ssh.agent((str(tmp_path / "key.pub"),), {}, scratch=str(tmp_path)),
    ):
        pass
    assert "private key" in (caught.value.hint or "")


def test_missing_key_file(tmp_path: Path) -> None:
    with (
        pytest.raises(SandboxError, match="cannot read SSH key"),
        ssh.agent((str(tmp_path / "none"),), {}, scratch=str(tmp_path)),
    ):
        pass


def test_missing_openssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(SandboxError, match="not installed") as caught,
        ssh.agent((str(key),), {}, scratch=str(tmp_path)),
    ):
        pass
    assert "openssh-client" in (caught.value.hint or "")
