"""What a spec asks for by name: ``nginx``, ``nginx=1.22.1-9``, ``openjdk-17-jre>=17.0.10``."""

from __future__ import annotations

import re

from msgspec import Struct

from jettison.errors import PackageError, ResolutionError
from jettison.packages.debversion import compare_versions, split_version

_WISH = re.compile(r"([A-Za-z0-9][A-Za-z0-9+._-]*?)\s*(?:(>=|<=|=|~|>|<)\s*([^\s=<>]+))?")


class Wish(Struct, frozen=True):
    """A package, and versions of it (apk's notation, which apko's specs use).

    ``~`` asks for a version that begins with these parts: ``~17.0`` is met by 17.0.11, not 17.01.
    """

    name: str
    operator: str = ""
    version: str = ""

    def admits(self, version: str) -> bool:
        """Whether ``version`` is one of those asked for."""
        if not self.operator:
            return True
        if self.operator == "~":
            rest = version.removeprefix(self.version)
            return rest != version and (not rest or not rest[0].isalnum())
        order = compare_versions(version, self.version)
        return {
            "<": order < 0,
            "<=": order <= 0,
            "=": order == 0,
            ">=": order >= 0,
            ">": order > 0,
        }[self.operator]

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.version}"


def parse_wish(text: str) -> Wish:
    """Raises ResolutionError for what names no package."""
    match = _WISH.fullmatch(text.strip())
    if match is None:
        raise ResolutionError(
            f"no name of a package: {text.strip()[:100]!r}",
            hint="write NAME, NAME=VERSION, NAME~VERSION or NAME>=VERSION",
        )
    wish = Wish(match[1], match[2] or "", match[3] or "")
    try:
        if wish.version:
            split_version(wish.version)
    except PackageError as error:
        raise ResolutionError(f"{text.strip()[:100]}: {error.message}") from None
    return wish
