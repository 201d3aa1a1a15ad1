"""How registries are talked to: everything that may be tuned, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jettison import __version__


@dataclass(frozen=True, slots=True)
class Settings:
    """All times are in seconds.

    ``insecure`` names hosts (with their port) that may speak plain HTTP or show a certificate
    nobody vouches for. ``mirrors`` gives for a host the registries to ask before it, each
    ``host[:port][/prefix]``. ``certs`` holds ``<host>/*.crt`` (CAs) and ``<host>/*.cert`` with
    ``*.key`` (client certificates), as Docker's does.

    ``read_timeout`` is the longest silence of a server. ``attempts`` counts the first try too;
    waits between them double from ``backoff``. A server that asks (Retry-After) for more than
    ``longest_wait`` is not waited for. ``slowest`` is the rate, in bytes a second over
    ``read_timeout``, below which a transfer counts as stalled.
    """

    insecure: frozenset[str] = frozenset()
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    certs: Path = Path("/etc/docker/certs.d")
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    attempts: int = 5
    backoff: float = 0.5
    longest_wait: float = 60.0
    slowest: int = 64
    parallel: int = 6
    user_agent: str = f"jettison/{__version__}"
