"""Writing tars: of one overlay-form layer directory, and of a whole merged root file system.

The output is a function of the tree alone: members are sorted by their bytes within each
directory, ids are numeric, times whole seconds. Nothing larger than a few buffers is held.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from msgspec import Struct

from jettison.errors import ArchiveError, PathError
from jettison.fs.below import OVERLAY_PREFIXES, Below, Found
from jettison.fs.compress import Writable
from jettison.fs.ownership import PREFIX, keeps, owned
from jettison.fs.tarformat import (
    BLOCK_DEVICE,
    CHARACTER,
    DIRECTORY,
    END,
    FIFO,
    LINK,
    REGULAR,
    SYMLINK,
    Member,
    header_bytes,
    padding,
)
from jettison.fs.whiteout import is_whiteout

_BUFFER = 1 << 20
_TYPES = {
    stat.S_IFREG: REGULAR,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK_DEVICE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFIFO: FIFO,
}
_CAPABILITY = "security.capability"


class TarWriter:
    """Writes members to ``out`` in large pieces; close writes the end and leaves ``out`` open."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, member: Member, data: bytes = b"") -> None:
        """A member with its data, which has ``member.size`` bytes (no data for a link)."""
        self._put(header_bytes(member))
        if data:
            self._put(data)
            self._put(padding(len(data)))

    def add_file(self, member: Member, path: bytes) -> None:
        """A regular file with what is read from ``path``.

        Raises PathError if it cannot be read or has another size than the member says.
        """
        size = member.size
        self._put(header_bytes(member))
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(path, error) from None
        try:
            left = size
            while left:
                data = os.read(fd, min(left, _BUFFER))
                if not data:
                    raise PathError(f"{os.fsdecode(path)} became shorter while it was read")
                self._put(data)
                left -= len(data)
        finally:
            os.close(fd)
        self._put(padding(size))

    def add_chunks(self, member: Member, chunks: Iterable[bytes]) -> None:
        """A member with data from ``chunks``, which must be ``member.size`` bytes together."""
        self._put(header_bytes(member))
        for data in chunks:
            self._put(data)
        self._put(padding(member.size))

    def _put(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._size = [], 0
        self._out.write(data)

    def close(self) -> None:
        self._put(END)
        self._flush()


def write_layer(
    upper_dir: str,
    out: Writable,
    *,
    below: Below | None = None,
    clamp_mtime: int | None = None,
) -> None:
    """Write an overlay-form layer directory to ``out`` as an OCI layer tar.

    ``below`` is what the layer lies on (None: nothing). What the layer holds but does not change
    (a directory that is there only as a parent, a file that was copied up and left as it was) is
    left out, as BuildKit's overlay differ does; so are whiteouts of nothing, and sockets. The
    parents of what is written are always written, since readers differ in what they make of a
    missing one. A directory's own time is no reason to write it. Files newer than
    ``clamp_mtime`` (seconds) get it as their time.

    Raises PathError if a file cannot be read, ArchiveError if the directory needs overlay
    features that no layer can express (redirects, metadata-only copies).
    """
    tar = TarWriter(out)
    _Layer(tar, clamp_mtime).write(os.fsencode(upper_dir), below)
    tar.close()


class _Open(Struct):
    """A directory being walked; ``unwritten`` is its member until something in it is written."""

    entries: Iterator[os.DirEntry[bytes]]
    prefix: bytes
    below: Below | None
    unwritten: Member | None


class _Layer:
    def __init__(self, tar: TarWriter, clamp: int | None) -> None:
        self._tar = tar
        self._clamp = clamp
        self._links: dict[tuple[int, int], bytes] = {}
        self._stack: list[_Open] = []
        self._kept = False

    def write(self, top: bytes, below: Below | None) -> None:
        # A loop, since a tree may be deeper than the interpreter's stack.
        self._kept = keeps(top)
        self._stack = [_Open(_sorted_entries(top), b"", below, None)]
        while self._stack:
            directory = self._stack[-1]
            entry = next(directory.entries, None)
            if entry is None:
                self._stack.pop()
            else:
                self._entry(entry, directory)

    def _entry(self, entry: os.DirEntry[bytes], directory: _Open) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            raise _unreadable(entry.path, error) from None
        if self._kept:
            status = owned(entry.path, status)
        name = directory.prefix + entry.name
        lower = None
        if directory.below is not None:
            lower = directory.below.lstat("/" + os.fsdecode(name))
        kind = stat.S_IFMT(status.st_mode)
        if is_whiteout(status):
            if lower is not None:
                self._parents()
                self._tar.add(Member(directory.prefix + b".wh." + entry.name))
        elif kind == stat.S_IFDIR:
            self._directory(entry.path, name, status, directory, lower)
        elif kind in _TYPES and (lower is None or not _unchanged(entry.path, status, lower)):
            self._parents()
            xattrs = _capability(entry.path) if kind == stat.S_IFREG else {}
            member = _member(name, entry.path, status, self._clamp, xattrs)
            _add(self._tar, member, entry.path, status, self._links)

    def _directory(
        self, path: bytes, name: bytes, status: os.stat_result, parent: _Open, lower: Found | None
    ) -> None:
        below, opaque, changed = None, False, True
        if lower is not None and stat.S_ISDIR(lower.st.st_mode):
            opaque = _is_opaque(path)
            below = None if opaque else parent.below
            changed = opaque or not _same_owner_and_mode(status, lower.st)
        member = _member(name, path, status, self._clamp, {})
        if changed:
            self._parents()
            self._tar.add(member)
        if opaque:
            self._tar.add(Member(name + b"/.wh..wh..opq"))
        unwritten = None if changed else member
        self._stack.append(_Open(_sorted_entries(path), name + b"/", below, unwritten))

    def _parents(self) -> None:
        """Write the directories that lead to what is about to be written."""
        for directory in self._stack:
            if directory.unwritten is not None:
                self._tar.add(directory.unwritten)
                directory.unwritten = None


def write_tree(tree: Below, out: Writable, *, mtime: int | None = None) -> None:
    """Write a whole merged tree to ``out`` as a plain tar; ``mtime`` (seconds) replaces all times.

    Raises PathError if a file cannot be read.
    """
    tar = TarWriter(out)
    add_tree(tar, tree, mtime=mtime)
    tar.close()


def add_tree(tar: TarWriter, tree: Below, *, prefix: str = "", mtime: int | None = None) -> None:
    """Add a merged tree to a tar that is being written, each name after ``prefix``."""
    links: dict[tuple[int, int], bytes] = {}
    start = os.fsencode(prefix)
    for name, host, status in walk_tree(tree):
        xattrs = portable_xattrs(host, status)
        member = _member(start + name, host, status, None, xattrs)
        if mtime is not None:
            member.mtime_ns = mtime * 1_000_000_000
        _add(tar, member, host, status, links)


def walk_tree(tree: Below) -> Iterator[tuple[bytes, bytes, os.stat_result]]:
    """What a merged tree holds, sorted, parents first, without its root and without sockets.

    Gives each thing's path in the tree (without a leading slash), its host path and status.
    """
    pending = _sorted_children(tree, "/")
    while pending:
        found = pending.pop()
        kind = stat.S_IFMT(found.st.st_mode)
        if kind in _TYPES:
            yield os.fsencode(found.path[1:]), os.fsencode(found.real), found.st
        if kind == stat.S_IFDIR:
            pending += _sorted_children(tree, found.path)


def _sorted_children(tree: Below, path: str) -> list[Found]:
    """Last first, for a stack."""
    return sorted(tree.children(path), key=lambda one: os.fsencode(one.path), reverse=True)


def _member(
    name: bytes,
    path: bytes,
    status: os.stat_result,
    clamp: int | None,
    xattrs: dict[bytes, bytes],
) -> Member:
    kind = stat.S_IFMT(status.st_mode)
    mtime = status.st_mtime_ns
    if clamp is not None:
        mtime = min(mtime, clamp * 1_000_000_000)
    member = Member(
        name + b"/" if kind == stat.S_IFDIR else name,
        _TYPES[kind],
        status.st_mode & 0o7777,
        status.st_uid,
        status.st_gid,
        status.st_size if kind == stat.S_IFREG else 0,
        mtime,
        xattrs=xattrs,
    )
    if kind == stat.S_IFLNK:
        member.target = os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        member.major, member.minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return member


def _add(
    tar: TarWriter,
    member: Member,
    path: bytes,
    status: os.stat_result,
    links: dict[tuple[int, int], bytes],
) -> None:
    """Write a member, as a hard link if the same inode was written before."""
    if status.st_nlink > 1 and member.type != DIRECTORY:
        first = links.setdefault((status.st_dev, status.st_ino), member.name)
        if first != member.name:
            member.type, member.target, member.size, member.xattrs = LINK, first, 0, {}
    if member.type == REGULAR and member.size:
        tar.add_file(member, path)
    else:
        tar.add(member)


def _sorted_entries(path: bytes) -> Iterator[os.DirEntry[bytes]]:
    try:
        with os.scandir(path) as entries:
            return iter(sorted(entries, key=lambda entry: entry.name))
    except OSError as error:
        raise _unreadable(path, error) from None


def _is_opaque(path: bytes) -> bool:
    """Whether an upper directory hides the one below it; raises ArchiveError for a redirect."""
    names = list_xattrs(path)
    for prefix in OVERLAY_PREFIXES if names else ():
        if prefix + "redirect" in names:
            raise ArchiveError(
                f"{os.fsdecode(path)} was renamed by overlayfs, which a layer cannot express",
                hint="mount overlays with redirect_dir=off",
            )
        if prefix + "opaque" in names and os.getxattr(path, prefix + "opaque") == b"y":
            return True
    return False


def _capability(path: bytes) -> dict[bytes, bytes]:
    names = list_xattrs(path)
    if not names:
        return {}
    for prefix in OVERLAY_PREFIXES:
        if prefix + "metacopy" in names:
            raise ArchiveError(
                f"{os.fsdecode(path)} has only its metadata in this layer",
                hint="mount overlays with metacopy=off",
            )
    if _CAPABILITY not in names:
        return {}
    return {_CAPABILITY.encode(): os.getxattr(path, _CAPABILITY, follow_symlinks=False)}


def portable_xattrs(path: bytes, status: os.stat_result) -> dict[bytes, bytes]:
    """The extended attributes of a file that mean something elsewhere: capabilities, ACLs, user.

    Those of layers and of the host's security modules do not; nor do any of a link.
    """
    found: dict[bytes, bytes] = {}
    if stat.S_ISLNK(status.st_mode):
        return found
    plain = stat.S_ISREG(status.st_mode)
    for name in list_xattrs(path):
        kind = name.partition(".")[0]
        if (
            (name == _CAPABILITY and plain)
            or name.startswith("system.posix_acl_")
            or (kind == "user" and not name.startswith((*OVERLAY_PREFIXES, PREFIX)))
        ):
            found[os.fsencode(name)] = os.getxattr(path, name, follow_symlinks=False)
    return found


def list_xattrs(path: bytes) -> list[str]:
    """The names of a file's extended attributes; none where there are no such things."""
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []


def _same_owner_and_mode(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)


def _unchanged(path: bytes, status: os.stat_result, lower: Found) -> bool:
    """Whether a file that was copied up is what lies below still, byte for byte.

    A file with other names in the layer is never left out: those would lose the link.
    """
    before, real = lower.st, os.fsencode(lower.real)
    if os.path.samestat(status, before):
        return True
    if (
        status.st_nlink > 1
        or not _same_owner_and_mode(status, before)
        or (status.st_mtime_ns, status.st_rdev) != (before.st_mtime_ns, before.st_rdev)
    ):
        return False
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path) == os.readlink(real)
    if not stat.S_ISREG(status.st_mode):
        return True
    return (
        status.st_size == before.st_size
        and _capability(path) == _capability(real)
        and _same_content(path, real)
    )


def _same_content(one: bytes, other: bytes) -> bool:
    try:
        with open(one, "rb", buffering=0) as left, open(other, "rb", buffering=0) as right:
            while True:
                a, b = left.read(_BUFFER), right.read(_BUFFER)
                if a != b:
                    return False
                if not a:
                    return True
    except OSError as error:
        raise _unreadable(one, error) from None


def _unreadable(path: bytes, error: OSError) -> PathError:
    return PathError(f"cannot read {os.fsdecode(path)[-200:]}: {error.strerror}")
