"""Images' files themselves, as a directory (type=local) or as a tar (type=tar)."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping

from msgspec import Struct

from jettison.errors import JettisonError
from jettison.fs.below import Below
from jettison.fs.compress import Writable
from jettison.fs.tarformat import DIRECTORY, Member
from jettison.fs.tarwrite import TarWriter, add_tree, portable_xattrs, walk_tree


def write_directory(tree: Below, directory: str, *, mtime: int | None = None) -> list[str]:
    """Copy the files of ``tree`` into ``directory``, over what is there, as buildx does.

    Modes, times and extended attributes are kept; owners become those of the process; hard links
    stay hard links. ``mtime`` (seconds) replaces all times: SOURCE_DATE_EPOCH. Sockets are left
    out. Gives the device nodes that only real root could have made. Raises JettisonError if
    something cannot be written.
    """
    copier = _Copier(directory, mtime)
    try:
        os.makedirs(directory, exist_ok=True)
        copier.copy(tree)
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename else directory
        raise JettisonError(f"cannot write {where}: {error.strerror}") from None
    return copier.skipped


class Root(Struct, frozen=True):
    """A tree as part of a tar, in the directory ``name`` (``linux_arm64``; empty: in none), with
    further files in its root: content by name.
    """

    name: str
    tree: Below
    files: Mapping[str, bytes]


def write_trees(roots: Iterable[Root], out: Writable, *, mtime: int | None = None) -> None:
    """Write trees to one tar. ``mtime`` (seconds) replaces all times.

    Raises PathError if a file cannot be read.
    """
    tar = TarWriter(out)
    time = (mtime or 0) * 1_000_000_000
    for root in roots:
        prefix = f"{root.name}/" if root.name else ""
        if prefix:
            tar.add(Member(os.fsencode(prefix), DIRECTORY, 0o755, mtime_ns=time))
        add_tree(tar, root.tree, prefix=prefix, mtime=mtime)
        for name, data in sorted(root.files.items()):
            path = os.fsencode(prefix + name)
            tar.add(Member(path, mode=0o600, size=len(data), mtime_ns=time), data)
    tar.close()


def write_files(files: Mapping[str, bytes], directory: str, *, mtime: int | None = None) -> None:
    """Write files that only their owner may read into ``directory``, over what is there.

    Raises JettisonError if one cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for name, data in files.items():
        path = os.fsencode(os.path.join(directory, name))
        try:
            _make_way(path)
            with open(os.open(path, flags, 0o600), "wb") as out:
                out.write(data)
            if mtime is not None:
                os.utime(path, (mtime, mtime))
        except OSError as error:
            raise JettisonError(f"cannot write {os.fsdecode(path)}: {error.strerror}") from None


class _Copier:
    def __init__(self, directory: str, mtime: int | None) -> None:
        self._root = os.fsencode(os.path.realpath(directory))
        self._mtime = mtime
        self._links: dict[tuple[int, int], bytes] = {}
        self._directories: list[tuple[bytes, os.stat_result]] = []
        self.skipped: list[str] = []

    def copy(self, tree: Below) -> None:
        for name, host, status in walk_tree(tree):
            self._copy_one(self._root + b"/" + name, host, status)
        for path, status in reversed(self._directories):  # inner directories first
            os.chmod(path, stat.S_IMODE(status.st_mode))
            self._date(path, status)

    def _copy_one(self, path: bytes, host: bytes, status: os.stat_result) -> None:
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            if not os.path.isdir(path) or os.path.islink(path):
                _make_way(path)
                os.mkdir(path, 0o700)
            self._directories.append((path, status))
            _copy_xattrs(host, path, status)
            return
        _make_way(path)
        if status.st_nlink > 1:
            first = self._links.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                os.link(first, path, follow_symlinks=False)
                return
        if kind == stat.S_IFREG:
            _copy_file(host, path)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(host), path)
        elif not self._make_node(path, status):
            return
        if kind != stat.S_IFLNK:
            _copy_xattrs(host, path, status)
            os.chmod(path, stat.S_IMODE(status.st_mode))
        self._date(path, status)

    def _make_node(self, path: bytes, status: os.stat_result) -> bool:
        try:
            os.mknod(path, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev)
        except PermissionError:
            if stat.S_ISFIFO(status.st_mode):
                raise
            self._links.pop((status.st_dev, status.st_ino), None)
            self.skipped.append(os.fsdecode(path))
            return False
        return True

    def _date(self, path: bytes, status: os.stat_result) -> None:
        time = status.st_mtime_ns if self._mtime is None else self._mtime * 1_000_000_000
        os.utime(path, ns=(time, time), follow_symlinks=False)


def _copy_file(host: bytes, path: bytes) -> None:
    """Copy the content of a file; nobody else may open it before it has its mode."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(host, "rb", buffering=0) as source, open(os.open(path, flags, 0o600), "wb") as out:
        while os.sendfile(out.fileno(), source.fileno(), None, 1 << 30):
            pass


def _copy_xattrs(host: bytes, path: bytes, status: os.stat_result) -> None:
    """Copy what attributes can be copied, as buildx does: not every file system has them."""
    for name, value in portable_xattrs(host, status).items():
        try:
            os.setxattr(path, name, value, follow_symlinks=False)
        except OSError:
            continue


def _make_way(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
