"""Registries as this user reaches them."""

from __future__ import annotations

from collections.abc import Mapping

from jettison.app.session import Session
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


def registry_source(session: Session) -> ImageSource:
    """Registries as a source of base images; documents are kept in the store."""
    return RegistrySource(registry_client(session.environ), session.store.blobs)
