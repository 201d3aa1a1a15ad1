"""Credential helpers: programs named ``docker-credential-<name>`` that keep secrets.

The protocol (docker/docker-credential-helpers): one argument, the verb; the payload on standard
input; the answer as JSON on standard output. A failure is a status other than 0 with its message
on standard output.
"""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jettison.errors import AuthError
from jettison.registry.failures import clean

if TYPE_CHECKING:
    import subprocess

TOKEN_USER = "<token>"
"""The user name under which a helper keeps an identity token."""

_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_NOT_FOUND = "credentials not found in native keychain"
_MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Helper:
    """The helper ``docker-credential-<name>``, found on PATH. ``timeout`` (seconds) leaves the user
    time to unlock what it keeps secrets in.
    """

    name: str
    timeout: float = 60.0

    def get(self, server: str) -> tuple[str, str] | None:
        """User name and secret for ``server``, or None if the helper has none.

        Raises AuthError if the helper is missing, fails, or answers nonsense.
        """
        answer = self._call("get", server, missing_ok=True)
        if answer is None:
            return None
        document = self._json(answer)
        user, secret = document.get("Username"), document.get("Secret")
        if not isinstance(user, str) or not isinstance(secret, str):
            raise AuthError(f"{self.program} get: the answer lacks Username or Secret")
        return user, secret

    def store(self, server: str, user: str, secret: str) -> None:
        """Keep ``secret`` for ``server``. Raises AuthError."""
        import json

        self._call("store", json.dumps({"ServerURL": server, "Username": user, "Secret": secret}))

    def erase(self, server: str) -> bool:
        """Forget what is kept for ``server``; False if there was nothing. Raises AuthError."""
        return self._call("erase", server, missing_ok=True) is not None

    def list(self) -> dict[str, str]:
        """The servers the helper knows, with their user names. Raises AuthError."""
        document = self._json(self._call("list", "") or b"{}")
        return {key: value for key, value in document.items() if isinstance(value, str)}

    @property
    def program(self) -> str:
        return f"docker-credential-{self.name}"

    def _call(self, verb: str, payload: str, *, missing_ok: bool = False) -> bytes | None:
        import subprocess

        if not _NAME.match(self.name):
            raise AuthError(f"invalid name of a credential helper: {self.name[:80]!r}")
        try:
            process = subprocess.Popen(
                [self.program, verb],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise AuthError(
                f"credential helper {self.program} is not on PATH",
                hint="install it, or take it out of credsStore and credHelpers in config.json",
            ) from None
        except OSError as error:
            raise AuthError(f"credential helper {self.program} {verb} failed: {error}") from None
        conversation = _Conversation(process, payload.encode())
        out, err = conversation.finish(self.timeout)
        if conversation.late:
            raise AuthError(
                f"credential helper {self.program} {verb} does not answer within "
                f"{self.timeout:g} seconds",
                hint=f"run it by hand: echo SERVER | {self.program} get",
            )
        if len(out) > _MAX_ANSWER:
            raise AuthError(f"{self.program} {verb}: the answer is longer than {_MAX_ANSWER} bytes")
        if process.returncode == 0:
            return out
        said = clean((out or err).decode(errors="replace"))
        if missing_ok and said == _NOT_FOUND:
            return None
        raise AuthError(
            f"credential helper {self.program} {verb} failed: {said or process.returncode}"
        )

    def _json(self, answer: bytes) -> dict[str, object]:
        import json

        try:
            document = json.loads(answer)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            # The answer may hold a secret: it is not shown.
            raise AuthError(f"{self.program}: the answer is not a JSON object")
        return document


class _Conversation:
    """What a helper reads and writes, which may be nothing or without end.

    A helper that is killed may leave processes behind that hold its pipes open, so those are read
    by threads that nobody has to wait for.
    """

    def __init__(self, process: subprocess.Popen[bytes], payload: bytes) -> None:
        self.late = False
        self._process = process
        self._said = {name: bytearray() for name in ("stdout", "stderr")}
        self._threads = [
            threading.Thread(target=self._listen, args=(name,), daemon=True) for name in self._said
        ]
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._tell, args=(payload,), daemon=True).start()

    def finish(self, timeout: float) -> tuple[bytes, bytes]:
        """Standard output and error, of a little more than the limit at most."""
        import subprocess

        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.late = True
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        for thread in self._threads:
            thread.join(1.0)
        return bytes(self._said["stdout"]), bytes(self._said["stderr"])

    def _tell(self, payload: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as stream:
            stream.write(payload)

    def _listen(self, name: str) -> None:
        with getattr(self._process, name) as stream:
            while data := stream.read1(1 << 16):
                self._said[name] += data
                if len(self._said[name]) > _MAX_ANSWER:
                    self._process.kill()
                    return
