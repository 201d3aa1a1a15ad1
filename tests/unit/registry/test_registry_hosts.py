"""Where registries are, what may be plain, and where redirects may lead."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from jettison.errors import RegistryError
from jettison.registry.hosts import (
    Endpoint,
    endpoints,
    is_loopback,
    may_be_plain,
    origin,
    origin_endpoint,
)
from jettison.registry.settings import Settings
from jettison.registry.tls import Trust, speaks_tls
from jettison.registry.transport import Transport


def test_docker_hub_is_elsewhere() -> None:
    endpoint = origin_endpoint("docker.io", "library/debian")
    assert endpoint.url("https", "manifests", "12") == (
        "https://registry-1.docker.io/v2/library/debian/manifests/12"
    )
    assert endpoint.host == "docker.io"


def test_mirrors_come_first_and_may_have_a_prefix() -> None:
    settings = Settings(mirrors={"docker.io": ("mirror.lan:5000", "cache.lan/hub/")})
    assert endpoints("docker.io", "library/x", settings) == (
        Endpoint("mirror.lan:5000", "mirror.lan:5000", "library/x"),
        Endpoint("cache.lan", "cache.lan", "hub/library/x"),
        Endpoint("docker.io", "registry-1.docker.io", "library/x"),
    )
    assert len(endpoints("ghcr.io", "x", settings)) == 1
    with pytest.raises(RegistryError, match="invalid mirror"):
        endpoints("a", "x", Settings(mirrors={"a": ("https://b",)}))


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:5000", "127.0.0.1", "127.9.8.7:1", "[::1]:5000", "[::1]"]
)
def test_loopback(address: str) -> None:
    assert is_loopback(address) and may_be_plain(address, Settings())


@pytest.mark.parametrize(
    "address", ["localhost.example", "128.0.0.1", "127.0.0.1.example", "10.0.0.1:5000", "[::2]"]
)
def test_not_loopback(address: str) -> None:
    assert not is_loopback(address)
    assert not may_be_plain(address, Settings(insecure=frozenset({"other"})))
    assert may_be_plain(address, Settings(insecure=frozenset({address})))


def test_origins() -> None:
    assert origin("https://a/x") == origin("https://A:443/y") == ("https", "a", 443)
    assert origin("http://a") != origin("https://a")
    for bad in ("ftp://a", "a", "", "http://", "http://[::", "http://a:99999/"):
        with pytest.raises(RegistryError):
            origin(bad)


def test_locations() -> None:
    transport = Transport(Settings())
    base = "https://r.example:5000/v2/x/blobs/uploads/"
    assert transport.location(base, "/v2/y?a=b") == "https://r.example:5000/v2/y?a=b"
    assert transport.location(base, "https://s3.example/z") == "https://s3.example/z"
    # behind a proxy that ends TLS a registry may believe that it is spoken to without
    assert transport.location(base, "http://r.example:5000/u") == "https://r.example:5000/u"
    with pytest.raises(RegistryError, match="without TLS"):
        transport.location(base, "http://s3.example/z")
    with pytest.raises(RegistryError, match="without TLS"):
        transport.location(base, "http://r.example/u")
    assert transport.location("http://localhost/", "http://s3.example/z") == "http://s3.example/z"


def test_a_certificate_directory_is_never_left(tmp_path: Path) -> None:
    (tmp_path / "evil.crt").write_text("not a certificate")
    (tmp_path / "certs.d").mkdir()
    trust = Trust(Settings(certs=tmp_path / "certs.d"))
    assert trust.context("..") is trust.context("r.example")


def test_an_unusable_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.example").mkdir()
    (tmp_path / "r.example" / "ca.crt").write_text("not a certificate")
    with pytest.raises(RegistryError, match=r"cannot use the certificate .*/r.example/ca.crt"):
        Trust(Settings(certs=tmp_path)).context("r.example")


def test_a_server_that_answers_in_plain_text_speaks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert not speaks_tls(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_a_proxy_of_the_environment_is_used_but_not_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(4096).split(b"\r\n")[0])
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        thread = threading.Thread(target=answer)
        thread.start()
        with Transport(Settings(attempts=1)) as transport:
            with pytest.raises(RegistryError):
                transport.request("GET", "https://r.example/v2/", headers={})
            thread.join()
            with pytest.raises(RegistryError, match="refused"):
                transport.request("GET", "http://127.0.0.1:1/v2/", headers={})
    assert asked == [b"CONNECT r.example:443 HTTP/1.1"]
