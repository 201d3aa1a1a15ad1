"""A token server, as docker-registry's ``auth.token`` wants one: it signs JWTs."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.integration.support.certs import Pair, der, make_signing_pair, sign

SERVICE, ISSUER = "test-service", "test-issuer"
REFRESH_TOKEN = "refresh-token-of-ada"


@dataclass
class TokenServer:
    """Gives anonymous clients ``pull`` on ``public/…`` and ``user`` everything.

    ``requests`` are the queries (or forms) received. ``lifetime`` is how long tokens are valid,
    ``gives_refresh`` whether an offline token is given to who asks for one.
    """

    pair: Pair
    user: str
    password: str
    url: str = ""
    lifetime: int = 300
    gives_refresh: bool = False
    requests: list[dict[str, list[str]]] = field(default_factory=list)

    def config(self) -> dict[str, str]:
        """The configuration of a registry that trusts this server."""
        return {
            "realm": f"{self.url}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self.pair.cert),
        }

    def answer(
        self, fields: dict[str, list[str]], authorization: str | None
    ) -> tuple[int, dict[str, Any]]:
        self.requests.append(fields)
        known = False
        if authorization is not None:
            expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if authorization != f"Basic {expected}":
                return 401, {"details": "incorrect username or password"}
            known = True
        if fields.get("grant_type") == ["refresh_token"]:
            if fields.get("refresh_token") != [REFRESH_TOKEN]:
                return 401, {"error": "invalid_grant"}
            known = True
        scopes = [s for text in fields.get("scope", []) for s in text.split()]
        access = [granted for scope in scopes if (granted := self._grant(scope, known))]
        token = self._sign(access)
        body: dict[str, Any] = {"token": token, "expires_in": self.lifetime}
        if fields.get("offline_token") == ["true"] and known and self.gives_refresh:
            body["refresh_token"] = REFRESH_TOKEN
        return 200, body

    def _grant(self, scope: str, known: bool) -> dict[str, Any] | None:
        kind, name, actions = scope.split(":", 2)
        granted = actions.split(",")
        if not known:
            granted = [a for a in granted if a == "pull" and name.startswith("public/")]
        return {"type": kind, "name": name, "actions": granted} if granted else None

    def _sign(self, access: list[dict[str, Any]]) -> str:
        now = int(time.time())
        x5c = base64.b64encode(der(self.pair)).decode()
        head = {"typ": "JWT", "alg": "RS256", "x5c": [x5c]}
        claims = {
            "iss": ISSUER,
            "sub": "",
            "aud": SERVICE,
            "exp": now + self.lifetime,
            "nbf": now - 10,
            "iat": now,
            "jti": str(len(self.requests)),
            "access": access,
        }
        text = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{text}.{_b64(sign(self.pair, text.encode()))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def run_token_server(directory: Path, user: str, password: str) -> Iterator[TokenServer]:
    """A token server on loopback that lives as long as the ``with`` block."""
    directory.mkdir(parents=True, exist_ok=True)
    state = TokenServer(make_signing_pair(directory), user, password)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            self.reply(parse_qs(urlsplit(self.path).query))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            self.reply(parse_qs(self.rfile.read(length).decode()))

        def reply(self, fields: dict[str, list[str]]) -> None:
            status, body = state.answer(fields, self.headers.get("Authorization"))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
