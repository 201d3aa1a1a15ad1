"""Python packages: core metadata in ``*.dist-info`` and ``*.egg-info`` (PEP 566, 643, 639)."""

from __future__ import annotations

import posixpath
import re

from jettison.packages.control import headers
from jettison.packages.malformed import PackageError, text_of, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl

METADATA = re.compile(r"/[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)$")
_CLASSIFIER = "License :: OSI Approved :: "


def parse_metadata(data: bytes, location: str) -> Package:
    """The package of one METADATA or PKG-INFO. Raises PackageError if it names none."""
    found = headers(text_of(data))
    name, version = word(_first(found, "name")), word(_first(found, "version"))
    if not name or not version:
        raise PackageError("it has no Name or no Version")
    return Package(
        type="pypi",
        name=name,
        version=version,
        purl=make_purl("pypi", name, version),
        licences=_licences(found),
        supplier=word(_first(found, "author") or _first(found, "author-email")),
        locations=(location,),
    )


def record_of(location: str) -> str | None:
    """Where the list of a wheel's files stands; egg-info has none that is kept up."""
    directory, name = posixpath.split(location)
    return posixpath.join(directory, "RECORD") if name == "METADATA" else None


def parse_record(data: bytes, location: str) -> tuple[str, ...]:
    """The files of a RECORD (PEP 376): CSV whose first column is relative to site-packages.

    Raises PackageError if it is no CSV.
    """
    import csv

    base = posixpath.dirname(posixpath.dirname(location))
    text = data.decode("utf-8", "surrogateescape")
    try:
        rows = [row for row in csv.reader(text.splitlines()) if row and row[0]]
    except csv.Error as error:
        raise PackageError(f"RECORD is malformed: {error}") from None
    return tuple(posixpath.normpath(posixpath.join(base, row[0])) for row in rows)


def _licences(found: dict[str, list[str]]) -> tuple[str, ...]:
    """The SPDX expression; else License, if that is a name and no text; else the classifiers."""
    expression = word(_first(found, "license-expression"))
    if expression:
        return (expression,)
    licence = _first(found, "license")
    if licence and "\n" not in licence and len(licence) < 80 and licence != "UNKNOWN":
        return (word(licence),)
    classifiers = found.get("classifier", [])
    return tuple(
        word(c.removeprefix(_CLASSIFIER)) for c in classifiers if c.startswith(_CLASSIFIER)
    )


def _first(found: dict[str, list[str]], name: str) -> str:
    return found.get(name, [""])[0]
