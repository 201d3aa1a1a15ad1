"""Which package a file belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from jettison.errors import PathError
from jettison.fs.tree import Tree, join, parent_of
from jettison.packages.model import Catalogue, Package

_WHOLE_DIRECTORY = frozenset({"npm"})
"""Types whose packages are a directory; databases list no files for them."""
_ONE_FILE = frozenset({"maven", "golang", "cargo"})


class Owners:
    """The packages of a catalogue by the files they have in a tree.

    Databases write paths as packages unpack them; where /lib is a link to /usr/lib the file is at
    another path. Both are one here.
    """

    def __init__(self, tree: Tree, catalogue: Catalogue) -> None:
        self._tree = tree
        self._directories: dict[str, str] = {}
        self._files: dict[str, list[Package]] = {}
        self._below: dict[str, list[Package]] = {}
        self._names: dict[str, Package] = {}
        for package in catalogue.packages:
            for path in self._paths(package):
                self._files.setdefault(self.real(path), []).append(package)
                self._names.setdefault(path.rpartition("/")[2], package)
            if package.type in _WHOLE_DIRECTORY:
                for location in package.locations:
                    if location.endswith("/package.json"):
                        self._below.setdefault(self.real(parent_of(location)), []).append(package)

    def of(self, path: str) -> tuple[Package, ...]:
        """The packages that brought the file at ``path``, those of distributions first."""
        real = self.real(path)
        found = list(self._files.get(real, ()))
        while real != "/":
            if real in self._below:
                found += self._below[real]
                break
            real = parent_of(real)
        unique = {package.purl: package for package in found}
        return tuple(sorted(unique.values(), key=lambda p: p.type not in ("deb", "apk", "rpm")))

    def named(self, name: str) -> str:
        """The name of a package that has a file called so, though it may be gone; else empty."""
        package = self._names.get(name.rpartition("/")[2])
        return package.name if package is not None else ""

    def real(self, path: str) -> str:
        """``path`` with the links of its directories followed, but not its own."""
        directory, _, name = path.rpartition("/")
        directory = directory or "/"
        known = self._directories.get(directory)
        if known is None:
            try:
                known = self._tree.resolve(directory)
            except PathError:
                known = directory
            self._directories[directory] = known
        return join(known, name) if name else known

    def _paths(self, package: Package) -> Iterable[str]:
        yield from package.files
        if package.type in _ONE_FILE:
            for location in package.locations:
                yield location.partition("!/")[0]
        else:
            yield from package.locations if package.type == "pypi" else ()
