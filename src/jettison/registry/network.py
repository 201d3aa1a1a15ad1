"""Sockets under the HTTP library: they can be cut off at once, and notice a crawling peer.

A blocking read ends only when bytes come or its time is up. To stop sooner, another thread shuts
the socket down; so all open ones are known here. Connecting (and the look-up of names, for which
the system knows no time limit at all) happens in a thread that is left behind when it takes too
long.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import httpcore

from jettison.registry.settings import Settings

if TYPE_CHECKING:
    import ssl

_PIECE = 64 << 10
"""Bytes handed to the system at once: the time that each takes is looked at."""
_POLL = 0.05


class Network(httpcore.NetworkBackend):
    """Makes connections that `cancel` ends, all of them and those to come."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def cancel(self) -> None:
        """Shut all connections down: whoever reads or writes fails at once."""
        with self._lock:
            self._cancelled.set()
            for opened in self._sockets:
                _shut(opened)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises httpcore.ConnectTimeout or ConnectError (also when cancelled)."""
        backend = httpcore.SyncBackend()
        stream = self._aside(
            lambda: backend.connect_tcp(host, port, timeout, local_address, socket_options), timeout
        )
        return Stream(stream, self._settings, self._watch(stream))

    def _watch(self, stream: httpcore.NetworkStream) -> Callable[[httpcore.NetworkStream], None]:
        def watch(stream: httpcore.NetworkStream) -> None:
            opened = stream.get_extra_info("socket")
            with self._lock:
                self._sockets.add(opened)
                if self._cancelled.is_set():
                    _shut(opened)

        watch(stream)
        return watch

    def _aside(
        self, connect: Callable[[], httpcore.NetworkStream], timeout: float | None
    ) -> httpcore.NetworkStream:
        """Connect in another thread; nobody waits for it once it is cancelled or late."""
        done = threading.Event()
        given_up = threading.Event()
        result: list[httpcore.NetworkStream | BaseException] = []

        def run() -> None:
            try:
                result.append(connect())
            except BaseException as error:
                result.append(error)
            done.set()
            if given_up.is_set():
                _close(result)

        threading.Thread(target=run, name="connect", daemon=True).start()
        # The system's own limit is for each address of a host; look-ups have none.
        until = None if timeout is None else time.monotonic() + timeout + _POLL
        while not done.wait(_POLL):
            late = until is not None and time.monotonic() > until
            if late or self._cancelled.is_set():
                given_up.set()
                if done.is_set():
                    _close(result)
                raise httpcore.ConnectTimeout("too slow") if late else httpcore.ConnectError("cut")
        (found,) = result
        if isinstance(found, BaseException):
            raise found
        return found


class Stream(httpcore.NetworkStream):
    """A connection whose time spent waiting is weighed against the bytes that moved."""

    def __init__(
        self,
        inner: httpcore.NetworkStream,
        settings: Settings,
        watch: Callable[[httpcore.NetworkStream], None],
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._watch = watch
        self._reading = Pace(settings)
        self._writing = Pace(settings)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises httpcore.ReadTimeout (also of a crawling peer) or ReadError."""
        began = time.monotonic()
        data = self._inner.read(max_bytes, timeout)
        if not self._reading.moved(len(data), time.monotonic() - began):
            raise httpcore.ReadTimeout("too slow")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises httpcore.WriteTimeout (also of a crawling peer) or WriteError."""
        self._reading = Pace(self._settings)  # an answer begins, and may let itself be waited for
        view = memoryview(buffer)
        for start in range(0, len(view), _PIECE):
            began = time.monotonic()
            piece = view[start : start + _PIECE]
            self._inner.write(piece, timeout)  # type: ignore[arg-type]  # send(2) takes any buffer
            if not self._writing.moved(len(piece), time.monotonic() - began):
                raise httpcore.WriteTimeout("too slow")

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Raises httpcore.ConnectTimeout or ConnectError."""
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout)
        self._watch(inner)
        return Stream(inner, self._settings, self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Pace:
    """Notices a transfer that does move, but so slowly that it will not end.

    Only time spent waiting for the other side counts, and not what happens here in between.
    """

    def __init__(self, settings: Settings) -> None:
        self._window = settings.read_timeout
        self._least = settings.slowest * settings.read_timeout
        self._waited = 0.0
        self._bytes = 0

    def moved(self, count: int, seconds: float) -> bool:
        """Note that ``count`` bytes took ``seconds``; False if too few came in the last window."""
        self._bytes += count
        self._waited += seconds
        if self._waited < self._window:
            return True
        if self._bytes < self._least:
            return False
        self._waited, self._bytes = 0.0, 0
        return True


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not the method of ssl.SSLSocket: that one takes the TLS state from under its reader.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


def _close(result: list[httpcore.NetworkStream | BaseException]) -> None:
    for found in result:
        if isinstance(found, httpcore.NetworkStream):
            found.close()
