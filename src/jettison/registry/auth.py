"""Answering a registry's challenge: HTTP Basic, or a Bearer token from its token server.

RFC 9110 section 11.6.1 (WWW-Authenticate); distribution's token and OAuth2 specifications.
Credentials are looked up only once a registry asks for them. They go to that registry, or to the
realm its own challenge names, and nowhere else; never over plain HTTP unless the registry itself
is one that may be spoken to so.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode, urlsplit, urlunsplit

from jettison.errors import AuthError, RegistryError
from jettison.registry.config import Credential, CredentialSource
from jettison.registry.failures import clean, read_error
from jettison.registry.hosts import Endpoint, may_be_plain, origin

if TYPE_CHECKING:
    import httpx

    from jettison.registry.transport import Transport

CLIENT_ID = "jettison"
_MAX_TOKEN = 1 << 20
_LIFETIME = 60.0  # seconds; the least a token server may give (token specification)
_LONGEST_LIFETIME = 86400.0
_MARGIN = 5.0  # seconds before its end from which a token is not used any more
_TOKEN_FORM = re.compile(r"^[\x21-\x7e]+$")
_PARAMETER = re.compile(r'\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_SCHEME = re.compile(r"\s*([A-Za-z][\w-]*)(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: ``scheme`` in lower case, its parameters."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(headers: list[str]) -> list[Challenge]:
    """The challenges in WWW-Authenticate headers; what is malformed is left out."""
    found: list[Challenge] = []
    for text in headers:
        position = 0
        while scheme := _SCHEME.match(text, position):
            position = scheme.end()
            parameters: dict[str, str] = {}
            while pair := _PARAMETER.match(text, position):
                quoted = pair[2] is not None
                value = re.sub(r"\\(.)", r"\1", pair[2]) if quoted else pair[3]
                parameters[pair[1].lower()] = value
                position = pair.end()
            found.append(Challenge(scheme[1].lower(), parameters))
    return found


@dataclass(frozen=True, slots=True)
class Token:
    value: str
    expires: float  # on the monotonic clock
    refresh: str = ""


class Authorizer:
    """What to send as Authorization to one endpoint. Safe to use from several threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: CredentialSource,
        transport: Transport,
        *,
        plain: bool,
        offline: bool = False,
    ) -> None:
        """``plain`` says that the endpoint is spoken to without TLS; with ``offline`` an identity
        token is asked for too, and is then in ``identity_token``.
        """
        self.identity_token = ""
        self._endpoint = endpoint
        self._plain = plain
        self._offline = offline
        self._credentials = credentials
        self._transport = transport
        self._lock = threading.Lock()
        self._basic: str | None = None
        self._bearer: Challenge | None = None
        self._tokens: dict[frozenset[str], Token] = {}

    def header(self, scopes: frozenset[str]) -> str | None:
        """The Authorization for a request that needs ``scopes``; None until challenged.

        Raises AuthError if a token is needed and is refused.
        """
        with self._lock:
            if self._basic is not None:
                return self._basic
            if self._bearer is None:
                return None
            token = self._tokens.get(scopes)
            if token is None or token.expires <= time.monotonic():
                token = self._tokens[scopes] = self._fetch(self._bearer, scopes)
            return f"Bearer {token.value}"

    def challenged(self, sent: str | None, headers: list[str], scopes: frozenset[str]) -> None:
        """Take in the challenge of a 401, so that ``header`` answers it from now on.

        ``sent`` is the Authorization that was refused, if any. Raises AuthError if there is
        nothing better to send.
        """
        challenges = {c.scheme: c for c in reversed(parse_challenges(headers))}
        with self._lock:
            if "bearer" in challenges:
                self._basic = None
                self._bearer = challenges["bearer"]
                token = self._tokens.get(scopes)
                if token is not None and sent == f"Bearer {token.value}":
                    del self._tokens[scopes]
            elif "basic" in challenges:
                self._basic = self._basic_header(sent)
            else:
                raise AuthError(
                    f"{self._host} wants a kind of authentication that is not supported: "
                    + (clean(", ".join(challenges)) or "its challenge is empty")
                )

    @property
    def _host(self) -> str:
        return self._endpoint.host

    def _credential(self) -> Credential | None:
        return self._credentials.lookup(self._host, self._endpoint.path)

    def _basic_header(self, sent: str | None) -> str:
        credential = self._credential()
        hint = f"log in with: jettison login {self._host}"
        if credential is None or not credential.username:
            raise AuthError(f"{self._host} wants a user name and a password", hint=hint)
        header = basic(credential.username, credential.password)
        if sent == header:
            raise AuthError(
                f"{self._host} rejects the password of {credential.username!r}", hint=hint
            )
        return header

    def _fetch(self, challenge: Challenge, scopes: frozenset[str]) -> Token:
        credential = self._credential()
        if credential is not None and credential.registry_token:
            return Token(credential.registry_token, float("inf"))
        realm = check_realm(challenge, self._endpoint, self._plain, self._transport)
        asked = scopes | frozenset(challenge.parameters.get("scope", "").split())
        service = challenge.parameters.get("service", "")
        token = fetch_token(
            self._transport,
            realm,
            service=service,
            scopes=asked,
            credential=credential,
            host=self._host,
            offline=self._offline,
        )
        self.identity_token = token.refresh
        return token


