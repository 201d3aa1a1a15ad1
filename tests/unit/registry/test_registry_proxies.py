"""Which proxy leads where; the cases of NO_PROXY are those Go's httpproxy documents."""

import pytest

from jettison.errors import RegistryError
from jettison.registry.proxies import proxy_for

PROXY = {"HTTPS_PROXY": "http://proxy:3128", "HTTP_PROXY": "http://plain:3128"}


def test_by_scheme() -> None:
    assert proxy_for("https", "registry.example", 443, PROXY) == "http://proxy:3128"
    assert proxy_for("http", "registry.example", 80, PROXY) == "http://plain:3128"
    assert proxy_for("https", "registry.example", 443, {}) is None
    assert proxy_for("http", "registry.example", 80, {"all_proxy": "p:1"}) == "http://p:1"
    assert proxy_for("https", "registry.example", 443, {"https_proxy": "p:1"}) == "http://p:1"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost"])
def test_never_for_this_machine(host: str) -> None:
    assert proxy_for("https", host, 443, PROXY) is None


def test_no_http_proxy_in_a_cgi_program() -> None:
    environ = {**PROXY, "REQUEST_METHOD": "GET"}
    assert proxy_for("http", "registry.example", 80, environ) is None


@pytest.mark.parametrize(
    ("host", "port", "text", "direct"),
    [
        ("registry.example", 443, "*", True),
        ("registry.example", 443, "registry.example", True),
        ("registry.example", 443, "other, registry.example ,", True),
        ("Registry.Example", 443, "registry.EXAMPLE", True),
        ("a.registry.example", 443, "registry.example", True),
        ("a.registry.example", 443, ".registry.example", True),
        ("registry.example", 443, ".registry.example", False),
        ("a.registry.example", 443, "*.registry.example", True),
        ("registry.example", 443, "*.registry.example", False),
        ("myregistry.example", 443, "registry.example", False),
        ("registry.example", 5000, "registry.example:5000", True),
        ("registry.example", 443, "registry.example:5000", False),
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.3", 5000, "10.1.2.3:5000", True),
        ("10.1.2.3", 443, "2.3", False),
        ("[fd00::5]", 443, "fd00::/8", True),
        ("[fd00::5]", 443, "fd00::5", True),
        ("[fd00::5]", 443, "[fd00::5]:443", True),
        ("[fd00::5]", 443, "[fd00::5]:444", False),
        ("registry.example", 443, "10.0.0.0/99, [::, a:b", False),
    ],
)
def test_no_proxy(host: str, port: int, text: str, direct: bool) -> None:
    found = proxy_for("https", host, port, {**PROXY, "NO_PROXY": text})
    assert (found is None) == direct


@pytest.mark.parametrize("text", ["ftp://proxy:1", "http://", "http://ada:secret@proxy:x", "://"])
def test_what_is_no_proxy_is_an_error_without_its_password(text: str) -> None:
    with pytest.raises(RegistryError, match="HTTPS_PROXY holds no proxy") as caught:
        proxy_for("https", "registry.example", 443, {"HTTPS_PROXY": text})
    assert "secret" not in str(caught.value)
