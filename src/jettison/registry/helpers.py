"""Credential helpers: programs named ``docker-credential-<name>`` that keep secrets.

The protocol (docker/docker-credential-helpers): one argument, the verb; the payload on standard
input; the answer as JSON on standard output. A failure is a status other than 0 with its message
on standard output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jettison.errors import AuthError
from jettison.registry.failures import clean

TOKEN_USER = "<token>"
"""The user name under which a helper keeps an identity token."""

_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_NOT_FOUND = "credentials not found in native keychain"
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Helper:
    """The helper ``docker-credential-<name>``, found on PATH."""

    name: str

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
            done = subprocess.run(
                [self.program, verb],
                input=payload.encode(),
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            raise AuthError(
                f"credential helper {self.program} is not on PATH",
                hint="install it, or take it out of credsStore and credHelpers in config.json",
            ) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AuthError(f"credential helper {self.program} {verb} failed: {error}") from None
        if done.returncode == 0:
            return done.stdout
        said = clean((done.stdout or done.stderr).decode(errors="replace"))
        if missing_ok and said == _NOT_FOUND:
            return None
        raise AuthError(
            f"credential helper {self.program} {verb} failed: {said or done.returncode}"
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
