"""npm packages: ``package.json`` of what is installed, and lock files (npm, package-lock.json)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jettison.packages.malformed import PackageError, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl

INSTALLED = re.compile(r"/node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json$")
LOCKS = frozenset({"package-lock.json", ".package-lock.json", "npm-shrinkwrap.json"})
_MAX_DEPTH = 100


def parse_package(data: bytes, location: str) -> Package | None:
    """The package of a package.json; None if it has no name or version, as inner ones often have.

    Raises PackageError if it is no JSON object.
    """
    found = _object(data)
    name, version = word(found.get("name")), word(found.get("version"))
    if not name or not version:
        return None
    return _package(name, version, found, location)


def parse_lock(data: bytes, location: str) -> list[Package]:
    """The packages a lock file (versions 1 to 3) pins for production; links, the project itself
    and what only development needs are left out.

    Raises PackageError if it is no lock file.
    """
    found = _object(data)
    packages, dependencies = found.get("packages"), found.get("dependencies")
    if isinstance(packages, dict):
        entries = _from_packages(packages)
    elif isinstance(dependencies, dict):
        entries = _from_dependencies(dependencies, 0)
    elif "lockfileVersion" in found:
        return []
    else:
        raise PackageError("it has neither packages nor dependencies")
    return [_package(name, version, entry, location) for name, version, entry in entries]


def _from_packages(packages: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, entry in packages.items():
        _, installed, tail = path.rpartition("node_modules/")
        if not installed or not isinstance(entry, dict) or entry.get("link") or entry.get("dev"):
            continue
        name, version = word(entry.get("name")) or word(tail), word(entry.get("version"))
        if name and version:
            yield name, version, entry


def _from_dependencies(
    dependencies: dict[str, Any], depth: int
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if depth > _MAX_DEPTH:
        raise PackageError("dependencies are nested too deep")
    for name, entry in dependencies.items():
        if not isinstance(entry, dict) or entry.get("dev"):
            continue
        version = word(entry.get("version"))
        if word(name) and version and "://" not in version and not version.startswith("file:"):
            yield word(name), version, entry
        inner = entry.get("dependencies")
        if isinstance(inner, dict):
            yield from _from_dependencies(inner, depth + 1)


def _package(name: str, version: str, entry: dict[str, Any], location: str) -> Package:
    scope, slash, rest = name.rpartition("/")
    return Package(
        type="npm",
        name=name,
        version=version,
        purl=make_purl("npm", rest, version, namespace=scope if slash else ""),
        licences=_licences(entry),
        supplier=_author(entry.get("author")),
        locations=(location,),
    )


def _licences(entry: dict[str, Any]) -> tuple[str, ...]:
    """``license`` as a text, or as the objects of old; ``licenses`` as a list of these."""
    listed = entry.get("licenses")
    values = [entry.get("license"), *(listed if isinstance(listed, list) else [])]
    texts = [word(v.get("type") if isinstance(v, dict) else v) for v in values]
    return tuple(text for text in texts if text)


def _author(value: object) -> str:
    return word(value.get("name")) if isinstance(value, dict) else word(value)


def _object(data: bytes) -> dict[str, Any]:
    import json

    try:
        found = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise PackageError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise PackageError("no JSON object")
    return found
