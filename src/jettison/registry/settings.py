"""How registries are talked to: everything that may be tuned, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jettison import __version__


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """CAs, and pairs of client certificate and key, as paths of PEM files."""

    authorities: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All times are in seconds.

    ``insecure`` names hosts (with their port) that may speak plain HTTP or show a certificate
    nobody vouches for. ``mirrors`` gives for a prefix of names (``host``, ``host/path``,
    ``*.domain``; the longest that fits counts) the registries to ask before, each
    ``host[:port][/prefix]``; ``locations`` says where a prefix is instead, ``blocked`` that nothing
    is read from there. ``certs`` holds ``<host>/*.crt`` (CAs) and ``<host>/*.cert`` with ``*.key``
    (client certificates), as Docker's does; ``tls`` names such files for a host.

    ``read_timeout`` is the longest silence of a server. ``attempts`` counts the first try too;
    waits between them double from ``backoff``. A server that asks (Retry-After) for more than
    ``longest_wait`` is not waited for. ``slowest`` is the rate, in bytes a second over
    ``read_timeout``, below which a transfer counts as stalled.
    """

    insecure: frozenset[str] = frozenset()
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    blocked: frozenset[str] = frozenset()
    tls: Mapping[str, TlsFiles] = field(default_factory=dict)
    certs: Path = Path("/etc/docker/certs.d")
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    attempts: int = 5
    backoff: float = 0.5
    longest_wait: float = 60.0
    slowest: int = 64
    parallel: int = 6
    user_agent: str = f"jettison/{__version__}"
