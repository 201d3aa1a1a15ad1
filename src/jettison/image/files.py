"""The files of an image archive, in a directory or in a tar that stays packed."""

from __future__ import annotations

import io
import os
import posixpath
import shutil
import stat
import tempfile
from typing import IO, TYPE_CHECKING, Protocol

from jettison.errors import ArchiveError, ImageError, NotFoundError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_BLOCK = 512
_MAX_MEMBERS = 100_000
_MAX_NAMES = 32 << 20  # characters of all names
_MAX_LINKS = 10
_MAX_RATIO = 2000
"""Archives that expand further are bombs: gzip itself ends near 1000."""
_CHUNK = 1 << 20


class Files(Protocol):
    """Named files that can be read in any order, by several threads."""

    name: str

    def open(self, path: str) -> IO[bytes]:
        """The file at ``path`` (relative, ``/`` between parts). Raises NotFoundError."""
        ...

    def size(self, path: str) -> int | None:
        """The size of the file in bytes; None if there is none."""
        ...

    def close(self) -> None: ...


def open_files(path: str, *, scratch: str | None = None) -> Files:
    """The files of a directory or of a tar, which may be compressed.

    A compressed tar is first decompressed into a nameless file in ``scratch`` (default: the
    system's directory for temporary files). Raises NotFoundError if there is nothing at ``path``,
    ArchiveError if it is neither.
    """
    if os.path.isdir(path):
        return DirectoryFiles(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFoundError(f"{path}: {error.strerror}") from None
    with open(fd, "rb") as stream:
        return read_files(stream, path, scratch=scratch)


def read_files(stream: IO[bytes], name: str, *, scratch: str | None = None) -> Files:
    """The files of the tar that ``stream`` gives; it can be closed afterwards.

    A regular file that is not compressed is read where it is; everything else is copied into
    ``scratch`` first. Raises ArchiveError.
    """
    from jettison.fs.decompress import open_decompressed

    fd = _seekable(stream)
    if fd is not None:
        return TarFiles(os.dup(fd), name)
    with (
        tempfile.TemporaryFile(dir=scratch) as spool,
        open_decompressed(stream, max_ratio=_MAX_RATIO) as plain,
    ):
        shutil.copyfileobj(plain, spool, _CHUNK)
        spool.flush()
        return TarFiles(os.dup(spool.fileno()), name)


def _seekable(stream: IO[bytes]) -> int | None:
    """The descriptor of a stream that is a whole uncompressed file, else None."""
    from jettison.fs.decompress import detect

    try:
        fd = stream.fileno()
        if not stat.S_ISREG(os.fstat(fd).st_mode) or stream.tell() != 0:
            return None
    except (OSError, AttributeError):
        return None
    return fd if detect(os.pread(fd, 16, 0)) == "plain" else None


class DirectoryFiles:
    """Files of a directory the user named; only regular files are opened.

    Links are followed (build systems make layouts of links); what is read through them is
    checked against digests, like everything.
    """

    def __init__(self, root: str) -> None:
        self.name = root

    def open(self, path: str) -> IO[bytes]:
        full = os.path.join(self.name, _normal(path))
        try:
            fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise NotFoundError(f"{full}: {error}") from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise ImageError(f"{full} is no regular file")
        return open(fd, "rb")

    def size(self, path: str) -> int | None:
        try:
            with self.open(path) as file:
                return os.fstat(file.fileno()).st_size
        except (NotFoundError, ImageError):
            return None

    def close(self) -> None:
        """Nothing is held open."""


class TarFiles:
    """Files of an uncompressed tar, read in place. Only names and places are kept in memory."""

    def __init__(self, fd: int, name: str) -> None:
        """Takes ``fd`` over. Raises ArchiveError if there is no tar in it."""
        self.name = name
        self._fd = fd
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._scan()
        except ArchiveError as error:
            os.close(fd)
            raise ArchiveError(f"{name}: {error.message}", hint=error.hint) from None
        except BaseException:
            os.close(fd)
            raise

    def open(self, path: str) -> IO[bytes]:
        place = self._find(path)
        if place is None:
            raise NotFoundError(f"{self.name} has no file {path}")
        return io.BufferedReader(_Section(os.dup(self._fd), *place), _CHUNK)

    def size(self, path: str) -> int | None:
        place = self._find(path)
        return None if place is None else place[1]

    def close(self) -> None:
        os.close(self._fd)

    def _find(self, path: str) -> tuple[int, int] | None:
        path = _normal(path)
        for _ in range(_MAX_LINKS):
            if path not in self._links:
                break
            path = self._links[path]
        return self._places.get(path)

    def _scan(self) -> None:
        """Note where each file's data is; the data itself is skipped."""
        from jettison.fs.tarread import TarReader

        end = os.fstat(self._fd).st_size
        position = names = 0
        for _ in range(_MAX_MEMBERS):
            headers = _Blocks(self._fd, position)
            member = TarReader(headers).next()
            if member is None:
                return
            path = _normal(os.fsdecode(member.name))
            target = os.fsdecode(member.target)
            names += len(path) + len(target)
            if names > _MAX_NAMES:
                raise ArchiveError(f"the tar has more than {_MAX_NAMES} bytes of names")
            # Of two members with one name the later counts, as when unpacking.
            self._places.pop(path, None)
            self._links.pop(path, None)
            if member.type == b"2":
                self._links[path] = _normal(posixpath.join(posixpath.dirname(path), target))
            elif member.type == b"1":
                self._links[path] = _normal(target)
            elif member.type == b"0" and member.sparse is None:
                self._places[path] = (headers.position, member.size)
            position = headers.position + member.stored + -member.stored % _BLOCK
            if headers.position + member.stored > end:
                raise ArchiveError("the tar is truncated")
        raise ArchiveError(f"the tar has more than {_MAX_MEMBERS} members")


class _Blocks:
    """Gives a tar reader one block at a time, so that it never reads beyond the headers."""

    def __init__(self, fd: int, position: int) -> None:
        self._fd = fd
        self.position = position

    def read(self, size: int, /) -> bytes:
        data = os.pread(self._fd, min(size, _BLOCK), self.position)
        self.position += len(data)
        return data


class _Section(io.RawIOBase):
    """Bytes ``offset`` to ``offset + size`` of a descriptor, which it closes."""

    def __init__(self, fd: int, offset: int, size: int) -> None:
        self._fd = fd
        self._position = offset
        self._end = offset + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)[: self._end - self._position]
        count = os.preadv(self._fd, [view], self._position) if view else 0
        self._position += count
        return count

    def write(self, data: ReadableBuffer, /) -> int:
        raise io.UnsupportedOperation("write")

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()


def _normal(path: str) -> str:
    """As looked up: relative to the archive's root, which ``..`` cannot leave."""
    return posixpath.normpath("/" + path).lstrip("/")
