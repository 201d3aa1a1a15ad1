"""Image references as Docker reads them (distribution/reference grammar)."""

from __future__ import annotations

import re

from msgspec import Struct

from jettison.errors import JettisonError
from jettison.model.digest import Digest, parse_digest

DEFAULT_HOST = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"^{_COMPONENT}(?:/{_COMPONENT})*$")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"^(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")


class Reference(Struct, frozen=True):
    """A fully qualified reference: registry host, repository path, tag and/or digest."""

    host: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def repository(self) -> str:
        """``host/path``, without tag and digest."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """What people write: ``debian:12`` for ``docker.io/library/debian:12``."""
        if self.host != DEFAULT_HOST:
            return str(self)
        return str(self)[len(DEFAULT_HOST) + 1 :].removeprefix("library/")

    def __str__(self) -> str:
        text = self.repository
        if self.tag is not None:
            text += f":{self.tag}"
        if self.digest is not None:
            text += f"@{self.digest}"
        return text


def parse_reference(text: str) -> Reference:
    """Parse and normalise: no host means docker.io, one path component means ``library/…``,
    neither tag nor digest means ``:latest``.

    Raises JettisonError if the text is not a reference.
    """
    rest, at, digest_text = text.partition("@")
    digest = parse_digest(digest_text) if at else None
    slash = rest.rfind("/")
    name, colon, tag = rest, "", ""
    if ":" in rest[slash + 1 :]:
        name, colon, tag = rest.rpartition(":")
    host, path = _split_host(name)
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    if not _PATH.match(path) or not _HOST.match(host) or (colon and not _TAG.match(tag)):
        hint = "a repository name is lower case" if name != name.lower() else None
        raise JettisonError(f"invalid image reference {text!r}", hint=hint)
    if len(path) > 255:
        raise JettisonError(f"image name {text[:40]!r}… is longer than 255 characters")
    if digest is None and not colon:
        tag, colon = "latest", ":"
    return Reference(host, path, tag if colon else None, digest)


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        return DEFAULT_HOST, name
    return (DEFAULT_HOST if first == "index.docker.io" else first), rest
