"""What the host's configuration says of registries: mirrors, other locations, who may be insecure.

Read are, if they exist, containers' ``registries.conf`` (containers-registries.conf(5), version 2:
prefix, location, blocked, insecure, mirrors), ``buildkitd.toml`` (mirrors, http, insecure, ca,
keypair) and docker's ``daemon.json`` (registry-mirrors, insecure-registries). What several of them
name mirrors for is taken from the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jettison.errors import RegistryError
from jettison.model.reference import DEFAULT_HOST
from jettison.registry.settings import Settings, TlsFiles

_MAX_FILE = 1 << 20


def with_host_configuration(
    settings: Settings, environ: Mapping[str, str], etc: Path = Path("/etc")
) -> Settings:
    """``settings`` with what the files say. Raises RegistryError, naming the file, if one is
    malformed.
    """
    found = _Found(settings)
    for path in _containers_files(environ, etc):
        found.containers(path, _toml(path))
    for path in _first(_home(environ, "buildkit/buildkitd.toml"), etc / "buildkit/buildkitd.toml"):
        found.buildkit(path, _toml(path))
    for path in _first(etc / "docker/daemon.json"):
        found.docker(path, _json(path))
    return found.settings()


class _Found:
    def __init__(self, settings: Settings) -> None:
        self._base = settings
        self._mirrors = dict(settings.mirrors)
        self._locations = dict(settings.locations)
        self._insecure = set(settings.insecure)
        self._blocked = set(settings.blocked)
        self._tls = dict(settings.tls)

    def settings(self) -> Settings:
        return replace(
            self._base,
            mirrors=self._mirrors,
            locations=self._locations,
            insecure=frozenset(self._insecure),
            blocked=frozenset(self._blocked),
            tls=self._tls,
        )

    def containers(self, path: Path, document: Mapping[str, Any]) -> None:
        for table in _tables(path, document, "registry"):
            location = _text(path, table, "location")
            prefix = _text(path, table, "prefix") or location
            if not prefix:
                raise RegistryError(f"{path}: a [[registry]] without prefix and location")
            if location and location != prefix:
                self._locations.setdefault(prefix, location)
            if _flag(path, table, "blocked"):
                self._blocked.add(prefix)
            if _flag(path, table, "insecure"):
                self._insecure.add((location or prefix).partition("/")[0])
            by_digest = _flag(path, table, "mirror-by-digest-only")
            mirrors = []
            for mirror in _tables(path, table, "mirror"):
                where = _text(path, mirror, "location")
                if by_digest or _text(path, mirror, "pull-from-mirror") not in ("", "all"):
                    continue  # for some references only, which the registry itself serves too
                mirrors.append(where)
                if _flag(path, mirror, "insecure"):
                    self._insecure.add(where.partition("/")[0])
            if mirrors:
                self._mirrors.setdefault(prefix, tuple(mirrors))

    def buildkit(self, path: Path, document: Mapping[str, Any]) -> None:
        for host, table in _table(path, document, "registry").items():
            if not isinstance(table, dict):
                raise RegistryError(f'{path}: registry."{host}" is not a table')
            if _flag(path, table, "http") or _flag(path, table, "insecure"):
                self._insecure.add(host)
            mirrors = [self._address(path, text) for text in _texts(path, table, "mirrors")]
            if mirrors:
                self._mirrors.setdefault(host, tuple(mirrors))
            pairs = tuple(
                (_text(path, pair, "cert"), _text(path, pair, "key"))
                for pair in _tables(path, table, "keypair")
            )
            authorities = tuple(_texts(path, table, "ca"))
            if authorities or pairs:
                self._tls.setdefault(host, TlsFiles(authorities, pairs))

    def docker(self, path: Path, document: Mapping[str, Any]) -> None:
        mirrors = [self._address(path, text) for text in _texts(path, document, "registry-mirrors")]
        if mirrors:
            self._mirrors.setdefault(DEFAULT_HOST, tuple(mirrors))
        # Networks (10.0.0.0/8) are left out: an address is insecure if it is named itself.
        named = _texts(path, document, "insecure-registries")
        self._insecure.update(host for host in named if "/" not in host)

    def _address(self, path: Path, text: str) -> str:
        """``host[:port][/prefix]`` of a mirror that may be written as a URL; http:// says that it
        may be plain.
        """
        if "://" not in text:
            return text.rstrip("/")
        try:
            parts = urlsplit(text)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in text
        except ValueError:
            good = False
        if not good:
            raise RegistryError(f"{path}: invalid mirror {text[:200]!r}")
        if parts.scheme == "http":
            self._insecure.add(parts.netloc)
        return (parts.netloc + parts.path).rstrip("/")


def _containers_files(environ: Mapping[str, str], etc: Path) -> Iterator[Path]:
    """The main file, and the drop-ins beside it; the user's stand in place of the system's."""
    if named := environ.get("CONTAINERS_REGISTRIES_CONF"):
        yield Path(named)
        return
    home, system = _home(environ, "containers/registries.conf"), etc / "containers/registries.conf"
    for path in _first(home, system):
        # Drop-ins come first: what they say counts more, later names more than earlier ones.
        yield from sorted(path.with_name("registries.conf.d").glob("*.conf"), reverse=True)
        yield path


def _home(environ: Mapping[str, str], rest: str) -> Path | None:
    directory = environ.get("XDG_CONFIG_HOME", "")
    if not directory.startswith("/"):
        home = environ.get("HOME", "")
        directory = f"{home}/.config" if home.startswith("/") else ""
    return Path(directory) / rest if directory else None


def _first(*paths: Path | None) -> list[Path]:
    return [path for path in paths if path is not None and path.is_file()][:1]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise RegistryError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MAX_FILE:
        raise RegistryError(f"{path} is larger than {_MAX_FILE} bytes")
    return data


def _toml(path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(_read(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{path} is malformed: {error}", hint="mend the file") from None


def _json(path: Path) -> Mapping[str, Any]:
    import json

    data = _read(path)
    try:
        document = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{path} is malformed: {error}", hint="mend the file") from None
    if not isinstance(document, dict):
        raise RegistryError(f"{path}: expected a JSON object", hint="mend the file")
    return document


def _wrong(path: Path, key: str, kind: str) -> RegistryError:
    return RegistryError(f"{path}: {key} is not {kind}", hint="mend the file")


def _text(path: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise _wrong(path, key, "a string")
    return value


def _flag(path: Path, table: Mapping[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(path, key, "true or false")
    return value


def _texts(path: Path, table: Mapping[str, Any], key: str) -> list[str]:
    value = table.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(path, key, "a list of strings")
    return value


def _table(path: Path, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise _wrong(path, key, "a table")
    return value


def _tables(path: Path, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong(path, key, "a list of tables")
    return value
