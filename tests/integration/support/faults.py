"""A proxy before a registry that misbehaves as told, and remembers what it was asked."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

MAX_ENDLESS = 64 << 20
"""Bytes after which even an endless body ends, so that a failing test ends too."""

_HOP = {"connection", "content-length", "transfer-encoding", "date", "server"}


@dataclass(frozen=True)
class Fault:
    """What to do with a request.

    ``status`` answers in the registry's place, with ``headers`` and ``body``. ``headers`` alone
    replace those of the registry's answer, ``body`` alone its body (a function of it). ``cut`` is
    the number of bytes of the answer's body after which the connection is cut, ``stall`` the
    seconds of silence after these bytes. ``endless`` repeats the body. ``cut_request`` cuts after
    so many bytes of the request's body were handed on; ``drop`` answers nothing at all.
    ``no_range`` hides from the registry that only a part is asked for.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    stall: float = 0
    endless: bool = False
    cut_request: int | None = None
    no_range: bool = False
    drop: bool = False


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class _Rule:
    method: str
    pattern: re.Pattern[str]
    fault: Fault
    times: int


class FaultProxy:
    """``host`` is where it listens; ``requests`` what it was asked, in order."""

    def __init__(self, upstream: str, host: str) -> None:
        self.upstream = upstream
        self.host = host
        self.requests: list[Request] = []
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def on(self, method: str, path: str, fault: Fault, times: int = 1) -> None:
        """Do ``fault`` for the next ``times`` requests whose path has a match of ``path``."""
        self._rules.append(_Rule(method, re.compile(path), fault, times))

    def take(self, request: Request) -> Fault:
        """The fault for a request (an empty one means: hand it on)."""
        with self._lock:
            self.requests.append(request)
            for rule in self._rules:
                hit = rule.method == request.method and rule.pattern.search(request.path)
                if hit and rule.times > 0:
                    rule.times -= 1
                    return rule.fault
        return Fault()

    def count(self, method: str, path: str = "") -> int:
        """How many requests of this kind there were."""
        return sum(r.method == method and bool(re.search(path, r.path)) for r in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def log_message(self, *arguments: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.forward()

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD

    def forward(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        fault = self.proxy.take(Request(self.command, self.path, headers))
        if fault.drop:
            self.cut()
            return
        if fault.status is not None:
            self.drain()
            self.reply(fault.status, dict(fault.headers), fault.body or b"", fault)
            return
        length = int(headers.get("content-length", "0"))
        if fault.no_range:
            headers.pop("range", None)
        upstream = http.client.HTTPConnection(self.proxy.upstream, timeout=20)
        try:
            body = _Body(self.rfile, length, fault.cut_request)
            passed = {k: v for k, v in headers.items() if k != "connection"}
            upstream.request(self.command, self.path, body=body if length else None, headers=passed)
            answer = upstream.getresponse()
            data = answer.read()
        except _CutError:
            upstream.sock.close()
            self.cut()
            return
        finally:
            upstream.close()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
        kept.update(fault.headers)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else None
        data = fault.body if fault.body is not None else data
        self.reply(answer.status, kept, data, fault, size)

    def reply(
        self,
        status: int,
        headers: dict[str, str],
        body: bytes,
        fault: Fault,
        size: str | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if fault.endless:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 204:
            self.send_header("Content-Length", size or str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.endless:
            self.endless(body or b"x" * 65536)
            return
        stop = len(body) if fault.cut is None else fault.cut
        self.wfile.write(body[:stop])
        self.wfile.flush()
        if fault.stall:
            time.sleep(fault.stall)
        if fault.cut is not None:
            self.cut()

    def endless(self, body: bytes) -> None:
        piece = body * (65536 // len(body) + 1)  # small ones would look like a stalled answer
        sent = 0
        while sent < MAX_ENDLESS:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            sent += len(piece)
        self.cut()

    def drain(self) -> None:
        left = int(self.headers.get("Content-Length", "0"))
        while left > 0 and (data := self.rfile.read(min(left, 65536))):
            left -= len(data)

    def cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class _CutError(Exception):
    pass


class _Body:
    """The body of a request on its way upstream, cut if so wanted."""

    def __init__(self, stream: BufferedIOBase, length: int, cut: int | None) -> None:
        self._stream = stream
        self._left = length
        self._until_cut = cut

    def read(self, size: int = 65536) -> bytes:
        if self._until_cut is not None and self._until_cut <= 0:
            raise _CutError
        limit = size if self._until_cut is None else min(size, self._until_cut)
        data = self._stream.read(min(limit, self._left))
        self._left -= len(data)
        if self._until_cut is not None:
            self._until_cut -= len(data)
        return data


@contextmanager
def run_fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A FaultProxy before ``upstream`` (host:port, plain HTTP)."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    proxy = FaultProxy(upstream, f"127.0.0.1:{server.server_address[1]}")
    handler.proxy = proxy  # type: ignore[attr-defined]  # the class is made at run time
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
