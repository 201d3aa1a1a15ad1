"""Logging in to registries and out of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from jettison.errors import AuthError
from jettison.model.reference import DEFAULT_HOST
from jettison.registry.config import ConfigFile, Credential, normal_key, server_key
from jettison.registry.helpers import TOKEN_USER
from jettison.registry.hosts import origin_endpoint
from jettison.registry.session import Session
from jettison.registry.settings import Settings
from jettison.registry.transport import Transport


def registry_host(text: str) -> str:
    """The registry that is meant by what a user writes: a host, a URL, or nothing (docker.io)."""
    return normal_key(text.strip()).partition("/")[0] or DEFAULT_HOST


@dataclass(frozen=True)
class _Given:
    credential: Credential

    def lookup(self, host: str, path: str) -> Credential | None:
        return self.credential


def login(
    host: str,
    username: str,
    password: str,
    *,
    config: ConfigFile,
    settings: Settings | None = None,
) -> str:
    """Check the password with the registry, then store it; returns where it is stored (a file or
    a helper's name).

    If the registry gives an identity token, that is stored and not the password. Raises AuthError
    if the registry rejects them or they cannot be stored, RegistryError if asking failed.
    """
    if not username or not password:
        raise AuthError("a user name and a password are needed", hint="neither may be empty")
    if ":" in username:
        raise AuthError("a user name holds no colon (RFC 7617)")
    token = _check(host, Credential(username, password), settings or Settings())
    helper = config.helper(host)
    if helper is not None:
        helper.store(server_key(host), TOKEN_USER if token else username, token or password)
        config.put(host, {})
        config.save()
        return helper.program
    secret = "" if token else password
    entry = {"auth": base64.b64encode(f"{username}:{secret}".encode()).decode()}
    if token:
        entry["identitytoken"] = token
    config.put(host, entry)
    config.save()
    return str(config.path)


def logout(host: str, *, config: ConfigFile) -> bool:
    """Forget what is stored for the registry; False if nothing was. Raises AuthError."""
    helper = config.helper(host)
    erased = helper is not None and helper.erase(server_key(host))
    dropped = config.drop(host)
    if dropped:
        config.save()
    return erased or dropped


def _check(host: str, credential: Credential, settings: Settings) -> str:
    """Ask for ``/v2/`` with the credential; returns the identity token, if one is given."""
    with Transport(settings) as transport:
        session = Session(origin_endpoint(host, ""), _Given(credential), transport, offline=True)
        try:
            session.request("GET", session.base_url(), scopes=(), what=host).close()
        except AuthError as error:
            raise AuthError(f"login to {host} failed: {error.message}") from None
        return session.identity_token