def basic(username: str, password: str) -> str:
    """The Authorization header of HTTP Basic (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def check_realm(challenge: Challenge, endpoint: Endpoint, plain: bool, transport: Transport) -> str:
    """The token server's URL, if credentials for ``endpoint`` may go there.

    It must be https; plain http only if both the registry is spoken to so and the token server
    is a host that may be. Raises AuthError.
    """
    realm = challenge.parameters.get("realm", "")
    try:
        scheme, _, _ = origin(realm)
    except RegistryError:
        raise AuthError(f"{endpoint.host} names no valid token server: {clean(realm)!r}") from None
    address = urlsplit(realm).netloc
    if "@" in address:
        raise AuthError(f"{endpoint.host} names a token server with a password in its URL")
    if scheme == "http" and not (plain and may_be_plain(address, transport.settings)):
        raise AuthError(
            f"{endpoint.host} names a token server without TLS: {clean(realm)}",
            hint="credentials are not sent over plain HTTP",
        )
    return realm


def fetch_token(
    transport: Transport,
    realm: str,
    *,
    service: str,
    scopes: frozenset[str],
    credential: Credential | None,
    host: str,
    offline: bool = False,
) -> Token:
    """Ask the token server: by POST with an identity token, else by GET with the password, if
    there is one. ``offline`` asks for an identity token too.

    Raises AuthError if it refuses, RegistryError if its answer is nonsense.
    """
    fields = [("service", service)] if service else []
    fields += [("scope", scope) for scope in sorted(scopes)]
    headers = {"Accept": "application/json"}
    content = None
    method = "GET"
    if credential is not None and credential.identity_token:
        method = "POST"
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credential.identity_token,
            "service": service,
            "client_id": CLIENT_ID,
            "scope": " ".join(sorted(scopes)),
        }
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        content = urlencode(form).encode()
    else:
        if credential is not None:
            headers["Authorization"] = basic(credential.username, credential.password)
            fields.append(("account", credential.username))
        if offline:
            fields += [("offline_token", "true"), ("client_id", CLIENT_ID)]
        realm = _with_query(realm, fields)

    def ask() -> httpx.Response:
        response = transport.request(method, realm, headers=headers, content=content)
        if response.status_code != 200:
            _refused(response, host, credential)
        return response

    body, _ = transport.whole(ask, _MAX_TOKEN, f"{host}: token")
    return _read_token(body, host)


def _refused(response: httpx.Response, host: str, credential: Credential | None) -> NoReturn:
    status = response.status_code
    said = read_error(response)
    kind = AuthError if status in (400, 401, 403) else RegistryError
    who = f" for {credential.username!r}" if credential and credential.username else ""
    text = f"{said} (status {status})" if said else f"status {status}"
    raise kind(
        f"{host}: the token server refuses a token{who}: {text}",
        hint=f"log in with: jettison login {host}",
    )


def _with_query(url: str, fields: list[tuple[str, str]]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(fields))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _read_token(body: bytes, host: str) -> Token:
    import json

    document: Any
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RegistryError(f"{host}: the token server's answer is not a JSON object")
    value = document.get("token") or document.get("access_token")
    if not isinstance(value, str) or not _TOKEN_FORM.match(value):
        raise RegistryError(f"{host}: the token server's answer holds no token")
    lifetime = document.get("expires_in")
    seconds = lifetime if isinstance(lifetime, int | float) else 0
    refresh = document.get("refresh_token")
    expires = time.monotonic() + min(max(seconds, _LIFETIME), _LONGEST_LIFETIME) - _MARGIN
    return Token(value, expires, refresh if isinstance(refresh, str) else "")
