"""Stored credentials: Docker's config.json and, after it, podman's auth.json.

Both hold ``auths`` (base64 of ``user:password``, or an ``identitytoken``), ``credHelpers`` (a
helper for one registry) and, Docker's, ``credsStore`` (a helper for all). podman's may also key
``auths`` by a part of the repository path; the longest match counts (containers-auth.json(5)).
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jettison.errors import AuthError
from jettison.model.reference import DEFAULT_HOST
from jettison.registry.helpers import TOKEN_USER, Helper

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""The key under which Docker keeps the credentials of docker.io."""

_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_MAX_FILE = 4 << 20


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name with a password, or a token in their place; its repr shows no secret."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


class CredentialSource(Protocol):
    """Who knows the credentials for a repository."""

    def lookup(self, host: str, path: str) -> Credential | None: ...


class Anonymous:
    """A source without any credentials."""

    def lookup(self, host: str, path: str) -> Credential | None:
        """None, always."""
        return None


def server_key(host: str) -> str:
    """The key of ``host`` in config.json and in helpers (Docker Hub's is a URL)."""
    return DOCKER_HUB_KEY if host == DEFAULT_HOST else host


def normal_key(key: str) -> str:
    """``host[/path]`` of a key in any of the forms found in such files."""
    text = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    host, slash, path = text.partition("/")
    if path in ("v1", "v2"):
        slash = path = ""
    return (DEFAULT_HOST if host in _HUB_HOSTS else host) + slash + path


class ConfigFile:
    """One such file, read when first needed; a missing file is empty.

    Every method raises AuthError, naming the file and the place, if the file is malformed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._document: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        if self._document is None:
            self._document = self._read()
        return self._document

    def lookup(self, host: str, path: str = "") -> Credential | None:
        """The credential for ``host/path``: from the host's helper, else from ``auths``."""
        helper = self.helper(host)
        if helper is not None:
            found = helper.get(server_key(host))
            if found is not None:
                return _from_helper(*found)
        entries = {normal_key(key): (key, value) for key, value in self._table("auths").items()}
        for name in _names(host, path):
            if name in entries:
                credential = self._decode(*entries[name])
                if credential is not None:
                    return credential
        return None

    def helper(self, host: str) -> Helper | None:
        """The helper responsible for ``host``: its own, else the one for all."""
        for key, name in self._table("credHelpers").items():
            if normal_key(key) == host:
                return Helper(self._text(name, f"credHelpers[{key!r}]"))
        name = self.document.get("credsStore")
        return Helper(self._text(name, "credsStore")) if name else None

    def put(self, host: str, entry: dict[str, str]) -> None:
        """Replace what ``auths`` holds for ``host``, in memory; ``save`` writes it."""
        self.drop(host)
        self.document.setdefault("auths", {})[server_key(host)] = entry

    def drop(self, host: str) -> bool:
        """Take ``host`` out of ``auths``, in memory; False if it was not there."""
        auths = self._table("auths")
        keys = [key for key in auths if normal_key(key) == host]
        for key in keys:
            del auths[key]
        return bool(keys)

    def save(self) -> None:
        """Write the file: atomically, readable by its owner only, through a symbolic link.

        Raises AuthError if it cannot be written.
        """
        import json
        import tempfile

        target = Path(os.path.realpath(self.path))
        text = json.dumps(self.document, indent="\t", ensure_ascii=False) + "\n"
        temporary: str | None = None
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:  # mkstemp made it 0600
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise AuthError(f"cannot write {self.path}: {error.strerror}") from None

    def _read(self) -> dict[str, Any]:
        import json

        try:
            with open(self.path, "rb") as file:
                data = file.read(_MAX_FILE + 1)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise AuthError(f"cannot read {self.path}: {error.strerror}") from None
        if len(data) > _MAX_FILE:
            raise AuthError(f"{self.path} is larger than {_MAX_FILE} bytes")
        if not data.strip():
            return {}
        try:
            document = json.loads(data.decode("utf-8"))
        except json.JSONDecodeError as error:
            # Named in the message and not by a Span: the line may hold a secret.
            place = f"{self.path}:{error.lineno}:{error.colno}"
            raise AuthError(f"{place}: malformed JSON: {error.msg}", hint="mend the file") from None
        except (ValueError, RecursionError):
            raise AuthError(f"{self.path} is not JSON in UTF-8", hint="mend the file") from None
        if not isinstance(document, dict):
            raise AuthError(f"{self.path}: expected a JSON object")
        return document

    def _table(self, key: str) -> dict[str, Any]:
        value = self.document.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise AuthError(f"{self.path}: {key} is not a JSON object")
        return value

    def _text(self, value: object, where: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise AuthError(f"{self.path}: {where} is not a string")
        return value

    def _decode(self, key: str, entry: object) -> Credential | None:
        where = f"auths[{key!r}]"
        if not isinstance(entry, dict):
            raise AuthError(f"{self.path}: {where} is not a JSON object")
        token = self._text(entry.get("identitytoken"), f"{where}.identitytoken")
        registry_token = self._text(entry.get("registrytoken"), f"{where}.registrytoken")
        user = self._text(entry.get("username"), f"{where}.username")
        password = self._text(entry.get("password"), f"{where}.password")
        packed = self._text(entry.get("auth"), f"{where}.auth")
        if packed:
            try:
                user, colon, password = (
                    base64.b64decode(packed, validate=True).decode("utf-8").partition(":")
                )
            except (binascii.Error, UnicodeDecodeError):
                colon = ""
            if not colon:
                raise AuthError(f"{self.path}: {where}.auth is not base64 of user:password")
            password = password.rstrip("\0")
        if not (token or registry_token or user):
            return None  # Docker leaves {} where a helper keeps the secret
        return Credential(user, password, token, registry_token)


class Credentials:
    """The user's stored credentials: the first of ``files`` that has some for a registry."""

    def __init__(self, files: tuple[ConfigFile, ...]) -> None:
        self.files = files
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Credential | None] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Credentials:
        """Those of $DOCKER_CONFIG (else ~/.docker) and of podman's runtime directory."""
        environ = os.environ if environ is None else environ
        return cls((ConfigFile(docker_config(environ)), ConfigFile(podman_config(environ))))

    def lookup(self, host: str, path: str) -> Credential | None:
        """The credential for ``host/path``, asked for once. Raises AuthError."""
        with self._lock:
            if (host, path) not in self._known:
                found = (file.lookup(host, path) for file in self.files)
                self._known[host, path] = next((c for c in found if c is not None), None)
            return self._known[host, path]


def docker_config(environ: Mapping[str, str]) -> Path:
    """Where Docker's config.json is."""
    directory = environ.get("DOCKER_CONFIG")
    if directory:
        return Path(directory) / "config.json"
    return Path(environ.get("HOME") or Path.home()) / ".docker" / "config.json"


def podman_config(environ: Mapping[str, str]) -> Path:
    """Where podman's auth.json is (containers-auth.json(5))."""
    directory = environ.get("XDG_RUNTIME_DIR")
    if directory:
        return Path(directory) / "containers" / "auth.json"
    return Path("/run/containers") / str(os.getuid()) / "auth.json"


def _names(host: str, path: str) -> Iterator[str]:
    name = f"{host}/{path}" if path else host
    while name != host:
        yield name
        name = name.rpartition("/")[0]
    yield host


def _from_helper(user: str, secret: str) -> Credential:
    if user == TOKEN_USER:
        return Credential(identity_token=secret)
    return Credential(user, secret)
