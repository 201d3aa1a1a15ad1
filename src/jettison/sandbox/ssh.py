"""Forwarding an SSH agent into a container.

The container gets a socket of its own; a thread per connection relays to the host's agent, or to
a private ssh-agent holding the keys given. Only listing keys and signing pass; requests that would
change the agent (add, remove, lock, extensions) are answered with a failure
(draft-ietf-sshm-ssh-agent, "Protocol messages").
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from jettison.errors import SandboxError
from jettison.sandbox import spawn
from jettison.sandbox.inroot import own

_REQUEST_IDENTITIES = 11
_SIGN_REQUEST = 13
_FAILURE = struct.pack(">IB", 1, 5)
_MAX_MESSAGE = 256 << 10
"""Bytes; the limit of OpenSSH's agent."""
_START_SECONDS = 5.0


@contextmanager
def agent(paths: Sequence[str], environment: Mapping[str, str], *, scratch: str) -> Iterator[str]:
    """The path of an agent's socket for ``paths``, as --ssh gives them.

    None means $SSH_AUTH_SOCK of ``environment``; one socket means that agent; else they are private
    keys, and an agent of our own holds them while the context lasts. ``scratch`` is a private
    directory. Raises SandboxError saying what is missing.
    """
    if not paths:
        path = environment.get("SSH_AUTH_SOCK", "")
        if not _is_socket(path):
            raise SandboxError(
                f"no SSH agent: SSH_AUTH_SOCK is {path!r}" if path else "no SSH agent is running",
                hint="start one (eval $(ssh-agent); ssh-add), or name a key: --ssh default=KEY",
            )
        yield path
    elif len(paths) == 1 and _is_socket(paths[0]):
        yield paths[0]
    else:
        keys = [_read_key(path) for path in paths]
        with _own_agent(scratch) as path:
            for name, key in zip(paths, keys, strict=True):
                _add_key(path, name, key)
            yield path


@contextmanager
def forwarded(listen: str, upstream: str, *, uid: int, gid: int, mode: int) -> Iterator[None]:
    """Serve the agent at ``upstream`` on a new socket ``listen`` with this owner and mode."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        with _short(listen) as path:
            server.bind(path)
        own(listen, uid, gid, mode)
        server.listen()
        thread = threading.Thread(
            target=_accept, args=(server, upstream), name="ssh-agent", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def _short(path: str) -> Iterator[str]:
    """Another name of the socket ``path``: only 107 bytes fit in a socket's address (unix(7))."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    finally:
        os.close(directory)


def _accept(server: socket.socket, upstream: str) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, upstream), daemon=True).start()


def _serve(client: socket.socket, upstream: str) -> None:
    host = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(OSError), client, host:
        with _short(upstream) as path:
            host.connect(path)
        while (message := _receive(client)) is not None:
            if message[4] not in (_REQUEST_IDENTITIES, _SIGN_REQUEST):
                client.sendall(_FAILURE)
                continue
            host.sendall(message)
            answer = _receive(host)
            if answer is None:
                return
            client.sendall(answer)


def _receive(connection: socket.socket) -> bytes | None:
    """One message with its length; None at the end or for one that is empty or too long."""
    head = _exactly(connection, 4)
    if head is None:
        return None
    length = struct.unpack(">I", head)[0]
    if not 0 < length <= _MAX_MESSAGE:
        return None
    body = _exactly(connection, length)
    return None if body is None else head + body


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return bytes(data)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _read_key(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_MESSAGE)
    except OSError as error:
        raise SandboxError(f"cannot read SSH key {path}: {error.strerror}") from error
    if b"PRIVATE KEY" not in data:
        raise SandboxError(
            f"{path} is neither an agent's socket nor a private SSH key",
            hint="give the private key, not the .pub file" if data[:3] == b"ssh" else None,
        )
    return data


@contextmanager
def _own_agent(scratch: str) -> Iterator[str]:
    program = shutil.which("ssh-agent")
    if program is None or shutil.which("ssh-add") is None:
        raise SandboxError(
            "ssh-agent and ssh-add are needed to use SSH keys and are not installed",
            hint="install openssh-client, or forward a running agent with --ssh default",
        )
    path = os.path.join(scratch, "agent")
    child = spawn.Child(
        [program, "-D", "-a", "agent"],
        new_pids=False,
        launcher=spawn.choose(),
        env=_environment(),
        cwd=scratch,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_socket(path):
            if child.wait(0.005) is not None or time.monotonic() > deadline:
                raise SandboxError("ssh-agent did not start")
        yield path
    finally:
        child.kill()
        child.close()
        with suppress(OSError):
            os.unlink(path)


def _add_key(agent_socket: str, name: str, key: bytes) -> None:
    """Give a key on standard input, where ssh-add does not mind the permissions of its file."""
    result = subprocess.run(
        ["ssh-add", "-q", "-"],
        input=key if key.endswith(b"\n") else key + b"\n",
        capture_output=True,
        env=_environment(),
        cwd=os.path.dirname(agent_socket),
        start_new_session=True,  # no terminal to ask for a passphrase
        timeout=30,
        check=False,
    )
    if result.returncode != 0:
        said = result.stderr.decode(errors="replace").strip()
        raise SandboxError(
            f"cannot use SSH key {name}: {said or 'ssh-add refused it'}",
            hint="a key with a passphrase must be in an agent: ssh-add it, then use --ssh default",
        )


def _environment() -> dict[str, str]:
    """For programs that run in the agent's directory, so that its name is short."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "SSH_AUTH_SOCK": "agent",
        "SSH_ASKPASS_REQUIRE": "never",
    }
