"""A stack of layers as a copy that can be changed, and what was changed as a new layer.

What overlayfs does without copying, for hosts where it cannot be mounted. Blocks are shared where
the file system can (reflinks). Names that are hard links to one file become files of their own:
on overlayfs, too, a change through one of them changes that name only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from jettison.fs import ownership
from jettison.fs.ownership import Owners
from jettison.fs.stack import LAYER_PREFIXES, Stack
from jettison.fs.tree import Entry
from jettison.fs.upper import Upper
from jettison.fs.write import (
    CAPABILITY,
    Attributes,
    FileCopier,
    apply,
    set_mtime,
    write_link,
    write_node,
)

_PLACE = f"{ownership.PREFIX}place"
"""Directories that come from below say here where they were: one that says nothing, or is
elsewhere, was made or moved since, and hides what is below, as on overlayfs."""


class CopiedTree:
    """The tree of ``layers`` (host directories, lowest first), copied into the empty ``directory``.

    ``upper`` is a layer on top of these, empty at first: `save` makes it what was changed in the
    copy. Everything raises OSError, or JettisonError for what cannot be read.
    """

    def __init__(self, layers: Sequence[str], directory: str, upper: str | None = None) -> None:
        self._below = Stack(layers)
        self._tree = self._below if upper is None else Stack([*layers, upper])
        self._directory = directory
        self._upper = upper
        self._files = FileCopier()
        self._owners = Owners(directory)
        self._made: dict[str, tuple[int, int]] = {}
        """What the files that came from below look like: inode number and change time."""
        self._fill()

    def save(self) -> None:
        """Make the upper what was changed. The copy is used up: files are moved, not copied."""
        from shutil import rmtree

        assert self._upper is not None
        for item in os.scandir(self._upper):  # it held what the copy began with
            if item.is_dir(follow_symlinks=False):
                rmtree(item.path)
            else:
                os.unlink(item.path)
        upper = Upper(self._below, self._upper)
        if ownership.keeps(self._directory):
            upper.owners.mark()
        _Difference(self._below, Stack([self._directory]), upper, self._made).write()

    def _at(self, path: str) -> str:
        return self._directory + path if path != "/" else self._directory

    def _fill(self) -> None:
        if self._tree.kept:
            self._owners.mark()
        root = self._tree.lstat("/")
        assert root is not None
        directories = [root]
        self._directory_like(root)
        for entry in self._tree.walk():
            if entry.is_dir:
                os.mkdir(self._at(entry.path), 0o700)
                self._directory_like(entry)
                directories.append(entry)
            else:
                self._file_like(entry)
        for entry in reversed(directories):
            if entry.real:
                set_mtime(self._at(entry.path), entry.mtime_ns)

    def _directory_like(self, entry: Entry) -> None:
        real = self._at(entry.path)
        apply(real, Attributes(entry.mode, entry.uid, entry.gid), self._owners)
        if entry.real:
            _copy_xattrs(entry, real)
        if entry.path == "/" or any(map(self._from_below, self._tree.parts(entry.path))):
            os.setxattr(real, _PLACE, os.fsencode(entry.path))

    def _file_like(self, entry: Entry) -> None:
        """Copy anything but a directory; a device that may not be made here is left out."""
        real, kind = self._at(entry.path), entry.kind
        want = Attributes(entry.mode, entry.uid, entry.gid, entry.mtime_ns)
        if kind == stat.S_IFREG:
            self._files.copy(entry.real, real, want, self._owners)
            _copy_xattrs(entry, real)
        elif kind == stat.S_IFLNK:
            write_link(real, entry.target, want, self._owners)
        else:
            with suppress(PermissionError):
                write_node(real, kind, entry.st.st_rdev, want, self._owners)
        if self._from_below(entry.real):
            with suppress(FileNotFoundError):
                st = os.lstat(real)
                self._made[entry.path] = (st.st_ino, st.st_ctime_ns)

    def _from_below(self, real: str) -> bool:
        return self._upper is None or not (real + "/").startswith(self._upper + "/")


class _Difference:
    """Writes what differs between ``below`` and the copy ``now`` into ``upper``."""

    def __init__(
        self, below: Stack, now: Stack, upper: Upper, made: dict[str, tuple[int, int]]
    ) -> None:
        self._below = below
        self._now = now
        self._upper = upper
        self._made = made
        self._times: list[Entry] = []

    def write(self) -> None:
        root = self._now.lstat("/")
        assert root is not None
        pending = [(root, True)]
        while pending:
            entry, merged = pending.pop()
            self._times.append(entry)
            pending += self._directory(entry, merged=merged)
        for entry in reversed(self._times):
            real = self._upper.real(entry.path)
            if os.path.isdir(real) and not os.path.islink(real):
                set_mtime(real, entry.mtime_ns)

    def _directory(self, entry: Entry, *, merged: bool) -> list[tuple[Entry, bool]]:
        """Write one directory; ``merged``: what is below it is seen through. Gives those in it."""
        children = self._now.children(entry.path)
        if merged:
            self._changed(entry)
            here = {child.name for child in children}
            for gone in self._below.children(entry.path):
                if gone.name not in here and not self._left_out(gone):
                    self._upper.whiteout(gone.path)
        else:
            self._upper.make_dir(entry.path, Attributes(entry.mode, entry.uid, entry.gid))
            _copy_xattrs(entry, self._upper.real(entry.path))
        inner = []
        for child in children:
            if child.is_dir:
                inner.append((child, merged and _place(child) == child.path))
            elif self._made.get(child.path) != (child.st.st_ino, child.st.st_ctime_ns):
                self._file(child)
        return inner

    def _file(self, entry: Entry) -> None:
        self._upper.put(entry.path, lambda real: os.rename(entry.real, real), replace_dir=True)

    def _changed(self, entry: Entry) -> None:
        """Have a directory in the layer if it is not as it is below."""
        below = self._below.lstat(entry.path)
        if below is None or not below.real:
            return
        old = (below.mode, below.uid, below.gid, below.mtime_ns, _xattrs(below))
        if old != (entry.mode, entry.uid, entry.gid, entry.mtime_ns, _xattrs(entry)):
            real = self._upper.copy_up(entry.path)
            apply(real, Attributes(entry.mode, entry.uid, entry.gid), self._upper.owners)
            for name in _xattrs(below).keys() - _xattrs(entry).keys():
                os.removexattr(real, name)
            _copy_xattrs(entry, real)

    def _left_out(self, entry: Entry) -> bool:
        """Whether the copy never had it: a device that could not be made."""
        return entry.kind in (stat.S_IFCHR, stat.S_IFBLK) and entry.path not in self._made


def _place(entry: Entry) -> str | None:
    try:
        return os.fsdecode(os.getxattr(entry.real, _PLACE))
    except OSError:
        return None


def _xattrs(entry: Entry) -> dict[str, bytes]:
    """The extended attributes of a file or directory, but those of layers."""
    found = {}
    with suppress(OSError):
        for name in os.listxattr(entry.real, follow_symlinks=False):
            if not name.startswith(LAYER_PREFIXES):
                found[name] = os.getxattr(entry.real, name, follow_symlinks=False)
    return found


def _copy_xattrs(entry: Entry, real: str) -> None:
    for name, value in _xattrs(entry).items():
        try:
            os.setxattr(real, name, value, follow_symlinks=False)
        except OSError:
            if name == CAPABILITY:
                raise
