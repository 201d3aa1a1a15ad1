"""What a JavaScript module requires, and what a package.json asks for."""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import Struct

from jettison.errors import BinaryError

_REQUIRED = re.compile(
    r"""(?:\brequire(?:\.resolve)?\s*\(\s*|\bimport\s*\(\s*|\bfrom\s*|\bimport\s+)"""
    r"""(?:'([^'\n]{1,500})'|"([^"\n]{1,500})")"""
)


class PackageJson(Struct, frozen=True, kw_only=True):
    """The parts of a package.json that say what must be there. Names only, in its order."""

    name: str = ""
    dependencies: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    main: str = ""


def required_by(source: str) -> tuple[str, ...]:
    """The literal specifiers that a module requires or imports, in order, each once."""
    return tuple(dict.fromkeys(match[1] or match[2] for match in _REQUIRED.finditer(source)))


def parse_package_json(data: bytes) -> PackageJson:
    """Production dependencies: ``dependencies``, and as optional ``optionalDependencies`` and
    ``peerDependencies``. Raises BinaryError if it is no JSON object.
    """
    try:
        found = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise BinaryError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BinaryError("no JSON object")
    optional = (*_names(found, "optionalDependencies"), *_names(found, "peerDependencies"))
    dependencies = tuple(n for n in _names(found, "dependencies") if n not in optional)
    return PackageJson(
        name=_text(found.get("name")),
        dependencies=dependencies,
        optional=optional,
        main=_text(found.get("main")),
    )


def package_of(specifier: str) -> str:
    """The package of a bare specifier: ``@scope/name/file`` is of ``@scope/name``; empty for paths
    and for what is built into Node by its prefix.
    """
    if specifier.startswith((".", "/", "#", "node:", "file:", "data:", "http:", "https:")):
        return ""
    parts = specifier.split("/")
    name = "/".join(parts[:2]) if specifier.startswith("@") else parts[0]
    return name if name and not {".", ".."} & set(parts) else ""


def _names(found: dict[str, Any], key: str) -> tuple[str, ...]:
    value = found.get(key)
    return tuple(n for n in value if package_of(n) == n) if isinstance(value, dict) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
