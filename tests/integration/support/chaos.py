"""A proxy before a registry in which a share of all requests fails, by a seed.

It passes bodies on as they come and counts what moves. Bodies of requests that fail do not reach
the registry, as with a proxy that buffers requests: docker-registry forgets an upload in which a
request was cut off, and then nothing can be resumed.
"""

from __future__ import annotations

import http.client
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

KINDS = ("500", "502", "503", "429", "reset", "lost", "cut", "stall")
_CHUNK = 256 << 10
_UPLOAD = re.compile(r"uploads/[^?]*\??.*?(digest=.*)?$")
_HOP = {"connection", "transfer-encoding", "date", "server"}


@dataclass
class Chaos:
    """``up`` and ``down`` are bytes of bodies from and to the client; ``ranges`` the requests for
    a part, ``patches`` the pieces of uploads, ``faults`` what went wrong how often.
    """

    upstream: str
    host: str = ""
    seed: int = 1
    rate: float = 0.3
    stall: float = 3.0
    up: int = 0
    down: int = 0
    requests: int = 0
    connections: int = 0
    ranges: int = 0
    patches: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, method: str, path: str) -> tuple[str, float]:
        """What goes wrong with a request (nothing: ""), and after which share of its body.

        It depends on what is asked for and how often it was, not on the order of threads.
        """
        key = method + _UPLOAD.sub(r"uploads/\1", path)
        with self._lock:
            self.requests += 1
            self._seen[key] += 1
            chance = random.Random(f"{self.seed} {key} {self._seen[key]}")
            if chance.random() >= self.rate:
                return "", 1.0
            kind = chance.choice(KINDS)
            self.faults[kind] += 1
            return kind, chance.random()

    def count(self, **moved: int) -> None:
        with self._lock:
            for name, value in moved.items():
                setattr(self, name, getattr(self, name) + value)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chaos: Chaos

    def setup(self) -> None:
        super().setup()
        self.chaos.count(connections=1)

    def log_message(self, *arguments: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def do_GET(self) -> None:
        kind, share = self.chaos.draw(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        self.chaos.count(ranges="Range" in self.headers, patches=self.command == "PATCH")
        if kind.isdigit():
            self.refuse(int(kind))
        elif kind == "reset" or (kind in ("cut", "stall") and length):
            _Counted(self.rfile, int(length * share), self.chaos).drain()
            self.end(kind)
        else:
            self.forward(length, kind, share)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

    def refuse(self, status: int) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def forward(self, length: int, kind: str, share: float) -> None:
        upstream = http.client.HTTPConnection(self.chaos.upstream, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            body = _Counted(self.rfile, length, self.chaos) if length else None
            upstream.request(self.command, self.path, body=body, headers=headers)
            answer = upstream.getresponse()
            if kind == "lost":
                self.end(kind)
                return
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in _HOP:
                    self.send_header(key, value)
            self.end_headers()
            size = 0 if self.command == "HEAD" else int(answer.getheader("Content-Length") or 0)
            left = int(size * share) if kind else size
            while left > 0 and (data := answer.read(min(_CHUNK, left))):
                self.wfile.write(data)
                self.chaos.count(down=len(data))
                left -= len(data)
            if kind:
                self.end(kind)
        finally:
            upstream.close()

    def end(self, kind: str) -> None:
        self.close_connection = True
        if kind == "stall":
            time.sleep(self.chaos.stall)
        elif kind in ("reset", "lost"):  # RST and not FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


class _Counted:
    """The body of a request, counted."""

    def __init__(self, stream: BufferedIOBase, length: int, chaos: Chaos) -> None:
        self._stream = stream
        self._left = length
        self._chaos = chaos

    def read(self, size: int = _CHUNK) -> bytes:
        data = self._stream.read(min(_CHUNK, self._left))
        self._left -= len(data)
        self._chaos.count(up=len(data))
        return data

    def drain(self) -> None:
        while self.read():
            pass


@contextmanager
def run_chaos(upstream: str, *, seed: int, rate: float = 0.3) -> Iterator[Chaos]:
    """A Chaos before ``upstream`` (host:port, plain HTTP)."""
    chaos = Chaos(upstream, seed=seed, rate=rate)
    handler = type("Handler", (_Handler,), {"chaos": chaos})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    chaos.host = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield chaos
    finally:
        server.shutdown()
        server.server_close()
