"""``jettison login`` and ``logout``: credentials where Docker keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from jettison.app.registries import registry_client


def login(server: str, username: str, password: str, *, environ: Mapping[str, str]) -> None:
    """Check the credentials with the registry, then store them. Raises AuthError."""
    from jettison.registry import login as registry_login

    with registry_client(environ) as client:
        registry_login.login(client, server, username, password, environ)


def logout(server: str, *, environ: Mapping[str, str]) -> bool:
    """Forget the credentials of a registry; False if there were none."""
    from jettison.registry import login as registry_login

    return registry_login.logout(server, environ)
