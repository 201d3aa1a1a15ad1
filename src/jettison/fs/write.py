"""Making single files on the host: content, owner, mode, time and file capabilities.

Paths are host paths; what is made must not exist yet. ``owners`` are those of the tree it is in.
Everything raises OSError.
"""

from __future__ import annotations

import errno
import os
import stat

from msgspec import Struct

from jettison.fs.ownership import Owners

CAPABILITY = "security.capability"

_FICLONE = 0x40049409  # _IOW(0x94, 9, int), linux/fs.h
_SMALL = 128 << 10
_CHUNK = 1 << 20
_NO_RANGES = frozenset(
    [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EIO]
)


class Attributes(Struct, frozen=True):
    """What a new file gets. ``mtime_ns`` None: now. ``capability`` is the raw xattr."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int | None = None
    capability: bytes | None = None


def capability_of(path: str) -> bytes | None:
    """The file capabilities of a regular file, as stored in its xattr."""
    try:
        return os.getxattr(path, CAPABILITY, follow_symlinks=False)
    except OSError:
        return None


def apply(path: str, want: Attributes, owners: Owners) -> None:
    """Give a file or directory (not a link) its attributes.

    In this order, since a change of owner clears setuid bits and capabilities.
    """
    owners.give(path, want.uid, want.gid)
    os.chmod(path, want.mode)
    if want.capability is not None:
        os.setxattr(path, CAPABILITY, want.capability, follow_symlinks=False)
    if want.mtime_ns is not None:
        set_mtime(path, want.mtime_ns)


def set_mtime(path: str, mtime_ns: int) -> None:
    """Set the time of a file, link or directory."""
    os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def write_file(path: str, content: bytes, want: Attributes, owners: Owners) -> None:
    """A new file with ``content``."""
    fd = _create(path)
    try:
        _write_all(fd, content)
        _apply_fd(fd, want, owners)
    finally:
        os.close(fd)


def write_link(path: str, target: str, want: Attributes, owners: Owners) -> None:
    """A new symbolic link; it has an owner and a time, but no mode."""
    os.symlink(target, path)
    owners.give(path, want.uid, want.gid)
    if want.mtime_ns is not None:
        set_mtime(path, want.mtime_ns)


def write_node(path: str, kind: int, rdev: int, want: Attributes, owners: Owners) -> None:
    """A new FIFO or device; ``kind`` is stat.S_IFIFO, S_IFCHR or S_IFBLK."""
    os.mknod(path, kind | 0o600, rdev)
    apply(path, want, owners)


class FileCopier:
    """Copies regular files: by sharing blocks (reflink) if the file system can, else by ranges.

    Holes stay holes.
    """

    def __init__(self) -> None:
        self._reflinks = True

    def copy(self, source: str, path: str, want: Attributes, owners: Owners) -> None:
        """Make ``path`` with the content of ``source``."""
        old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            new = _create(path)
            try:
                self._content(old, new)
                _apply_fd(new, want, owners)
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _content(self, old: int, new: int) -> None:
        st = os.fstat(old)
        if st.st_size <= _SMALL and not _has_holes(st):
            while data := os.read(old, _SMALL + 1):
                _write_all(new, data)
            return
        if self._reflinks and self._clone(old, new):
            return
        if _has_holes(st):
            os.ftruncate(new, st.st_size)
            for start, end in _data_ranges(old, st.st_size):
                _copy_range(old, new, start, end)
        else:
            _copy_range(old, new, 0, st.st_size)

    def _clone(self, old: int, new: int) -> bool:
        import fcntl

        try:
            fcntl.ioctl(new, _FICLONE, old)
        except OSError:
            self._reflinks = False
        return self._reflinks


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _apply_fd(fd: int, want: Attributes, owners: Owners) -> None:
    owners.give(fd, want.uid, want.gid)
    os.fchmod(fd, want.mode)
    if want.capability is not None:
        os.setxattr(fd, CAPABILITY, want.capability)
    if want.mtime_ns is not None:
        os.utime(fd, ns=(want.mtime_ns, want.mtime_ns))


def _has_holes(st: os.stat_result) -> bool:
    return stat.S_ISREG(st.st_mode) and st.st_blocks * 512 < st.st_size


def _data_ranges(fd: int, size: int) -> list[tuple[int, int]]:
    """Where a sparse file holds data."""
    ranges: list[tuple[int, int]] = []
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                break
            raise
        at = os.lseek(fd, start, os.SEEK_HOLE)
        ranges.append((start, at))
    return ranges


def _copy_range(old: int, new: int, start: int, end: int) -> None:
    at = start
    while at < end:
        try:
            count = os.copy_file_range(old, new, end - at, at, at)
        except OSError as error:
            if error.errno not in _NO_RANGES:
                raise
            _copy_through_memory(old, new, at, end)
            return
        if count == 0:  # the file is shorter than it was
            return
        at += count


def _copy_through_memory(old: int, new: int, start: int, end: int) -> None:
    at = start
    while at < end:
        data = os.pread(old, min(_CHUNK, end - at), at)
        if not data:
            return
        while data:
            count = os.pwrite(new, data, at)
            at += count
            data = data[count:]


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
