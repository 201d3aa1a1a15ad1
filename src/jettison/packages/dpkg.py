"""Debian packages: dpkg's status file (deb822(5), dpkg(1)) and distroless' ``status.d``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.packages.control import paragraphs
from jettison.packages.malformed import PackageError, text_of, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl
from jettison.packages.release import Release

_NAME = re.compile(r"^[a-z0-9A-Z][a-zA-Z0-9+._-]*$")
_SOURCE = re.compile(r"^(\S+)(?:\s+\((.+)\))?$")
_GONE = frozenset({"not-installed", "config-files"})
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")


def parse_status(data: bytes, release: Release, location: str) -> list[Package]:
    """The installed packages of a status file.

    A record without Status is of an installed package (distroless). Raises PackageError if there
    are records and none of them is a package's.
    """
    found = []
    records = 0
    for record in paragraphs(text_of(data)):
        records += 1
        name, version = word(record.get("package")), word(record.get("version"))
        state = record.get("status", "install ok installed").split()
        if not _NAME.match(name) or (state and state[-1] in _GONE) or not version:
            continue
        found.append(_package(record, name, version, release, location))
    if records and not found and b"Package:" not in data:
        raise PackageError("no package in it")
    return found


def _package(
    record: dict[str, str], name: str, version: str, release: Release, location: str
) -> Package:
    architecture = word(record.get("architecture"))
    source = _source(word(record.get("source")), name, version)
    qualifiers = {
        "arch": architecture,
        "distro": release.distribution,
        "upstream": source,
    }
    return Package(
        type="deb",
        name=name,
        version=version,
        purl=make_purl(
            "deb", name, version, namespace=release.id or "debian", qualifiers=qualifiers
        ),
        architecture=architecture,
        source=source,
        supplier=word(record.get("maintainer")),
        locations=(location,),
    )


def _source(text: str, name: str, version: str) -> str:
    """``glibc (2.36-9)`` as ``glibc@2.36-9``; a version is written only where it differs."""
    match = _SOURCE.match(text)
    if not match or (match[1] == name and match[2] in (None, version)):
        return ""
    return f"{match[1]}@{match[2]}" if match[2] else match[1]


def file_lists(package: Package) -> tuple[str, ...]:
    """Where dpkg, or distroless, may keep the list of a package's files."""
    name = package.name
    info = "/var/lib/dpkg/info"
    return (
        f"{info}/{name}.list",
        f"{info}/{name}:{package.architecture}.list",
        f"/var/lib/dpkg/status.d/{name}.md5sums",
    )


def parse_list(data: bytes, path: str) -> tuple[str, ...]:
    """The paths of a ``.list`` (directories among them) or of a ``.md5sums``."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if path.endswith(".md5sums"):
        lines = ["/" + line.partition("  ")[2] for line in lines if "  " in line]
    return tuple(line for line in lines if line.startswith("/") and line not in ("/", "/."))


def copyright_file(package: Package) -> str:
    return f"/usr/share/doc/{package.name}/copyright"


def parse_copyright(data: bytes) -> tuple[str, ...]:
    """The licences a copyright file names: the short names of a machine-readable one (DEP-5), and
    those of /usr/share/common-licenses that it points to if it is none.
    """
    text = text_of(data)
    found = list(_short_names(text)) if "Format:" in text[:2000] else []
    if not found:
        found = [match[1] for match in _COMMON.finditer(text)]
    return tuple(dict.fromkeys(found))


def _short_names(text: str) -> Iterator[str]:
    for record in paragraphs(text):
        first = word(record.get("license", "").partition("\n")[0])
        for name in re.split(r"\s*,?\s+(?:and|or)\s+|\s*,\s*", first):
            if name and not name.lower().startswith("with "):
                yield name
