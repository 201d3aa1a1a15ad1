"""ADD of an archive: merging the tree it was unpacked to into the layer being made.

Follows moby's go-archive as BuildKit uses it (solver/llbsolver/file/unpack.go): the destination is
the root for every link on the way, directories merge, anything else is replaced.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection

from jettison.errors import PathError
from jettison.fs import tree as trees
from jettison.fs.tree import Entry, Tree, join, parent_of
from jettison.fs.upper import Upper, writing
from jettison.fs.write import Attributes, apply, capability_of, set_mtime

Owner = tuple[int, int]


def merge_archive(
    tree: Tree,
    upper: Upper,
    dest: str,
    *,
    chown: Owner | None = None,
    implied: Collection[str] = (),
) -> None:
    """Move the members of an unpacked archive, ``tree``, to the directory ``dest``.

    ``tree`` is used up; it must be on the file system of the layer. Members keep owner, mode and
    time; ``chown`` overrides all owners. ``implied`` are directories no member stands for, without
    leading slash: where they exist they are left alone, and a link in their place is followed
    inside ``dest``, whereas a directory that is a member replaces it.

    Raises PathError if the destination is below a file, StoreError if the disk is full.
    """
    root = upper.make_dirs(dest, owner=chown or (0, 0), mode=0o755)
    merger = _Merger(upper, root, chown)
    for entry in tree.walk():
        if not entry.is_dir:
            merger.move(entry)
        elif entry.path[1:] in implied:
            merger.imply(entry)
        else:
            merger.directory(entry)
    merger.finish()


class _Merger:
    def __init__(self, upper: Upper, root: str, chown: Owner | None) -> None:
        self._upper = upper
        self._root = root
        self._chown = chown
        self._places = {"/": root}
        self._times: list[tuple[str, int]] = []

    def _place(self, entry: Entry) -> str:
        """Where a member goes, given where the directories above it went."""
        return join(self._places[parent_of(entry.path)], entry.name)

    def _wanted(self, entry: Entry) -> Attributes:
        uid, gid = self._chown or (entry.uid, entry.gid)
        return Attributes(entry.mode, uid, gid, entry.mtime_ns)

    def directory(self, entry: Entry) -> None:
        place = self._place(entry)
        existing = self._upper.lstat(place)
        if existing is not None and existing.is_dir:
            real = self._upper.copy_up(place)
            with writing(place):
                apply(real, self._wanted(entry), self._upper.owners)
        else:
            self._upper.make_dir(place, self._wanted(entry))
        self._places[entry.path] = place
        self._times.append((place, entry.mtime_ns))

    def imply(self, entry: Entry) -> None:
        place = self._place(entry)
        existing = self._upper.lstat(place)
        if existing is not None and existing.is_link:
            inside = place[len(self._root.rstrip("/")) :]
            place = trees.resolve(self._upper.lstat, inside, root=self._root)
        self._places[entry.path] = self._upper.make_dirs(place, owner=(0, 0), mode=0o755)

    def move(self, entry: Entry) -> None:
        if stat.S_ISCHR(entry.st.st_mode) and entry.st.st_rdev == 0:
            raise PathError(f"cannot unpack {entry.path}: a layer cannot hold a device 0:0")
        place = self._place(entry)
        capability = None
        if self._chown and entry.is_file:
            capability = capability_of(entry.real)
        self._upper.put(place, lambda real: os.rename(entry.real, real), replace_dir=True)
        if self._chown is None:
            return
        real = self._upper.real(place)
        with writing(place):
            if entry.is_link:
                self._upper.owners.give(real, *self._chown)
            else:
                want = Attributes(entry.mode, *self._chown, entry.mtime_ns, capability)
                apply(real, want, self._upper.owners)

    def finish(self) -> None:
        """Set the times of directories, now that nothing more is made in them."""
        for place, mtime_ns in reversed(self._times):
            with writing(place):
                set_mtime(self._upper.real(place), mtime_ns)
