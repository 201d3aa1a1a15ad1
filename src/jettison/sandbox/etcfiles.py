"""The /etc/hosts and /etc/resolv.conf that a container sees; they never enter an image."""

from __future__ import annotations

from collections.abc import Iterable

_SYSTEMD_STUB = "127.0.0.53"
_RESOLV = "/etc/resolv.conf"
_SYSTEMD_RESOLV = "/run/systemd/resolve/resolv.conf"
_PUBLIC_SERVERS = ("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844")
"""What Docker and BuildKit fall back to when no name server is left."""


def hosts(hostname: str, extra: Iterable[tuple[str, str]] = ()) -> bytes:
    """/etc/hosts with the container's own name and ``extra`` (name, address) pairs."""
    lines = [f"127.0.0.1\tlocalhost {hostname}", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines += [f"{address}\t{name}" for name, address in extra]
    return "".join(line + "\n" for line in lines).encode()


def resolv_conf(*, shared_network: bool) -> bytes:
    """/etc/resolv.conf: the host's as it is where the network is shared (empty if it has none).

    In a network of its own the container does not reach servers on the host's loopback: systemd's
    stub is replaced by the servers it asks, other local ones are left out, and public ones take
    the place of none at all (BuildKit, executor/oci/resolvconf.go).
    """
    text = _read(_RESOLV)
    if shared_network:
        return text
    if name_servers(text) == [_SYSTEMD_STUB]:
        text = _read(_SYSTEMD_RESOLV)
    return without_local_servers(text)


def name_servers(text: bytes) -> list[str]:
    """The addresses of the ``nameserver`` lines (resolv.conf(5))."""
    servers = []
    for line in text.decode(errors="replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            servers.append(words[1])
    return servers


def without_local_servers(text: bytes) -> bytes:
    """``text`` without name servers on a loopback address, with public ones if none is left."""
    kept = []
    for line in text.decode(errors="surrogateescape").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_local(words[1]):
            continue
        kept.append(line)
    result = "".join(line + "\n" for line in kept).encode(errors="surrogateescape")
    if not name_servers(result):
        result += "".join(f"nameserver {server}\n" for server in _PUBLIC_SERVERS).encode()
    return result


def _is_local(address: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
