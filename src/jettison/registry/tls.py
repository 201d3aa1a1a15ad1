"""Whom a TLS connection trusts: the system's CAs, and those of /etc/docker/certs.d/<host>."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from jettison.errors import RegistryError
from jettison.registry.hosts import host_name, is_loopback
from jettison.registry.settings import Settings, TlsFiles

if TYPE_CHECKING:
    import ssl

_PROBE_TIMEOUT = 3.0
_ADDRESS = re.compile(r"^[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]*$")
"""What may stand for a host in a path: a registry sends addresses too, in redirects."""


class Trust:
    """TLS contexts for hosts; the one for all hosts without own certificates is shared."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._common: ssl.SSLContext | None = None

    def context(self, address: str) -> ssl.SSLContext:
        """The context for ``address`` (host[:port]).

        Raises RegistryError if a file in the host's certificate directory is unusable.
        """
        files = self._files(address)
        named = self._settings.tls.get(address)
        if named is not None:
            base = _unverified() if address in self._settings.insecure else _system()
            return _add_named(_add(base, files), named)
        if address in self._settings.insecure:
            return _add(_unverified(), files)
        if files:
            return _add(_system(), files)
        with self._lock:
            if self._common is None:
                self._common = _system()
            return self._common

    def _files(self, address: str) -> list[str]:
        if not _ADDRESS.match(address):
            return []
        directory = self._settings.certs / address
        try:
            return sorted(str(path) for path in directory.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise RegistryError(f"cannot read {directory}: {error.strerror}") from None


def _system() -> ssl.SSLContext:
    """The system's CAs; OpenSSL honours SSL_CERT_FILE and SSL_CERT_DIR. Where the system has
    none, those that come with the HTTP library.
    """
    import ssl

    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _unverified() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _add(context: ssl.SSLContext, files: list[str]) -> ssl.SSLContext:
    for file in files:
        if file.endswith(".crt"):
            _try(file, partial(context.load_verify_locations, file))
        elif file.endswith(".cert"):
            key = file.removesuffix(".cert") + ".key"
            _try(file, partial(context.load_cert_chain, file, key))
    return context


def _try(file: str, load: Callable[[], None]) -> None:
    try:
        load()
    except OSError as error:  # ssl.SSLError is one
        raise RegistryError(
            f"cannot use the certificate {file}: {error}",
            hint="*.crt are CAs; a client certificate is a *.cert with its *.key, in PEM",
        ) from None


def _add_named(context: ssl.SSLContext, files: TlsFiles) -> ssl.SSLContext:
    for authority in files.authorities:
        _try(authority, partial(context.load_verify_locations, authority))
    for cert, key in files.pairs:
        _try(cert, partial(context.load_cert_chain, cert, key))
    return context


def speaks_tls(address: str) -> bool:
    """Whether a host that may be spoken to in plain HTTP does TLS after all.

    Tries one handshake, trusting anything and sending nothing. If nobody can be connected to,
    says what is usual: no for loopback, yes elsewhere.
    """
    import socket
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    name = host_name(address)
    port = address.rpartition(":")[2]
    number = int(port) if port.isdigit() and not address.endswith("]") else 443
    try:
        raw = socket.create_connection((name, number), timeout=_PROBE_TIMEOUT)
    except OSError:
        return not is_loopback(address)
    with raw:
        try:
            with context.wrap_socket(raw, server_hostname=name):
                return True
        except OSError as error:
            # A TLS server may end the handshake because it wants a client certificate.
            return isinstance(error, ssl.SSLError) and "ALERT" in str(error).upper()
