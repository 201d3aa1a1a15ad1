"""The digest of what a step reads: everything that can change its result, and nothing else.

Counted are names, types, modes, link targets, device numbers, file capabilities, contents and (for
what keeps its owners) owners. Times never count, nor do inode numbers. Contents are remembered in a
memo by what lstat(2) says of a file, so that an unchanged tree costs one stat per file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Protocol

from msgspec import Struct

from jettison.fs.select import Selection, contents
from jettison.fs.tree import Entry, Tree, unreadable
from jettison.fs.write import capability_of

FileKey = tuple[int, int, int, int, int]
"""st_dev, st_ino, st_size, st_mtime_ns and st_ctime_ns of a file."""

_VERSION = b"jettison tree 1\0"
_CHUNK = 1 << 20


class FileMemo(Protocol):
    """Remembers the digests of files. It may forget, and must not trust files changed just now."""

    def get(self, key: FileKey) -> str | None:
        """The digest of the file that looks like ``key``, asked right after its stat."""
        ...

    def put(self, key: FileKey, digest: str) -> None:
        """Remember the digest of the file that looked like ``key`` before it was read."""
        ...


class Listing(Struct, frozen=True):
    """What is read, file by file, and the digest (``sha256:…``) of that.

    ``text`` has four fields for each file, each ending in a NUL: name, mode (octal, with the type),
    owner (``uid:gid``, empty if it does not count), and the rest: the hash of a content, the target
    of a link, the number of a device.
    """

    digest: str
    text: str


def list_files(tree: Tree, selection: Selection, memo: FileMemo, *, owners: bool) -> Listing:
    """What ``selection`` takes from ``tree``.

    ``owners``: owners and file capabilities count, as they do when a stage is copied from. Raises
    PathError if a file cannot be read.
    """
    record = _Record(memo, owners)
    for item in selection.items:
        if not item.entry.is_dir:
            record.add(item.name, item.entry)
            continue
        record.add(".", item.entry)
        for name, entry, _ in contents(tree, item, selection):
            record.add("./" + name, entry)
    text = "".join(record.lines)
    whole = hashlib.sha256(_VERSION)
    whole.update(text.encode("utf-8", "surrogateescape"))
    return Listing("sha256:" + whole.hexdigest(), text)


class _Record:
    """The lines of a listing."""

    def __init__(self, memo: FileMemo, owners: bool) -> None:
        self.lines: list[str] = []
        self._memo = memo
        self._owners = owners

    def add(self, name: str, entry: Entry) -> None:
        st = entry.st
        mode = st.st_mode
        rest = ""
        if stat.S_ISREG(mode):
            rest = self._content(entry)
            if self._owners:
                rest += (capability_of(entry.real) or b"").hex()
        elif stat.S_ISLNK(mode):
            mode = stat.S_IFLNK  # the permissions of links mean nothing
            rest = _target(entry)
        elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            rest = str(st.st_rdev)
        elif entry.path == "/":
            mode = stat.S_IFDIR  # the root is no part of what is copied
        owner = f"{st.st_uid}:{st.st_gid}" if self._owners and entry.path != "/" else ""
        self.lines.append(f"{name}\0{mode:o}\0{owner}\0{rest}\0")

    def _content(self, entry: Entry) -> str:
        st = entry.st
        if st.st_size == 0:
            return ""
        key = (st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns)
        known = self._memo.get(key)
        if known is None:
            known, unchanged = _hash_file(entry, key)
            if unchanged:
                self._memo.put(key, known)
        return known


def _hash_file(entry: Entry, key: FileKey) -> tuple[str, bool]:
    """The hash of a file's content, and whether the file was as ``key`` says all the while."""
    state = hashlib.sha256()
    try:
        fd = os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while data := os.read(fd, _CHUNK):
                state.update(data)
            st = os.fstat(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise unreadable(entry.path, error) from None
    now = (st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns)
    return state.hexdigest(), now == key


def _target(entry: Entry) -> str:
    try:
        return entry.target
    except OSError as error:
        raise unreadable(entry.path, error) from None
