"""The distribution of a root file system: os-release(5)."""

from __future__ import annotations

import re

from msgspec import Struct

_LINE = re.compile(r"^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$")
_ID = re.compile(r"^[a-z0-9._-]+$")


class Release(Struct, frozen=True):
    """``id`` and ``version`` (VERSION_ID); both empty if they are unknown."""

    id: str = ""
    version: str = ""
    name: str = ""

    @property
    def distribution(self) -> str:
        """``debian-12``; a rolling distribution has its name alone."""
        return "-".join(part for part in (self.id, self.version) if part)


def parse_release(data: bytes) -> Release:
    """The distribution an os-release file names; what is no assignment is passed over."""
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match:
            found[match[1]] = _unquoted(match[2])
    identifier = found.get("ID", "")
    return Release(
        identifier if _ID.match(identifier) else "",
        found.get("VERSION_ID", ""),
        found.get("PRETTY_NAME", ""),
    )


def _unquoted(text: str) -> str:
    """A value as the shell reads it: quotes around it, backslashes before a few characters."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return re.sub(r"\\([\"'\\$`])", r"\1", text)
