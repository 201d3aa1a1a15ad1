"""Ports of EXPOSE, after expansion."""

from __future__ import annotations

import re

from msgspec import Struct

from jettison.dockerfile.text import quoted
from jettison.errors import DockerfileError
from jettison.model.span import Span

_PROTOCOLS = ("tcp", "udp", "sctp")
_NUMBER = r"[+-]?[0-9]{1,18}"


class ExposedPorts(Struct, frozen=True):
    """What one word of EXPOSE stands for.

    ``ports`` are ``80/tcp``, in order; ``mapped`` is true if the word also names an address or
    port of the host, which EXPOSE ignores; ``protocol`` is as written (tcp if it is not).
    """

    ports: tuple[str, ...]
    protocol: str
    mapped: bool


def parse_port(text: str, span: Span | None = None) -> ExposedPorts:
    """Parse ``[[address:]hostport:]port[-port][/protocol]``.

    Raises DockerfileError for anything else (BuildKit's ``convert_expose.go``).
    """
    host, _, container = text.rpartition(":")
    address, _, host_port = host.rpartition(":")
    container, _, protocol = container.partition("/")
    protocol = protocol or "tcp"
    if not container:
        raise _invalid(f"invalid port: {quoted(text)}: no port specified", span)
    if protocol.lower() not in _PROTOCOLS:
        raise _invalid(f"invalid port: {quoted(text)}: invalid proto: {protocol}", span)
    if address:
        _check_address(address, span)
    first, last = _range(container, "containerPort", span)
    if host_port:
        lower, upper = _range(host_port, "hostPort", span)
        if first != last and upper - lower != last - first:
            raise _invalid(
                f"invalid ranges specified for container and host Ports: "
                f"{container} and {host_port}",
                span,
            )
    ports = tuple(f"{number}/{protocol.lower()}" for number in range(first, last + 1))
    return ExposedPorts(ports, protocol, mapped=bool(address or host_port))


def _check_address(address: str, span: Span | None) -> None:
    import ipaddress

    plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        ipaddress.ip_address(plain)
    except ValueError:
        raise _invalid(f"invalid IP address: {address}", span) from None


def _range(text: str, what: str, span: Span | None) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        start = _number(first)
        end = _number(last) if dash else start
    except ValueError:
        raise _invalid(f"invalid {what}: {text}", span) from None
    if end < start:
        raise _invalid(f"invalid {what}: {text}", span)
    return start, end


def _number(text: str) -> int:
    if not re.fullmatch(_NUMBER, text) or not 0 <= int(text) <= 65535:
        raise ValueError(text)
    return int(text)


def _invalid(message: str, span: Span | None) -> DockerfileError:
    return DockerfileError(
        message, hint="EXPOSE takes port[/protocol] or first-last[/protocol]", span=span
    )
