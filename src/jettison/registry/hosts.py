"""Where a registry's API is, and when it may be spoken to without TLS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from jettison.errors import RegistryError
from jettison.model.reference import DEFAULT_HOST
from jettison.registry.settings import Settings

DOCKER_HUB_API = "registry-1.docker.io"
"""Where the API of docker.io is (docker.io itself serves web pages)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that serves a repository.

    ``host`` is the name credentials are kept under, ``address`` the host[:port] connected to,
    ``path`` the repository there (a mirror may keep it under a prefix).
    """

    host: str
    address: str
    path: str

    def url(self, scheme: str, *parts: str) -> str:
        """The URL of ``/v2/<repository>/<parts…>``; the parts are quoted."""
        tail = "/".join(quote(part, safe=":@") for part in parts)
        return f"{scheme}://{self.address}/v2/{self.path}/{tail}"


def origin_endpoint(host: str, path: str) -> Endpoint:
    """The registry itself."""
    return Endpoint(host, DOCKER_HUB_API if host == DEFAULT_HOST else host, path)


def endpoints(host: str, path: str, settings: Settings) -> tuple[Endpoint, ...]:
    """Where to read ``host/path`` from, in order: its mirrors, then itself, or the location that
    is configured for it.

    Raises RegistryError if the configuration blocks it.
    """
    blocked = _longest(settings.blocked, host, path)
    if blocked is not None:
        raise RegistryError(
            f"{host}/{path}: this host's registries.conf blocks {blocked[0]}",
            hint="ask who administers this host",
        )
    found = []
    mirrored = _longest(settings.mirrors, host, path)
    if mirrored is not None:
        found = [_mirror(text, mirrored[1]) for text in settings.mirrors[mirrored[0]]]
    moved = _longest(settings.locations, host, path)
    if moved is not None:
        return (*found, _mirror(settings.locations[moved[0]], moved[1]))
    return (*found, origin_endpoint(host, path))


def _longest(prefixes: Iterable[str], host: str, path: str) -> tuple[str, str] | None:
    """The longest of ``prefixes`` that ``host/path`` begins with, and what follows it."""
    name = f"{host}/{path}"
    found: tuple[str, str] | None = None
    for prefix in sorted(prefixes, key=len):
        if name.startswith(f"{prefix}/"):
            found = prefix, name[len(prefix) + 1 :]
        elif prefix.startswith("*.") and host.endswith(prefix[1:]):
            found = prefix, path
    return found


def _mirror(text: str, path: str) -> Endpoint:
    address, _, prefix = text.strip("/").partition("/")
    if not address or "://" in text:
        raise RegistryError(
            f"invalid mirror {text!r}", hint="a mirror is written host[:port][/prefix]"
        )
    full = f"{prefix}/{path}" if prefix else path
    return origin_endpoint(address, full)


def host_name(address: str) -> str:
    """``address`` without its port and without the brackets of an IPv6 address."""
    return urlsplit(f"//{address}").hostname or ""


def is_loopback(address: str) -> bool:
    """Whether ``address`` (host[:port]) is this machine: localhost, 127.0.0.0/8 or ::1."""
    import ipaddress

    name = host_name(address)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def may_be_plain(address: str, settings: Settings) -> bool:
    """Whether plain HTTP to ``address`` is acceptable (Docker's rule for loopback)."""
    return is_loopback(address) or address in settings.insecure


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of ``url``: what must be equal for credentials to go along.

    Raises RegistryError for anything that is not an http or https URL with a host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        raise RegistryError(f"a registry sent the malformed URL {url[:200]!r}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RegistryError(f"a registry sent {url[:200]!r}, which is not an http(s) URL")
    return parts.scheme, parts.hostname, port
