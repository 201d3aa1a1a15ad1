"""HTTP for registries: one connection pool per host, retries, guarded redirects, cancelling.

httpx.Client objects are safe to share between threads. Redirects are followed here and not by
httpx: what is confidential must stay behind, and TLS must not be left.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from jettison.errors import Cancelled, RegistryError
from jettison.registry.failures import LostConnectionError, clean, retry_after
from jettison.registry.hosts import may_be_plain, origin
from jettison.registry.proxies import proxy_for
from jettison.registry.settings import Settings
from jettison.registry.tls import Trust, speaks_tls

if TYPE_CHECKING:
    import httpx

    from jettison.registry.network import Network

Body = bytes | Iterable[bytes] | None

PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed a little later."""

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "POST"})
"""Methods that may be sent again when nobody knows whether they took effect. A PUT puts the same
there; a POST begins an upload or asks for a token, and a second one does no harm. A PATCH appends,
and a registry may have done so already: the uploader asks it first.
"""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10
_CONFIDENTIAL = frozenset({"authorization", "cookie", "proxy-authorization"})


class Transport:
    """Sends requests. ``close`` it at the end; it is a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._trust = Trust(settings)
        self._clients: dict[tuple[str, str, int], httpx.Client] = {}
        self._schemes: dict[str, str] = {}
        self._cancelled = threading.Event()
        self._network: Network | None = None

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def cancel(self) -> None:
        """End all that goes on and all that comes with Cancelled: waits between attempts, and
        reads and writes, whose connections are shut down. Any thread may call it.
        """
        self._cancelled.set()
        with self._lock:
            network = self._network
        if network is not None:
            network.cancel()

    def check(self) -> None:
        """Raise Cancelled once `cancel` was called."""
        if self._cancelled.is_set():
            raise Cancelled

    def scheme(self, address: str) -> str:
        """``https``, except for a host that may be plain and does not speak TLS."""
        if not may_be_plain(address, self.settings):
            return "https"
        with self._lock:
            if address not in self._schemes:
                self._schemes[address] = "https" if speaks_tls(address) else "http"
            return self._schemes[address]

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], content: Body = None
    ) -> httpx.Response:
        """The response to one request, its body unread: read or close it.

        Waits and tries again (if the body can be sent again) when the connection fails or the
        status says that it may pass. Raises LostConnectionError when that does not help; every
        status is returned, redirects excepted.
        """
        again = method in _REPEATABLE and (content is None or isinstance(content, bytes))
        attempts = self.settings.attempts if again else 1
        for attempt in range(1, attempts + 1):
            asked: float | None = None
            if self._cancelled.is_set():
                raise Cancelled
            try:
                response = self._follow(method, url, dict(headers), content)
            except LostConnectionError as error:
                if not error.passing or attempt == attempts:
                    raise
            else:
                if response.status_code not in PASSING_STATUS or attempt == attempts:
                    return response
                asked = retry_after(response.headers.get("Retry-After"))
                if asked is not None and asked > self.settings.longest_wait:
                    return response
                response.close()
            self.pause(attempt, asked)
        raise AssertionError("unreachable")

    def pause(self, attempt: int, asked: float | None = None) -> None:
        """Wait after failed attempt number ``attempt`` (from 1): what the server asked for, else
        twice as long each time, shortened at random so that clients do not return together.
        """
        longest = self.settings.backoff * float(2 ** (attempt - 1))
        wait = longest * random.uniform(0.5, 1.0)
        if asked is not None:
            wait = asked + random.uniform(0.0, self.settings.backoff)
        if self._cancelled.wait(min(wait, self.settings.longest_wait)):
            raise Cancelled

    def whole(
        self, ask: Callable[[], httpx.Response], limit: int, what: str
    ) -> tuple[bytes, httpx.Response]:
        """The body of what ``ask`` gives, asked for again when it is cut; raises as `read`."""
        for attempt in range(1, self.settings.attempts + 1):
            response = ask()
            try:
                return self.read(response, limit, what), response
            except LostConnectionError:
                if attempt == self.settings.attempts:
                    raise
            self.pause(attempt)
        raise AssertionError("unreachable")

    def read(self, response: httpx.Response, limit: int, what: str) -> bytes:
        """The whole body, of at most ``limit`` bytes; closes the response.

        Raises RegistryError if it is longer, LostConnectionError if it is cut or too slow.
        """
        import httpx

        data = bytearray()
        try:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > limit:
                    raise RegistryError(f"{what}: the answer is longer than {limit} bytes")
        except httpx.HTTPError as error:
            lost = self.failed(error, str(response.url))
            raise LostConnectionError(f"{what}: {lost.message}", hint=lost.hint) from None
        finally:
            response.close()
        return bytes(data)

    def _follow(
        self, method: str, url: str, headers: dict[str, str], content: Body
    ) -> httpx.Response:
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._send(method, url, headers, content)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or location is None:
                return response
            response.close()
            target = self.location(url, location)
            if origin(target) != origin(url):
                headers = {k: v for k, v in headers.items() if k.lower() not in _CONFIDENTIAL}
                if content is not None:
                    raise RegistryError(f"{_host(url)} redirects an upload to {_host(target)}")
            if content is not None and not isinstance(content, bytes):
                raise RegistryError(f"{_host(url)} redirects an upload that has been sent")
            if response.status_code == 303 and method != "HEAD":
                method, content = "GET", None
            url = target
        raise RegistryError(f"{_host(url)} redirects without end")

    def location(self, url: str, location: str) -> str:
        """The absolute URL of a Location header that came in the answer to ``url``.

        A registry behind a proxy that ends TLS may name itself with http: that is read as https.
        Raises RegistryError if the location is malformed or leaves TLS.
        """
        try:
            target = urljoin(url, location)
        except ValueError:
            raise RegistryError(f"{_host(url)} sent a malformed Location") from None
        scheme, _, _ = origin(target)
        if scheme == "http" and origin(url)[0] == "https":
            if urlsplit(target).netloc != urlsplit(url).netloc:
                raise RegistryError(f"{_host(url)} redirects to {clean(_host(target))} without TLS")
            target = "https" + target.removeprefix("http")
        return target

    def _send(
        self, method: str, url: str, headers: dict[str, str], content: Body
    ) -> httpx.Response:
        import httpx

        self.check()
        client = self._client(url)
        try:
            request = client.build_request(method, url, headers=headers, content=content)
            # Without auth=None a user name in a URL would be sent as credentials.
            return client.send(request, stream=True, auth=None, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.failed(error, url) from None

    def failed(self, error: Exception, url: str) -> LostConnectionError:
        """What an httpx error means; raises Cancelled if it comes of `cancel`."""
        self.check()
        return failed_connection(error, url)

    def _client(self, url: str) -> httpx.Client:
        key = origin(url)
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._make_client(*key, _host(url))
            return client

    def _make_client(self, scheme: str, host: str, port: int, address: str) -> httpx.Client:
        import httpx

        from jettison.registry.network import Network

        if self._network is None:
            self._network = Network(self.settings)
            if self._cancelled.is_set():
                self._network.cancel()
        proxy = proxy_for(scheme, host if ":" not in host else f"[{host}]", port, os.environ)
        try:
            transport = httpx.HTTPTransport(
                verify=self._trust.context(address) if scheme == "https" else False,
                # No limit on connections: whoever holds streams open must not wait for
                # a connection that only closing one of them sets free.
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=self.settings.parallel + 2
                ),
                proxy=proxy,
            )
        except ImportError:
            raise RegistryError(
                "SOCKS proxies are not supported", hint="name an HTTP proxy in HTTPS_PROXY"
            ) from None
        # httpcore takes a network backend, but httpx has no way to hand one on.
        transport._pool._network_backend = self._network
        return httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(
                self.settings.read_timeout, connect=self.settings.connect_timeout, pool=None
            ),
            trust_env=False,
            headers={
                "User-Agent": self.settings.user_agent,
                # Digests are of the bytes as stored: no compression on the way.
                "Accept-Encoding": "identity",
            },
        )


def failed_connection(error: Exception, url: str) -> LostConnectionError:
    """What an httpx error means to the user, and whether it may pass."""
    import socket
    import ssl

    import httpx

    host = _host(url)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return LostConnectionError(
                f"{host}: its certificate is not trusted: {cause.verify_message}",
                passing=False,
                hint=f"put its CA into /etc/docker/certs.d/{host}/ca.crt or SSL_CERT_FILE, or "
                "name the host as insecure",
            )
        if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            return LostConnectionError(
                f"{host}: there is no such host ({cause.strerror})",
                passing=False,
                hint="check the name of the registry, and the network",
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        kind = "connecting" if isinstance(error, httpx.ConnectTimeout) else "waiting"
        return LostConnectionError(f"{host}: timed out {kind}")
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | httpx.UnsupportedProtocol):
        return LostConnectionError(f"{host}: {clean(str(error))}", passing=False)
    text = clean(str(error)) or type(error).__name__
    hint = f"{host} may speak plain HTTP only: then name it as insecure"
    return LostConnectionError(
        f"{host}: the connection failed: {text}",
        hint=hint if "WRONG_VERSION_NUMBER" in text else None,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
