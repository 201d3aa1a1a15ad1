"""The files of packages and what is declared, written into one directory that becomes a layer.

Every path goes through `fs.extract`: confined to the directory, links followed inside it, so that
``/lib`` of a package lands in ``/usr/lib``. Each path knows the package it is from.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from msgspec import Struct

from jettison.distroless.deb import Deb
from jettison.distroless.trim import Trim, merged_path
from jettison.errors import DistrolessError, PackageError
from jettison.fs.confine import clean, join
from jettison.fs.extract import Extractor, Limits, guarded
from jettison.fs.ownership import Owners, owned
from jettison.fs.tarformat import DIRECTORY, LINK, REGULAR, SYMLINK, Member
from jettison.fs.tarread import TarReader
from jettison.packages.relation import parse_relations

_NS = 1_000_000_000
_CHUNK = 1 << 20
_LIMITS = Limits(max_entries=2_000_000, max_bytes=64 << 30)


class Entry(Struct, frozen=True):
    """A path to make: ``data`` of a file, ``target`` of a link; ``type`` as in a tar."""

    path: str
    data: bytes = b""
    type: bytes = REGULAR
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    target: str = ""
    merged: bool = True
    """Whether ``lib`` and the like stand for what is in ``usr``."""


class Tree:
    """What an image will hold; ``epoch`` (seconds) is the latest time a file may have.

    ``owner`` has the package of every file and link by its real path, without a leading slash.
    """

    def __init__(self, directory: Path, trim: Trim, epoch: int | None, *, rootless: bool) -> None:
        self._directory = directory
        self._extractor = Extractor(str(directory), _LIMITS, in_user_namespace=rootless)
        self._root = self._extractor.root
        self._trim = trim
        self._epoch = epoch
        self.newest = 0
        self.owner: dict[str, str] = {}
        self.size: dict[str, int] = {}
        self.sums: dict[str, dict[str, str]] = {}
        self._replaces: dict[str, tuple[str, str]] = {}

    @property
    def time(self) -> int:
        """The time of what no package brings: the epoch, else that of the newest file so far."""
        return self.newest if self._epoch is None else self._epoch

    # ---------------------------------------------------------------- packages

    def add_package(
        self, deb: Deb, reader: TarReader, removed: Callable[[str], bool], check: Callable[[], None]
    ) -> None:
        """Unpack a package; ``removed`` says what else is left out, ``check`` may end it.

        Raises DistrolessError if a file is another package's, and neither replaces the other;
        ArchiveError for a malformed or hostile archive, StoreError.
        """
        name = deb.control["package"]
        self._replaces[name] = (deb.control["version"], deb.control.get("replaces", ""))
        self.size.setdefault(name, 0)
        sums = _md5sums(deb.files.get("md5sums", b""))
        kept = self.sums[name] = {}
        while (member := reader.next()) is not None:
            check()
            path = merged_path(os.fsdecode(clean(member.name)))
            if not path or self._is_left_out(path, member, removed):
                continue
            real = self._make(name, path, member, reader)
            if real is not None and member.type in (REGULAR, LINK):
                kept[real] = sums.get(os.fsdecode(clean(member.name)), "")

    def _is_left_out(self, path: str, member: Member, removed: Callable[[str], bool]) -> bool:
        directory = member.type == DIRECTORY
        link = member.type == SYMLINK
        if self._trim.leaves_out(path, member.size, directory=directory, link=link):
            return True
        return removed(path)

    def _make(self, name: str, path: str, member: Member, reader: TarReader) -> str | None:
        """Make a member; its real path, None if nothing new is there."""
        self.newest = max(self.newest, member.mtime_ns // _NS)
        if self._epoch is not None:
            member.mtime_ns = min(member.mtime_ns, self._epoch * _NS)
        if member.type == LINK:
            member.target = os.fsencode(merged_path(os.fsdecode(clean(member.target))))
        place = self._extractor.place(os.fsencode(path), member.mtime_ns)
        real = os.fsdecode(place)
        there = self._status(place)
        if there is not None and stat.S_ISDIR(there.st_mode) and member.type == DIRECTORY:
            if real in self._extractor.result.implied:
                self._extractor.create(member, place, reader)
            return None
        if there is not None and self._stands_for(place, there, member):
            return None
        if there is not None and not self._takes_over(name, real, there, member):
            return None
        self._extractor.create(member, place, reader)
        if member.type != DIRECTORY:
            self.owner[real] = name
            self.size[name] += member.size
        return real

    def _stands_for(self, place: bytes, there: os.stat_result, member: Member) -> bool:
        """Whether a link is there that means the same: the same link once more, or one to a
        directory where a package has the directory (as for dpkg).
        """
        if not stat.S_ISLNK(there.st_mode):
            return False
        if member.type == DIRECTORY:
            return self._root.directory(place, None) is not None
        return member.type == SYMLINK and os.readlink(self._root.host(place)) == member.target

    def _takes_over(self, name: str, real: str, there: os.stat_result, member: Member) -> bool:
        """Whether a package's file goes where something is already."""
        other = self.owner.get(real, "")
        if stat.S_ISDIR(there.st_mode) or member.type == DIRECTORY:
            raise DistrolessError(
                f"/{real} is a directory in one package and none in another: {name}"
                + (f" and {other}" if other else "")
            )
        if other == name or not other:
            return True
        if self._does_replace(name, other):
            self.size[other] -= there.st_size
            self.sums[other].pop(real, None)
            return True
        if self._does_replace(other, name):
            return False
        raise DistrolessError(
            f"both {other} and {name} have a file /{real}, and neither replaces the other",
            hint="leave out one of the packages",
        )

    def _does_replace(self, name: str, other: str) -> bool:
        _, relations = self._replaces[name]
        version, _ = self._replaces[other]
        try:
            groups = parse_relations(relations)
        except PackageError as error:
            raise PackageError(f"{name}: {error.message}") from None
        return any(r.name == other and r.admits(version) for group in groups for r in group)

    # ---------------------------------------------------------------- what is declared

    def add(self, entries: Iterable[Entry], *, replace: bool = True) -> None:
        """Make paths that no package brings; existing directories stay as they are unless
        ``replace``, and so does everything else.
        """
        for entry in entries:
            name = clean(os.fsencode(entry.path))
            if not name:
                continue
            if entry.merged:
                name = os.fsencode(merged_path(os.fsdecode(name)))
            place = self._extractor.place(name, self.time * _NS)
            there = self._status(place)
            if there is not None and not replace:
                continue
            if there is not None and stat.S_ISDIR(there.st_mode) and entry.type != DIRECTORY:
                raise DistrolessError(f"{entry.path} is a directory already")
            mode, uid, gid = entry.mode, entry.uid, entry.gid
            target = entry.target
            if entry.type == LINK:
                mode, uid, gid = self._link_of(entry)
                target = merged_path(os.fsdecode(clean(os.fsencode(target))))
            member = Member(
                place,
                entry.type,
                mode,
                uid,
                gid,
                len(entry.data),
                self.time * _NS,
                os.fsencode(target),
                stored=len(entry.data),
            )
            self._extractor.create(member, place, _Held(entry.data))
            if entry.type != DIRECTORY:
                self.owner.pop(os.fsdecode(place), None)

    def _link_of(self, entry: Entry) -> tuple[int, int, int]:
        """Mode and owner of what a hard link is made to, which it must not change."""
        real = self._located(entry.target)
        if real is None:
            raise DistrolessError(
                f"{entry.path} is a hard link to {entry.target}, which is not there"
            )
        status = owned(real, os.lstat(real))
        return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid

    def _located(self, path: str) -> bytes | None:
        """The host path of what is at ``path`` of the image; None if there is nothing."""
        name = os.fsencode(merged_path(os.fsdecode(clean(os.fsencode(path)))))
        parent, _, base = name.rpartition(b"/")
        real = self._root.directory(parent, None)
        host = self._root.host(join(real, base)) if real is not None else b""
        return host if host and os.path.lexists(host) else None

    def finish(self) -> None:
        """Give directories their modes and times."""
        self._extractor.finish()

    def permit(self, path: str, mode: int, uid: int, gid: int) -> None:
        """Give an existing path other permissions; after `finish`. Raises DistrolessError."""
        host = self._located(path)
        if host is None or os.path.islink(host):
            raise DistrolessError(f"no file or directory {path} is there to give permissions to")
        with guarded(os.fsencode(path)):
            status = os.lstat(host)
            Owners(self._directory).give(host, uid, gid)
            os.chmod(host, mode)
            os.utime(host, ns=(status.st_mtime_ns, status.st_mtime_ns))

    # ---------------------------------------------------------------- reading

    def files(self, prefix: str, suffix: str = "") -> list[str]:
        """The packages' files below ``prefix``, sorted."""
        return sorted(p for p in self.owner if p.startswith(prefix) and p.endswith(suffix))

    def has(self, path: str) -> bool:
        """Whether there is anything at ``path`` (links followed on the way)."""
        return self._located(path) is not None

    def read(self, path: str) -> bytes:
        """A file that a package brought; empty if it is a link."""
        try:
            with self._open(path) as file:
                return file.read()
        except OSError:
            return b""

    def md5sums(self, name: str) -> str:
        """What is here of a package, as dpkg lists it; those it has no sums of are read."""
        lines = [
            f"{digest or self._md5(path)}  {path}\n"
            for path, digest in sorted(self.sums[name].items())
            if self.owner.get(path) == name
        ]
        return "".join(lines)

    def _md5(self, path: str) -> str:
        with self._open(path) as file:
            found = hashlib.md5(usedforsecurity=False)
            while data := file.read(_CHUNK):
                found.update(data)
            return found.hexdigest()

    def _open(self, path: str) -> IO[bytes]:
        host = self._root.host(os.fsencode(path))
        return os.fdopen(os.open(host, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")

    def _status(self, place: bytes) -> os.stat_result | None:
        try:
            return os.lstat(self._root.host(place))
        except FileNotFoundError:
            return None


class _Held(TarReader):
    """The data of a member that is in memory."""

    def __init__(self, data: bytes) -> None:
        self._held = data

    def chunks(self) -> Iterator[bytes]:
        if self._held:
            yield self._held

    def data(self) -> bytes:
        return self._held


def _md5sums(data: bytes) -> Mapping[str, str]:
    """A package's ``md5sums``: hashes by path. Lines that are none are passed over."""
    found = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        digest, gap, path = line.partition("  ")
        if gap and len(digest) == 32 and not digest.strip("0123456789abcdef"):
            found[path.removeprefix("./")] = digest
    return found
