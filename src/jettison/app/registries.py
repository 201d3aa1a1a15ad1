"""Registries as this user reaches them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jettison.app.session import Session
from jettison.app.vertices import stopped_by
from jettison.model.source import ImageSource
from jettison.registry.client import RegistryClient
from jettison.registry.config import Credentials
from jettison.registry.settings import Settings
from jettison.registry.source import RegistrySource


def registry_settings(environ: Mapping[str, str]) -> Settings:
    """$JETTISON_INSECURE_REGISTRIES names hosts (split at commas) that may speak plain HTTP or
    show a certificate nobody vouches for. The host's own files may say more (registry/hostconf.py).
    """
    from jettison.registry.hostconf import with_host_configuration

    named = environ.get("JETTISON_INSECURE_REGISTRIES", "").split(",")
    insecure = frozenset(host.strip() for host in named if host.strip())
    return with_host_configuration(Settings(insecure=insecure), environ)


def registry_client(environ: Mapping[str, str]) -> RegistryClient:
    """A client with the user's stored credentials."""
    return RegistryClient(registry_settings(environ), Credentials.from_environment(environ))


@contextmanager
def registry_source(session: Session, cancel: threading.Event) -> Iterator[ImageSource]:
    """Registries as a source of base images; documents are kept in the store. ``cancel`` ends
    whatever goes on with them.
    """
    with registry_client(session.environ) as client, stopped_by(cancel, client.cancel):
        yield RegistrySource(client, session.store.blobs, session.store.origins.note)
