"""Reading a .deb: an ar archive of a version, a control tar and a data tar (deb(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from jettison.errors import ArchiveError, PackageError
from jettison.fs.decompress import Reader, open_decompressed
from jettison.fs.tarread import TarReader
from jettison.packages.control import paragraphs

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MAX_MEMBERS = 16
_MAX_CONTROL = 64 << 20
_MAX_CONTROL_FILE = 32 << 20
_MAX_CONTROL_FILES = 100
_MAX_DATA = 16 << 30
_MAX_RATIO = 1000
_SUFFIXES = ("", ".gz", ".xz", ".zst", ".bz2")


class Deb:
    """An open package file; made by `open_deb`.

    ``control`` are the fields of its control file by their names in lower case, ``files`` all
    members of its control archive by name (``control``, ``conffiles``, ``md5sums``, ``postinst``,
    ``shlibs``, ``triggers`` ...), as bytes.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        """Raises ArchiveError or PackageError for what is no such package."""
        self._file = file
        self._name = name
        control, self._data = self._members()
        self.files: Mapping[str, bytes] = dict(self._control(control))
        records = list(paragraphs(self.files.get("control", b"").decode("utf-8", "replace")))
        if len(records) != 1 or not records[0].get("package") or not records[0].get("version"):
            raise PackageError(f"{name}: its control file does not describe a package")
        self.control: Mapping[str, str] = records[0]

    def data(self) -> TarReader:
        """The package's files, as members of a tar, one after the other.

        Each call begins anew; only one reader may be in use at a time. Names are as they stand in
        the archive (``./usr/bin/x``), and nothing is believed of them. Raises ArchiveError, also
        while reading.
        """
        return TarReader(self.raw_data())

    def raw_data(self) -> Reader:
        """The tar that `data` reads, decompressed. Raises ArchiveError, also while reading."""
        return self._open(self._data, _MAX_DATA)

    def _members(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the control and the data archive lie: offset and size in bytes."""
        expected = iter(("debian-binary", "control.tar", "data.tar"))
        wanted = next(expected)
        places: list[tuple[int, int]] = []
        for name, offset, size in self._ar():
            if name.startswith("_") and places:
                continue  # "may be ignored": for additions that do not change the format
            if not _is(name, wanted):
                raise ArchiveError(f"{self._name}: {name!r} stands where {wanted} should")
            if wanted == "debian-binary":
                self._file.seek(offset)
                if not self._file.read(min(size, 16)).startswith(b"2."):
                    raise ArchiveError(f"{self._name}: a package format other than 2.x")
            places.append((offset, size))
            wanted = next(expected, "")
            if not wanted:
                return places[1], places[2]
        raise ArchiveError(f"{self._name}: it ends before its {wanted}")

    def _ar(self) -> Iterator[tuple[str, int, int]]:
        """The members of the ar archive: name, offset, size. All of them lie in the file."""
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        if self._file.read(len(_MAGIC)) != _MAGIC:
            raise ArchiveError(f"{self._name}: no Debian package")
        offset = len(_MAGIC)
        for _ in range(_MAX_MEMBERS):
            if offset >= end:
                return
            self._file.seek(offset)
            header = self._file.read(_HEADER)
            text = header[48:58].rstrip(b" ")
            if len(header) != _HEADER or header[58:] != b"`\n" or not text.isdigit():
                raise ArchiveError(f"{self._name}: a damaged header")
            size = int(text)
            offset += _HEADER
            if offset + size > end:
                raise ArchiveError(f"{self._name}: it is truncated")
            name = header[:16].rstrip(b" ").removesuffix(b"/").decode("ascii", "replace")
            yield name, offset, size
            offset += size + size % 2
        raise ArchiveError(f"{self._name}: too many members")

    def _control(self, place: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
        reader = TarReader(self._open(place, _MAX_CONTROL))
        count = 0
        while (member := reader.next()) is not None:
            count += 1
            name = os.fsdecode(member.name).removeprefix("./")
            if member.type != b"0":
                continue
            if count > _MAX_CONTROL_FILES or member.stored > _MAX_CONTROL_FILE:
                raise ArchiveError(f"{self._name}: its control archive is too large")
            yield name, reader.data()

    def _open(self, place: tuple[int, int], limit: int) -> Reader:
        section = _Section(self._file, *place)
        return open_decompressed(section, max_bytes=limit, max_ratio=_MAX_RATIO)


class _Section:
    """A part of a file, read from its beginning."""

    def __init__(self, file: IO[bytes], offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self._left = size

    def read(self, size: int, /) -> bytes:
        self._file.seek(self._offset)
        data = self._file.read(min(size, self._left))
        self._offset += len(data)
        self._left -= len(data)
        return data


@contextmanager
def open_deb(path: str | Path, name: str = "") -> Iterator[Deb]:
    """The package in the file ``path``; ``name`` is what errors call it.

    Nothing is held in memory but its control archive. What is wrong with it while it is open
    is an error that names it, too. Raises ArchiveError if it is malformed,
    truncated or hostile, PackageError if its control file is no package's, OSError.
    """
    name = name or os.fspath(path)
    with open(path, "rb") as file:
        try:
            yield Deb(file, name)
        except ArchiveError as error:
            if error.message.startswith(name):
                raise
            raise ArchiveError(f"{name}: {error.message}", hint=error.hint) from None


def _is(name: str, wanted: str) -> bool:
    if wanted == "debian-binary":
        return name == wanted
    return name.startswith(wanted) and name[len(wanted) :] in _SUFFIXES
