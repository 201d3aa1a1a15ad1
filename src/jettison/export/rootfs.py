"""An image's files themselves, as a directory (type=local)."""

from __future__ import annotations

import os
import shutil
import stat

from jettison.errors import JettisonError
from jettison.fs.tree import Entry, Tree


def write_directory(tree: Tree, directory: str) -> None:
    """Copy the files of ``tree`` into ``directory``, over what is there, as buildx does.

    Modes and times are kept; owners become those of the process; hard links stay hard links.
    Devices, FIFOs and sockets are left out. Raises JettisonError if something cannot be written.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        _Copier(directory).copy(tree)
    except OSError as error:
        raise JettisonError(f"cannot write {error.filename}: {error.strerror}") from None


class _Copier:
    def __init__(self, directory: str) -> None:
        self._root = os.path.realpath(directory)
        self._links: dict[tuple[int, int], str] = {}
        self._dated: list[tuple[str, Entry]] = []

    def copy(self, tree: Tree) -> None:
        for entry in tree.walk():
            self._copy_one(entry, self._root + entry.path)
        for path, entry in reversed(self._dated):  # inner directories first
            os.chmod(path, entry.mode)
            os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))

    def _copy_one(self, entry: Entry, path: str) -> None:
        if entry.is_dir:
            if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
                os.unlink(path)
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._dated.append((path, entry))
        elif entry.is_link:
            _make_way(path)
            os.symlink(entry.target, path)
            os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        elif entry.is_file:
            _make_way(path)
            self._copy_file(entry, path)

    def _copy_file(self, entry: Entry, path: str) -> None:
        inode = (entry.st.st_dev, entry.st.st_ino)
        known = self._links.get(inode) if entry.st.st_nlink > 1 else None
        if known is not None:
            os.link(known, path)
            return
        # The umask must not matter, and nobody may open the file before it has its mode.
        with open(entry.real, "rb") as source, open(path, "xb") as out:
            os.fchmod(out.fileno(), 0o600)
            shutil.copyfileobj(source, out, 1 << 20)
            os.fchmod(out.fileno(), stat.S_IMODE(entry.st.st_mode))
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
        if entry.st.st_nlink > 1:
            self._links[inode] = path


def _make_way(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
