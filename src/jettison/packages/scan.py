"""Every package of a tree: finds what cataloguers read, and asks them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Protocol

import msgspec

from jettison.errors import JettisonError
from jettison.packages import apk, dpkg, golang, java, npm, python, rpm, rust
from jettison.packages.elf import Elf
from jettison.packages.malformed import PackageError
from jettison.packages.model import Catalogue, Note, Package
from jettison.packages.release import Release, parse_release

_MAX_DATABASE = 512 << 20
_MAX_TEXT = 32 << 20
_STATUS = "/var/lib/dpkg/status"
_STATUS_D = "/var/lib/dpkg/status.d/"
_APK = frozenset({"/lib/apk/db/installed", "/usr/lib/apk/db/installed"})
_RPM_DIRECTORIES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
_RPM = frozenset(f"{d}/rpmdb.sqlite" for d in _RPM_DIRECTORIES)
_RPM_OLD = frozenset(f"{d}/{n}" for d in _RPM_DIRECTORIES for n in ("Packages", "Packages.db"))
_RELEASES = ("/etc/os-release", "/usr/lib/os-release")


class Entry(Protocol):
    """Something in a tree: its path there, its path on the host, and what lstat(2) says of it."""

    @property
    def path(self) -> str: ...
    @property
    def real(self) -> str: ...
    @property
    def st(self) -> os.stat_result: ...


class Tree(Protocol):
    """A root file system; `fs.tree.Tree` is one."""

    def lstat(self, path: str) -> Entry | None: ...
    def resolve(self, path: str, *, follow_last: bool = True) -> str: ...
    def walk(self, path: str = "/") -> Iterable[Entry]: ...


def scan(tree: Tree, progress: Callable[[], None] = lambda: None) -> Catalogue:
    """All packages of ``tree``. What is damaged is noted, and what the rest says is kept.

    ``progress`` is called for every file; what it raises ends the scan. Raises PathError if the
    tree itself cannot be walked.
    """
    return _Scan(tree, progress).run()


class _Scan:
    def __init__(self, tree: Tree, progress: Callable[[], None]) -> None:
        self._tree = tree
        self._progress = progress
        self._notes: set[Note] = set()
        self._found: dict[str, Package] = {}
        self._release = Release()

    def run(self) -> Catalogue:
        self._release = self._read_release()
        for entry in self._tree.walk("/"):
            self._progress()
            if stat.S_ISREG(entry.st.st_mode) and entry.st.st_size:
                self._file(entry)
        packages = sorted(self._found.values(), key=lambda p: (p.type, p.name, p.version, p.purl))
        return Catalogue(
            packages=tuple(packages),
            notes=tuple(sorted(self._notes)),
            distribution=self._release.distribution,
        )

    def _file(self, entry: Entry) -> None:
        try:
            for package in self._packages_of(entry):
                self._add(package)
        except JettisonError as error:
            self._note(entry.path, error.message)
        except OSError as error:
            self._note(entry.path, error.strerror or str(error))

    def _packages_of(self, entry: Entry) -> Iterator[Package]:
        path, release = entry.path, self._release
        if path == _STATUS:
            data = self._read(entry, _MAX_DATABASE)
            yield from map(self._with_dpkg_files, dpkg.parse_status(data, release, path))
        elif path.startswith(_STATUS_D) and not path.endswith(".md5sums"):
            data = self._read(entry, _MAX_TEXT)
            yield from map(self._with_dpkg_files, dpkg.parse_status(data, release, path))
        elif path in _APK:
            yield from apk.parse_installed(self._read(entry, _MAX_DATABASE), release, path)
        elif path in _RPM:
            yield from rpm.parse_database(self._read(entry, _MAX_DATABASE), release, path)
        elif path in _RPM_OLD:
            raise PackageError("databases of rpm before 4.16 (Berkeley DB, ndb) are not read")
        elif python.METADATA.search(path):
            yield self._with_record(python.parse_metadata(self._read(entry, _MAX_TEXT), path))
        elif npm.INSTALLED.search(path):
            package = npm.parse_package(self._read(entry, _MAX_TEXT), path)
            yield from (package,) if package is not None else ()
        elif path.rpartition("/")[2] in npm.LOCKS:
            yield from npm.parse_lock(self._read(entry, _MAX_TEXT), path)
        elif path.lower().endswith(java.ARCHIVES):
            with _open(entry) as file:
                yield from java.parse_archive(file, path)
        elif entry.st.st_mode & 0o111:
            yield from _linked(entry)

    def _add(self, package: Package) -> None:
        """A package that several files tell of is one, with all their locations."""
        known = self._found.get(package.purl)
        if known is not None:
            locations = tuple(dict.fromkeys((*known.locations, *package.locations)))
            files = known.files or package.files
            licences = known.licences or package.licences
            package = msgspec.structs.replace(
                known, locations=locations, files=files, licences=licences
            )
        self._found[package.purl] = package

    # ---------------------------------------------------------------- what belongs to a package

    def _with_dpkg_files(self, package: Package) -> Package:
        files: tuple[str, ...] = ()
        for path in dpkg.file_lists(package):
            data = self._optional(path)
            if data is not None:
                files = dpkg.parse_list(data, path)
                break
        data = self._optional(dpkg.copyright_file(package))
        licences = dpkg.parse_copyright(data) if data is not None else ()
        return msgspec.structs.replace(package, files=files, licences=licences)

    def _with_record(self, package: Package) -> Package:
        path = python.record_of(package.locations[0])
        data = self._optional(path) if path is not None else None
        if data is None:
            return package
        try:
            files = python.parse_record(data, package.locations[0])
        except PackageError as error:
            self._note(path or "", error.message)
            return package
        return msgspec.structs.replace(package, files=files)

    # ---------------------------------------------------------------- reading

    def _read_release(self) -> Release:
        for path in _RELEASES:
            data = self._optional(path)
            if data is not None:
                return parse_release(data)
        return Release()

    def _optional(self, path: str) -> bytes | None:
        """The file that a path leads to; None if there is none, or it cannot be read (noted)."""
        try:
            entry = self._tree.lstat(self._tree.resolve(path))
            if entry is None or not stat.S_ISREG(entry.st.st_mode):
                return None
            return self._read(entry, _MAX_TEXT)
        except JettisonError as error:
            self._note(path, error.message)
        except OSError as error:
            self._note(path, error.strerror or str(error))
        return None

    def _read(self, entry: Entry, limit: int) -> bytes:
        if entry.st.st_size > limit:
            raise PackageError(f"it has more than {limit >> 20} MiB")
        with _open(entry) as file:
            return file.read(limit + 1)[:limit]

    def _note(self, path: str, reason: str) -> None:
        self._notes.add(Note(path, reason))


def _linked(entry: Entry) -> Iterator[Package]:
    """What Go and Rust wrote into a program about itself."""
    with _open(entry) as file:
        if file.read(4) != b"\x7fELF":
            return
        try:
            elf = Elf(file)
        except PackageError:
            return  # whatever it is, no compiler of these made it
        yield from golang.parse_program(elf, entry.path)
        yield from rust.parse_program(elf, entry.path)


def _open(entry: Entry) -> IO[bytes]:
    return open(os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
