"""What cataloguers find."""

from __future__ import annotations

from msgspec import Struct


class Package(Struct, frozen=True, kw_only=True):
    """An installed package.

    ``type`` is that of its purl (``deb``, ``apk``, ``rpm``, ``pypi``, ``npm``, ``maven``,
    ``golang``, ``cargo``). ``licences`` are as the package writes them. ``source`` is the source
    package it was built from, as ``name`` or ``name@version``, empty if that has the same name
    and version. ``locations`` are the files that say it is installed, ``files`` those that belong
    to it: absolute paths, the latter in the order of the database, also such as are not there.
    """

    type: str
    name: str
    version: str
    purl: str
    architecture: str = ""
    licences: tuple[str, ...] = ()
    source: str = ""
    supplier: str = ""
    locations: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Note(Struct, frozen=True, order=True):
    """A file that should have told about packages and was not understood."""

    path: str
    reason: str


class Catalogue(Struct, frozen=True, kw_only=True):
    """All packages of a tree, sorted by type, name, version and purl, and what was not read."""

    packages: tuple[Package, ...]
    notes: tuple[Note, ...] = ()
    distribution: str = ""
    """``debian-12``, as in the qualifier ``distro`` of purls; empty if there is no os-release."""
