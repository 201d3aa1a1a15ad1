"""COPY and ADD: writing what was selected into the layer being made.

Follows BuildKit (solver/llbsolver/file/backend.go, fsutil/copy), accidents included where they can
be seen in the result.
"""

from __future__ import annotations

import errno
import os
import stat

from msgspec import Struct, field

from jettison.errors import PathError
from jettison.fs.merge import merge_archive
from jettison.fs.modes import Mode
from jettison.fs.select import Item, Selection, contents
from jettison.fs.stack import LAYER_PREFIXES, Stack
from jettison.fs.tree import Entry, Tree, clean, join, parent_of
from jettison.fs.upper import Upper, writing
from jettison.fs.write import (
    CAPABILITY,
    Attributes,
    FileCopier,
    apply,
    capability_of,
    set_mtime,
    write_file,
    write_link,
    write_node,
)

__all__ = ["copy_selection", "merge_archive", "put_file"]

Owner = tuple[int, int]

_CANNOT_LINK = frozenset([errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])


def copy_selection(
    tree: Tree,
    selection: Selection,
    upper: Upper,
    dest: str,
    *,
    chown: Owner | None = None,
    chmod: Mode | None = None,
    reset_owner: bool = False,
    hardlink: bool = False,
) -> None:
    """Copy ``selection`` of ``tree`` to ``dest`` (absolute; a last ``/`` or ``/.`` counts).

    ``reset_owner``: the source is a build context, so owners become 0:0 (unless ``chown``) and
    file capabilities are lost. ``hardlink``: the files of ``tree`` never change, and may be linked
    instead of copied where that cannot be told apart, see `_Copier._may_link`; the upper must then
    not be laid on any other stack than its own.

    Raises PathError if the destination does not allow it, StoreError if the disk is full.
    """
    copier = _Copier(tree, upper, chown, chmod, reset_owner, hardlink)
    for item in selection.items:
        copier.copy(item, selection, dest)


def put_file(
    upper: Upper,
    dest: str,
    name: str,
    content: bytes,
    mode: int,
    *,
    chown: Owner | None = None,
    chmod: Mode | None = None,
) -> None:
    """Write a here-document to ``dest``; ``name`` is its name if that is a directory."""
    owner = chown or (0, 0)
    place = _file_place(upper, dest, name, owner, chmod)
    want = Attributes(chmod.apply(mode, is_dir=False) if chmod else mode, *owner)
    upper.put(place, lambda real: write_file(real, content, want, upper.owners))


def _prepare(upper: Upper, dest: str, owner: Owner, chmod: Mode | None) -> str:
    """Make the directories that must exist before anything is copied; returns where ``dest`` is."""
    path = clean(dest)
    as_dir = dest.endswith(("/", "/."))
    _make_dirs(upper, path if as_dir else parent_of(path), owner, chmod)
    return upper.resolve(path)


def _file_place(upper: Upper, dest: str, name: str, owner: Owner, chmod: Mode | None) -> str:
    """Where a file copied to ``dest`` goes: into an existing directory, else to that very path."""
    place = _prepare(upper, dest, owner, chmod)
    existing = upper.lstat(place)
    if existing is not None and existing.is_dir:
        return join(place, name)
    _make_dirs(upper, parent_of(place), owner, chmod)
    return place


def _make_dirs(upper: Upper, path: str, owner: Owner, chmod: Mode | None) -> None:
    upper.make_dirs(path, owner=owner, mode=chmod.of_new_parents if chmod else 0o755)


def _not_a_directory(path: str) -> PathError:
    return PathError(f"cannot copy to non-directory: {path}")


