"""Creating the members of a tar in a directory, whatever the tar says.

Shared by image layers and ADD's archives. Every path goes through confine.Root, every file is
created exclusively and without following links, so nothing outside the directory is touched.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct, field

from jettison.errors import ArchiveError, JettisonError, StoreError
from jettison.fs.below import Below
from jettison.fs.confine import Root, clean, join
from jettison.fs.ownership import PREFIX, Owners
from jettison.fs.tarformat import (
    BLOCK_DEVICE,
    CHARACTER,
    DIRECTORY,
    FIFO,
    LINK,
    REGULAR,
    SYMLINK,
    Member,
)
from jettison.fs.tarread import TarReader
from jettison.fs.whiteout import is_whiteout

_SMALL = 256 << 10
_MAX_TIME = (1 << 63) - 1
_MAX_OWNER = (1 << 32) - 2
_NOT_TAKEN = (b"trusted.", b"user.overlay.", PREFIX.encode())
_MAX_MAJOR, _MAX_MINOR = (1 << 12) - 1, (1 << 20) - 1  # the kernel's dev_t
_MAX_PATH = 4096  # PATH_MAX, limits.h
_MAX_SKIPPED = 1000
_MAX_NAMES = 160 << 20  # bytes of memory for names that must be known until the end
_NAME = 350  # bytes that Python needs to remember a name, besides its length
_DEVICES = {CHARACTER: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK}


class Limits(Struct, frozen=True):
    """How much an archive may make: files and directories, and bytes of their apparent sizes."""

    max_entries: int = 10_000_000
    max_bytes: int = 1 << 40


class Unpacked(Struct):
    """What unpacking made.

    ``implied`` are directories that no member stands for (paths without a leading slash): they
    have default metadata, and a tree they are merged into keeps its own. ``skipped`` says, one
    line each, what could not be made: device nodes and some attributes in a user namespace.
    """

    entries: int = 0
    bytes: int = 0
    implied: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)


class Extractor:
    """Creates members below a directory; ``finish`` sets what must be set last.

    ``below`` is what the directory will be laid on: parents that are missing look like theirs,
    and hard links to what is only there become copies of it. ``replaced`` is told the host path
    of each directory that takes the place of something else. ``owners`` False leaves all owners
    to be the caller's.
    """

    def __init__(
        self,
        dest_dir: str,
        limits: Limits,
        *,
        below: Below | None = None,
        replaced: Callable[[bytes], None] | None = None,
        owners: bool = True,
        in_user_namespace: bool = False,
    ) -> None:
        self.root = Root(dest_dir)
        self.result = Unpacked()
        self._limits = limits
        self._below = below
        self._replaced = replaced
        self._owners = Owners(dest_dir) if owners else None
        self._in_user_namespace = in_user_namespace
        self._directories: dict[bytes, tuple[int, int]] = {}  # mode and time, set at the end
        self._copied: dict[str, bytes] = {}  # files of ``below`` that hard links were made of
        self._time = 0
        self._names = 0  # bytes, see _MAX_NAMES

    def place(self, name: bytes, mtime_ns: int = 0) -> bytes:
        """Where a member of (clean) ``name`` lands; its parents are made if need be."""
        self._time = mtime_ns
        directory, _, base = name.rpartition(b"/")
        try:
            if len(name) >= _MAX_PATH:  # before making the thousands of directories it names
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            real = self.root.directory(directory, self._imply)
        except OSError as error:
            raise _failure(name, error) from None
        assert real is not None  # _imply makes what is missing
        return join(real, base)

    def create(self, member: Member, path: bytes, reader: TarReader) -> None:
        """Make a member at ``path`` (as place gave it), replacing what is there.

        Raises ArchiveError if the member is malformed or the limits are exceeded, StoreError if
        the disk is full.
        """
        self.count(member.size)
        if not (0 <= member.uid <= _MAX_OWNER and 0 <= member.gid <= _MAX_OWNER):
            raise ArchiveError(f"{os.fsdecode(path)!r} has an impossible owner")
        with guarded(path):
            self._create(member, path, reader)

    def finish(self) -> Unpacked:
        """Give the directories their modes and times (creating files in them changes these)."""
        for path, (mode, mtime) in reversed(self._directories.items()):
            host = self.root.host(path)
            os.chmod(host, mode)
            os.utime(host, ns=(mtime, mtime))
        return self.result

    def remove(self, path: bytes) -> None:
        """Remove what is at ``path``."""
        for directory in self.root.remove(path):
            self._directories.pop(directory, None)
            self.result.implied.discard(os.fsdecode(directory))

    def remember(self, path: bytes) -> None:
        """Account for a name that is kept to the end. Raises ArchiveError if they are too many."""
        self._names += len(path) + _NAME
        if self._names > _MAX_NAMES:
            raise ArchiveError("the archive has more directories or whiteouts than are handled")

    def skip(self, path: bytes, why: str) -> None:
        """Note what could not be made; of a great many the first."""
        if len(self.result.skipped) < _MAX_SKIPPED:
            self.result.skipped.append(f"{os.fsdecode(path)}: {why}")

    def count(self, size: int) -> None:
        """Account for an entry. Raises ArchiveError if it is one too many, or too large."""
        result = self.result
        result.entries += 1
        result.bytes += size
        if result.entries > self._limits.max_entries:
            raise ArchiveError(f"the archive has more than {self._limits.max_entries} entries")
        if result.bytes > self._limits.max_bytes:
            raise ArchiveError(f"the archive holds more than {self._limits.max_bytes} bytes")

    def _create(self, member: Member, path: bytes, reader: TarReader) -> None:
        kind = member.type
        if kind == REGULAR:
            self._regular(member, path, reader)
        elif kind == DIRECTORY:
            self._directory(member, path)
        elif kind == SYMLINK:
            self._exclusively(path, lambda host: os.symlink(member.target, host))
            self._metadata(member, path)
        elif kind == LINK:
            self._link(member, path)
        elif kind == FIFO:
            self._exclusively(path, lambda host: os.mkfifo(host, 0o600))
            self._metadata(member, path)
        elif kind in _DEVICES:
            self._device(member, path)
        else:
            raise ArchiveError(
                f"{os.fsdecode(path)!r} is of a type ({os.fsdecode(kind)!r}) that is not supported"
            )

    def _exclusively(self, path: bytes, make: Callable[[bytes], None]) -> None:
        host = self.root.host(path)
        try:
            make(host)
        except FileExistsError:
            self.remove(path)
            make(host)

    def _regular(self, member: Member, path: bytes, reader: TarReader) -> None:
        host = self.root.host(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(host, flags, 0o600)
        except FileExistsError:
            self.remove(path)
            fd = os.open(host, flags, 0o600)
        try:
            if member.sparse is not None:
                _write_sparse(fd, member, reader)
            elif 0 < member.stored <= _SMALL:
                _write(fd, reader.data())
            else:
                for data in reader.chunks():
                    _write(fd, data)
            if self._owners is not None:
                self._owners.give(fd, member.uid, member.gid)
            if member.xattrs:
                self._xattrs(fd, member.xattrs, path)
            os.fchmod(fd, member.mode)
            mtime = _bound(member.mtime_ns)
            os.utime(fd, ns=(mtime, mtime))
        finally:
            os.close(fd)

    def _directory(self, member: Member, path: bytes) -> None:
        self._make_directory(path)
        host = self.root.host(path)
        if self._owners is not None:
            self._owners.give(host, member.uid, member.gid)
        self._xattrs(host, member.xattrs, path)
        self._directories[path] = (member.mode, _bound(member.mtime_ns))
        self.result.implied.discard(os.fsdecode(path))

    def _make_directory(self, path: bytes) -> None:
        host = self.root.host(path)
        try:
            os.mkdir(host, 0o700)
            self.remember(path)
            return
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(host).st_mode):
                return
        self.remove(path)
        os.mkdir(host, 0o700)
        if self._replaced is not None:
            self._replaced(host)

    def _imply(self, path: bytes) -> None:
        """Make a directory that members lie in but none stands for."""
        self.count(0)
        with guarded(path):
            self._make_directory(path)
            self._directories[path] = self._parent_metadata(path)
        self.result.implied.add(os.fsdecode(path))

    def _parent_metadata(self, path: bytes) -> tuple[int, int]:
        """Give an implied directory owner and attributes; returns its mode and time."""
        below = self._below.lstat("/" + os.fsdecode(path)) if self._below else None
        if below is not None and stat.S_ISDIR(below.st.st_mode):
            host = self.root.host(path)
            if self._owners is not None:
                self._owners.give(host, below.st.st_uid, below.st.st_gid)
            self._xattrs(host, _xattrs_of(below.real), path)
            return stat.S_IMODE(below.st.st_mode), below.st.st_mtime_ns
        return 0o755, _bound(self._time)

    def _device(self, member: Member, path: bytes) -> None:
        if not (0 <= member.major <= _MAX_MAJOR and 0 <= member.minor <= _MAX_MINOR):
            raise ArchiveError(f"{os.fsdecode(path)!r} has impossible device numbers")
        mode, device = _DEVICES[member.type] | 0o600, os.makedev(member.major, member.minor)
        try:
            self._exclusively(path, lambda host: os.mknod(host, mode, device))
        except PermissionError:
            if not self._in_user_namespace:
                raise
            self.skip(path, "device nodes need real root")
            return
        self._metadata(member, path)

    def _link(self, member: Member, path: bytes) -> None:
        target = clean(member.target)
        directory, _, base = target.rpartition(b"/")
        real = self.root.directory(directory, None)
        source = join(real, base) if real is not None and base else None
        if source is not None and os.path.lexists(self.root.host(source)):
            if source == path:
                return
            status = os.lstat(self.root.host(source))
            if stat.S_ISDIR(status.st_mode) or is_whiteout(status):
                raise ArchiveError(f"{os.fsdecode(path)!r} is a hard link to no file")
            if (path + b"/") == (source + b"/")[: len(path) + 1]:
                raise ArchiveError(f"{os.fsdecode(path)!r} is a hard link to what is inside it")
        else:
            source = self._from_below(os.fsdecode(target), path)
        if source != path:
            origin = self.root.host(source)
            self._exclusively(path, lambda host: os.link(origin, host, follow_symlinks=False))
        self._metadata(member, path)

    def _from_below(self, target: str, path: bytes) -> bytes:
        """Copy a file that only ``below`` has to ``path``; the next link to it links that copy."""
        copied = self._copied.get(target)
        if copied is not None and os.path.lexists(self.root.host(copied)):
            return copied
        below = self._below.lstat("/" + target) if self._below and target else None
        if below is None:
            raise ArchiveError(
                f"{os.fsdecode(path)!r} is a hard link to {target!r}, which is not there"
            )
        host, status = below.real, below.st
        self.count(status.st_size)
        if stat.S_ISREG(status.st_mode):
            self._exclusively(path, lambda made: _copy(host, made))
            self._xattrs(self.root.host(path), _xattrs_of(host), path)
        elif stat.S_ISLNK(status.st_mode):
            self._exclusively(path, lambda made: os.symlink(os.readlink(host), os.fsdecode(made)))
        else:
            raise ArchiveError(f"{os.fsdecode(path)!r} is a hard link to no file")
        self.remember(path + os.fsencode(target))
        self._copied[target] = path
        return path

    def _metadata(self, member: Member, path: bytes) -> None:
        """Owner, attributes, mode and time of anything but files and directories."""
        host = self.root.host(path)
        kind = stat.S_IFMT(os.lstat(host).st_mode)
        xattrs = member.xattrs
        if kind != stat.S_IFREG:
            # There it means nothing to the kernel, and something else to us.
            xattrs = {name: v for name, v in xattrs.items() if name != b"security.capability"}
        if self._owners is not None:
            self._owners.give(host, member.uid, member.gid)
        self._xattrs(host, xattrs, path)
        if kind != stat.S_IFLNK:
            os.chmod(host, member.mode)
        mtime = _bound(member.mtime_ns)
        os.utime(host, ns=(mtime, mtime), follow_symlinks=False)

    def _xattrs(self, where: int | bytes, xattrs: dict[bytes, bytes], path: bytes) -> None:
        """Set attributes; those that steer the host, the layer or its mount are never taken."""
        for key, value in xattrs.items():
            if key.startswith(_NOT_TAKEN) or b"\0" in key:
                continue
            try:
                if isinstance(where, int):
                    os.setxattr(where, key, value)
                else:
                    os.setxattr(where, key, value, follow_symlinks=False)
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EINVAL):
                    raise
                self.skip(path, f"attribute {os.fsdecode(key)}: {error.strerror}")


def _xattrs_of(host: str) -> dict[bytes, bytes]:
    try:
        names = os.listxattr(host, follow_symlinks=False)
        return {os.fsencode(n): os.getxattr(host, n, follow_symlinks=False) for n in names}
    except OSError:
        return {}


def _bound(mtime_ns: int) -> int:
    """A time that a file can have; others become the epoch, as in containerd."""
    return mtime_ns if 0 <= mtime_ns <= _MAX_TIME else 0


def _write(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _write_sparse(fd: int, member: Member, reader: TarReader) -> None:
    chunks = reader.chunks()
    data = memoryview(b"")
    for offset, length in member.sparse or ():
        os.lseek(fd, offset, os.SEEK_SET)
        while length:
            if not data:
                data = memoryview(next(chunks))
            piece, data = data[:length], data[length:]
            length -= len(piece)
            _write(fd, piece)
    os.ftruncate(fd, member.size)


def _copy(source: str, made: bytes) -> None:
    """Copy the bytes of a file in the kernel."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(source, "rb", buffering=0) as reading, open(os.open(made, flags, 0o600), "wb") as out:
        while os.sendfile(out.fileno(), reading.fileno(), None, 1 << 30):
            pass


@contextmanager
def guarded(path: bytes) -> Iterator[None]:
    """Turn what the system says of ``path`` into an error that says what was being done."""
    try:
        yield
    except OSError as error:
        raise _failure(path, error) from None


def _failure(path: bytes, error: OSError) -> JettisonError:
    name = os.fsdecode(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"no space left to unpack {name!r}", hint="free disk space, or prune")
    hint = None
    if error.errno == errno.EOPNOTSUPP:
        hint = "the store's file system must have extended attributes: set JETTISON_ROOT"
    return ArchiveError(f"cannot unpack {name[-200:]!r}: {error.strerror}", hint=hint)
