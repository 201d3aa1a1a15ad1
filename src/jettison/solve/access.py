"""What authorizes ADD at remote sources: secrets of the build, and its ssh agent.

The names of the secrets are BuildKit's (source/http and source/git).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

_GITHUB = ("https://github.com/", "https://www.github.com/")


class Access(Struct, frozen=True):
    """``secret(id)`` is a secret's value, ``agent(id)`` the path of an ssh agent's socket; None if
    the build was given none of that id.
    """

    secret: Callable[[str], bytes | None]
    agent: Callable[[str], str | None]

    def http(self, url: str) -> str:
        """The Authorization header for ``url``, or nothing.

        The secret HTTP_AUTH_TOKEN_<host> is a bearer token, HTTP_AUTH_HEADER_<host> a whole value;
        the token goes first. Hosts are without port.
        """
        host = _parts(url)[0]
        token = self._text(f"HTTP_AUTH_TOKEN_{host}")
        if token is not None:
            return f"Bearer {token}"
        return self._text(f"HTTP_AUTH_HEADER_{host}") or ""

    def git(self, url: str, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of git for ``url``: ``environ`` with what authorizes there.

        For HTTP the first of GIT_AUTH_HEADER.<host>, GIT_AUTH_TOKEN.<host> (hosts with their port),
        GIT_AUTH_HEADER and GIT_AUTH_TOKEN, sent to that repository only (on github.com to all, for
        submodules); for SSH the agent ``default``.
        """
        env = dict(environ)
        host, place = _parts(url)
        if not url.startswith(("http://", "https://")):
            agent = self.agent("default")
            return env if agent is None else {**env, "SSH_AUTH_SOCK": agent}
        for suffix in (f".{host}" if place is None else f".{host}:{place}", ""):
            header = self._text(f"GIT_AUTH_HEADER{suffix}")
            token = self._text(f"GIT_AUTH_TOKEN{suffix}") if header is None else None
            if token is not None:
                pair = base64.b64encode(os.fsencode(f"x-access-token:{token}")).decode()
                header = f"basic {pair}"
            if header is not None:
                scope = next((prefix for prefix in _GITHUB if url.startswith(prefix)), url)
                return _configured(env, f"http.{scope}.extraheader", f"Authorization: {header}")
        return env

    def _text(self, name: str) -> str | None:
        value = self.secret(name)
        return None if value is None else os.fsdecode(value).strip()


def _parts(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None


def _configured(env: dict[str, str], key: str, value: str) -> dict[str, str]:
    """``env`` with one more setting of git, not on the command line, where others could read it."""
    count = int(env.get("GIT_CONFIG_COUNT") or 0)
    env[f"GIT_CONFIG_KEY_{count}"] = key
    env[f"GIT_CONFIG_VALUE_{count}"] = value
    env["GIT_CONFIG_COUNT"] = str(count + 1)
    return env
