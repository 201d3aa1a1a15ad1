"""``jettison login`` and ``logout``: credentials where Docker keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from jettison.registry.config import ConfigFile, docker_config


def login(server: str, username: str, password: str, *, environ: Mapping[str, str]) -> None:
    """Check the credentials with the registry, then store them. Raises AuthError."""
    from jettison.app.registries import registry_settings
    from jettison.registry import login as registry

    config = ConfigFile(docker_config(environ))
    host = registry.registry_host(server)
    registry.login(host, username, password, config=config, settings=registry_settings(environ))


def logout(server: str, *, environ: Mapping[str, str]) -> bool:
    """Forget the credentials of a registry; False if there were none."""
    from jettison.registry import login as registry

    config = ConfigFile(docker_config(environ))
    return registry.logout(registry.registry_host(server), config=config)
