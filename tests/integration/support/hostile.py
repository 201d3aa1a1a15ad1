"""A server that says whatever a test wants, byte by byte if need be, and notes all requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

from tests.integration.support.faults import Request


class Talk:
    """One request: ``reply`` answers it, ``raw`` writes bytes as they are."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self.request = handler.asked

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        handler = self._handler
        handler.send_response(status)
        given = {"Content-Length": str(len(body)), **(headers or {})}
        for key, value in given.items():
            if value:
                handler.send_header(key, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)
        if not given["Content-Length"]:
            handler.close_connection = True

    def raw(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()
        self._handler.close_connection = True

    def body(self) -> bytes:
        stream: BufferedIOBase = self._handler.rfile
        return stream.read(int(self._handler.headers.get("Content-Length") or 0))


Answer = Callable[[Talk], None]


class Hostile:
    """``host`` is where it listens. ``on`` says what it answers; to all else, 404."""

    def __init__(self) -> None:
        self.host = ""
        self.requests: list[Request] = []
        self.connections = 0
        self.closing = threading.Event()
        self._answers: list[tuple[str, str, Answer]] = []

    def on(self, method: str, part: str, answer: Answer) -> None:
        """Answer requests of ``method`` whose path contains ``part``; the first fit counts."""
        self._answers.append((method, part, answer))

    def gives(
        self,
        method: str,
        part: str,
        body: bytes = b"",
        status: int = 200,
        **headers: str,
    ) -> None:
        """As `on`; underscores in the headers' names are hyphens."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.on(method, part, lambda talk: talk.reply(status, body, named))

    def find(self, request: Request) -> Answer:
        self.requests.append(request)
        for method, part, answer in self._answers:
            if method == request.method and part in request.path:
                return answer
        return lambda talk: talk.reply(404)

    def saw_credentials(self) -> bool:
        return any("authorization" in request.headers for request in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hostile: Hostile
    asked: Request

    def setup(self) -> None:
        super().setup()
        self.hostile.connections += 1

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.asked = Request(self.command, self.path, headers)
        try:
            self.hostile.find(self.asked)(Talk(self))
        except OSError:
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def run_hostile(address: str = "127.0.0.1") -> Iterator[Hostile]:
    """A Hostile on loopback; ``::1`` is the other address it may have."""
    hostile = Hostile()
    handler = type("Handler", (_Handler,), {"hostile": hostile})
    kind = _Server6 if ":" in address else ThreadingHTTPServer
    server = kind((address, 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    shown = f"[{address}]" if ":" in address else address
    hostile.host = f"{shown}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hostile
    finally:
        hostile.closing.set()
        server.shutdown()
        server.server_close()