class _Copier(Struct):
    tree: Tree
    upper: Upper
    chown: Owner | None
    chmod: Mode | None
    reset_owner: bool
    hardlink: bool
    files: FileCopier = field(default_factory=FileCopier)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    """Where the files with several links went, by device and inode; per copied directory."""
    times: list[tuple[str, int]] = field(default_factory=list)
    """Directories and their times, which are set when nothing more is made in them."""
    shared: tuple[str, ...] = ()
    """What the host paths of source files begin with that are in layers below the upper, too."""

    def __post_init__(self) -> None:
        if isinstance(self.tree, Stack):
            below = set(self.upper.below.layers)
            self.shared = tuple(layer + "/" for layer in self.tree.layers if layer in below)

    def copy(self, item: Item, selection: Selection, dest: str) -> None:
        self.links.clear()
        owner = self.chown or (0, 0)
        if item.entry.is_dir:
            self._directory(item, selection, _prepare(self.upper, dest, owner, self.chmod))
        else:
            self._file(item.entry, _file_place(self.upper, dest, item.name, owner, self.chmod))
        for path, mtime_ns in reversed(self.times):
            with writing(path):
                set_mtime(self.upper.real(path), mtime_ns)
        self.times.clear()

    def _directory(self, item: Item, selection: Selection, place: str) -> None:
        """Copy the contents of a directory; of itself, only its time arrives."""
        existing = self.upper.lstat(place)
        if existing is None:
            _make_dirs(self.upper, place, self.chown or (0, 0), self.chmod)
        elif not existing.is_dir:
            raise _not_a_directory(place)
        self.upper.copy_up(place)
        self.times.append((place, item.entry.mtime_ns))
        base = "" if place == "/" else place
        for name, entry, implied in contents(self.tree, item, selection):
            path = f"{base}/{name}"
            if entry.is_dir:
                self._inner_directory(entry, path, implied)
            else:
                self._file(entry, path)

    def _inner_directory(self, entry: Entry, path: str, implied: bool) -> None:
        existing = self.upper.lstat(path)
        if existing is None:
            self.upper.make_dir(path, self._wanted(entry))
        elif not existing.is_dir:
            raise _not_a_directory(path)
        else:
            real = self.upper.copy_up(path)
            with writing(path):
                if implied:
                    # BuildKit gives an existing parent nothing but the mode of the source.
                    os.chmod(real, entry.mode)
                    return
                apply(real, self._wanted(entry), self.upper.owners)
        self.times.append((path, entry.mtime_ns))

    def _wanted(self, entry: Entry) -> Attributes:
        st = entry.st
        mode = st.st_mode & 0o7777
        if self.chmod is not None:
            mode = self.chmod.apply(mode, is_dir=stat.S_ISDIR(st.st_mode))
        uid, gid = self.chown or ((0, 0) if self.reset_owner else (st.st_uid, st.st_gid))
        return Attributes(mode, uid, gid, st.st_mtime_ns)

    def _file(self, entry: Entry, path: str) -> None:
        """Copy anything but a directory to exactly ``path``."""
        want, owners = self._wanted(entry), self.upper.owners
        kind = entry.kind
        if kind == stat.S_IFREG:
            self._regular(entry, path, want)
        elif kind == stat.S_IFLNK:
            target = entry.target
            self.upper.put(path, lambda real: write_link(real, target, want, owners))
        elif kind == stat.S_IFSOCK:
            self.upper.put(path, lambda real: write_file(real, b"", want, owners))
        else:
            self._node(entry, path, want)

    def _node(self, entry: Entry, path: str, want: Attributes) -> None:
        """FIFOs and devices. Block devices become character devices (BuildKit masks the type)."""
        rdev, owners = entry.st.st_rdev, self.upper.owners
        if entry.kind == stat.S_IFIFO:
            self.upper.put(path, lambda real: write_node(real, stat.S_IFIFO, 0, want, owners))
        elif rdev == 0:
            raise PathError(f"cannot copy {entry.path}: a layer cannot hold a device 0:0")
        else:
            self.upper.put(path, lambda real: write_node(real, stat.S_IFCHR, rdev, want, owners))

    def _regular(self, entry: Entry, path: str, want: Attributes) -> None:
        st = entry.st
        inode = (st.st_dev, st.st_ino)
        if st.st_nlink > 1:
            first = self.links.get(inode)
            if first is not None:
                self.upper.put(path, lambda real: os.link(first, real, follow_symlinks=False))
                return
            self.links[inode] = self.upper.real(path)
        elif self._may_link(entry, want) and self._link(entry, path):
            self.upper.linked.add(inode)
            if isinstance(self.tree, Stack) and self.tree.kept:
                self.upper.owners.mark()
            return
        if not self.reset_owner:
            capability = capability_of(entry.real)
            want = Attributes(want.mode, want.uid, want.gid, want.mtime_ns, capability)
        owners = self.upper.owners
        self.upper.put(path, lambda real: self.files.copy(entry.real, real, want, owners))

    def _may_link(self, entry: Entry, want: Attributes) -> bool:
        """Whether the file itself may become part of the new layer.

        It must look as wanted, and no other path of the resulting tree may have its inode: else a
        later ``cp -a`` or ``tar`` in a RUN would take two files for one. A file with one link is in
        one layer only; that layer must not be below, and the file must not be linked here before.
        """
        st = entry.st
        return (
            self.hardlink
            and (want.mode, want.uid, want.gid) == (st.st_mode & 0o7777, st.st_uid, st.st_gid)
            and (st.st_dev, st.st_ino) not in self.upper.linked
            and not entry.real.startswith(self.shared)
            and _has_plain_xattrs(entry.real)
        )

    def _link(self, entry: Entry, path: str) -> bool:
        """Hard-link a file of the source; False if the host does not allow it."""
        refused = False

        def create(real: str) -> None:
            nonlocal refused
            try:
                os.link(entry.real, real, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _CANNOT_LINK:
                    raise
                refused = True

        self.upper.put(path, create)
        if refused:
            self.hardlink = False
        return not refused


def _has_plain_xattrs(real: str) -> bool:
    """Whether a file has no other xattrs than a copy would have."""
    try:
        names = os.listxattr(real, follow_symlinks=False)
    except OSError:
        return False
    return all(name == CAPABILITY or name.startswith(LAYER_PREFIXES) for name in names)
