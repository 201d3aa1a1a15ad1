"""Registries as this user reaches them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack

from jettison.app.session import Session
from jettison.app.vertices import stopped_by
from jettison.model.source import ImageSource
from jettison.registry.client import RegistryClient
from jettison.registry.config import Credentials
from jettison.registry.settings import Settings
from jettison.registry.source import RegistrySource


def registry_settings(environ: Mapping[str, str]) -> Settings:
    """$JETTISON_INSECURE_REGISTRIES names hosts (split at commas) that may speak plain HTTP or
    show a certificate nobody vouches for.
    """
    named = environ.get("JETTISON_INSECURE_REGISTRIES", "").split(",")
    return Settings(insecure=frozenset(host.strip() for host in named if host.strip()))


def registry_client(environ: Mapping[str, str]) -> RegistryClient:
    """A client with the user's stored credentials."""
    return RegistryClient(registry_settings(environ), Credentials.from_environment(environ))


def registry_source(session: Session, stack: ExitStack, cancel: threading.Event) -> ImageSource:
    """Registries as a source of base images; documents are kept in the store.

    Closed with ``stack``; once ``cancel`` is set no request is tried again.
    """
    client = stack.enter_context(registry_client(session.environ))
    stack.enter_context(stopped_by(cancel, client.cancel))
    return RegistrySource(client, session.store.blobs)
