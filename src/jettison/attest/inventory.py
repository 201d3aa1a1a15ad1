"""What is in a tree: its packages, and the files that belong to them or tell of them, hashed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from jettison.errors import JettisonError
from jettison.fs.tree import Entry, Tree
from jettison.packages.model import Catalogue, Note, Package
from jettison.packages.scan import scan

MAX_FILES = 100_000
"""Files an inventory lists; of larger trees it says that there are more."""


class File(Struct, frozen=True):
    """A regular file: its path in the tree and on the host, and its digests in hex."""

    path: str
    real: str
    sha1: str
    sha256: str


class Inventory(Struct, frozen=True):
    """``files`` by the path a package gives them, which may lead through links of directories."""

    catalogue: Catalogue
    files: dict[str, File]


def take_inventory(tree: Tree, progress: Callable[[], None] = lambda: None) -> Inventory:
    """The inventory of ``tree``; ``progress`` is called for every file, and may raise to end it.

    Raises PathError if the tree cannot be walked.
    """
    catalogue = scan(tree, progress)
    files: dict[str, File] = {}
    known: dict[str, File] = {}
    notes = []
    for path in _paths(catalogue.packages):
        progress()
        if path in files:
            continue
        if len(files) >= MAX_FILES:
            notes.append(Note("/", f"more than {MAX_FILES} files: the others are not listed"))
            break
        try:
            entry = _find(tree, path)
            if entry is not None:
                files[path] = known.get(entry.path) or _hashed(entry)
                known[entry.path] = files[path]
        except (JettisonError, OSError) as error:
            notes.append(Note(path, str(error)))
    if notes:
        catalogue = structs.replace(catalogue, notes=tuple(sorted({*catalogue.notes, *notes})))
    return Inventory(catalogue, files)


def outer(location: str) -> str:
    """The file of a tree that a location lies in: that before ``!/`` for what archives hold."""
    return location.partition("!/")[0]


def _paths(packages: Iterable[Package]) -> Iterable[str]:
    for package in packages:
        yield from map(outer, package.locations)
    for package in packages:
        yield from package.files


def _find(tree: Tree, path: str) -> Entry | None:
    """The regular file at ``path``: databases write /lib where a link leads to /usr/lib."""
    entry = tree.lstat(path) or tree.lstat(tree.resolve(path, follow_last=False))
    return entry if entry is not None and stat.S_ISREG(entry.st.st_mode) else None


def _hashed(entry: Entry) -> File:
    sha1, sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    fd = os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            sha1.update(chunk)
            sha256.update(chunk)
    return File(entry.path, entry.real, sha1.hexdigest(), sha256.hexdigest())
