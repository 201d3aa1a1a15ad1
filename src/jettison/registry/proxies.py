"""Which proxy leads to a host: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

NO_PROXY is read as Go's net/http does (and with it docker, buildkit and containerd): names and
their subdomains, ``.name`` and ``*.name`` for the subdomains alone, addresses, networks as
``10.0.0.0/8``, each also with ``:port``, and ``*`` for everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from jettison.errors import RegistryError
from jettison.registry.hosts import host_name, is_loopback

_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL for an http or https address; None to connect directly.

    This machine itself is never asked through a proxy (as in Go). Raises RegistryError if the
    variable holds no proxy.
    """
    if is_loopback(host) or _excluded(host, port, _get(environ, "NO_PROXY")):
        return None
    # In a CGI program HTTP_PROXY is a header of the request ("httpoxy").
    upper = () if scheme == "http" and "REQUEST_METHOD" in environ else (f"{scheme}_proxy",)
    for name in (*upper, "all_proxy"):
        found = _get(environ, name.upper()).strip()
        if found:
            return _checked(found, name.upper())
    return None


def _get(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower()) or ""


def _checked(text: str, name: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        # It may hold a password: it is not shown.
        raise RegistryError(f"{name} holds no proxy", hint="write it http://HOST:PORT")
    return url


def _excluded(host: str, port: int, text: str) -> bool:
    name = host_name(host).lower().rstrip(".")
    return any(_matches(name, port, entry.strip().lower()) for entry in text.split(","))


def _matches(name: str, port: int, entry: str) -> bool:
    import ipaddress

    if not entry:
        return False
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    bare = entry
    if entry.count(":") == 1 or entry.startswith("["):
        try:
            parts = urlsplit(f"//{entry}")
            bare, wanted = parts.hostname or "", parts.port
        except ValueError:
            return False
        if wanted is not None and wanted != port:
            return False
    if address is not None:
        try:
            return ipaddress.ip_address(bare) == address
        except ValueError:
            return False
    if bare.startswith("*."):
        bare = bare[1:]
    if bare.startswith("."):
        return name.endswith(bare)
    return name == bare or name.endswith(f".{bare}")
