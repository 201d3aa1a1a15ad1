"""Owners that the host cannot give: kept beside the file, in an extended attribute.

A user namespace maps some ids only, perhaps a single one, and chown(2) to any other fails with
EINVAL (user_namespaces(7)). Such a file stays the user's own, and says whose it is:

- files and directories in ``user.jettison.owner``, as ``UID:GID``;
- links, FIFOs and the like, which hold no ``user.*`` (xattr(7)), in ``security.capability``. On
  them it means nothing to the kernel, which keeps its twenty bytes as they are, and removes them
  when the owner is changed.

overlayfs copies both up with the file, so they outlast a RUN that changes or renames it. A layer
that has such files is marked at its root: where everything is mapped, nothing is marked, and
nothing is looked up.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
from contextlib import suppress
from typing import Any

PREFIX = "user.jettison."
"""What the attributes of this module on files and directories begin with."""

_MARK = f"{PREFIX}owners"
_OWNER = f"{PREFIX}owner"
_TEXT = re.compile(rb"([0-9]{1,10}):([0-9]{1,10})")
_CAPABILITY = "security.capability"
_RECORD = struct.Struct("<5I")  # struct vfs_cap_data of <linux/capability.h>
_REVISION, _MAGIC = 0x02000000, 0x6A657474
_LARGEST = (1 << 32) - 2


class Owners:
    """Gives owners to files of the layer or tree that is being made in ``directory``.

    ``kept``: some of its files have owners beside them.
    """

    def __init__(self, directory: str | bytes | os.PathLike[str]) -> None:
        self._directory = directory
        self.kept = keeps(directory)

    def give(self, where: int | str | bytes, uid: int, gid: int) -> None:
        """Make a file, link or directory (by path, or a file by descriptor) belong to uid:gid.

        Raises OSError, of EOPNOTSUPP where the file system has no extended attributes.
        """
        try:
            _chown(where, uid, gid)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.mark()
            _keep(where, uid, gid)
            return
        if self.kept:
            _forget(where)

    def mark(self) -> None:
        """Note that files of this tree may have their owners beside them."""
        if not self.kept:
            os.setxattr(self._directory, _MARK, b"y")
            self.kept = True


def keeps(directory: str | bytes | os.PathLike[str]) -> bool:
    """Whether the layer in ``directory`` has files with their owners beside them."""
    try:
        return os.getxattr(directory, _MARK) == b"y"
    except OSError:
        return False


def owned(path: str | bytes, status: os.stat_result) -> os.stat_result:
    """``status`` of a file in a layer that `keeps` owners, with the owner the file is meant for."""
    kept = _read(path, stat.S_IFMT(status.st_mode))
    if kept is None:
        return status
    state: Any = status.__reduce__()  # its fields by number, and by name those that have none
    fields, more = state[1]
    return os.stat_result((*fields[:4], *kept, *fields[6:]), more)


def _read(path: str | bytes, kind: int) -> tuple[int, int] | None:
    plain = kind in (stat.S_IFREG, stat.S_IFDIR)
    try:
        value = os.getxattr(path, _OWNER if plain else _CAPABILITY, follow_symlinks=False)
    except OSError:
        return None
    if not plain:
        if len(value) != _RECORD.size:
            return None
        revision, uid, gid, _, magic = _RECORD.unpack(value)
        return (uid, gid) if (revision, magic) == (_REVISION, _MAGIC) else None
    found = _TEXT.fullmatch(value)  # a RUN may have written anything
    if found is None or max(map(int, found.groups())) > _LARGEST:
        return None
    return int(found[1]), int(found[2])


def _keep(where: int | str | bytes, uid: int, gid: int) -> None:
    if isinstance(where, int):
        os.setxattr(where, _OWNER, f"{uid}:{gid}".encode())
    elif stat.S_IFMT(os.lstat(where).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
        os.setxattr(where, _OWNER, f"{uid}:{gid}".encode(), follow_symlinks=False)
    else:
        record = _RECORD.pack(_REVISION, uid, gid, 0, _MAGIC)
        os.setxattr(where, _CAPABILITY, record, follow_symlinks=False)


def _forget(where: int | str | bytes) -> None:
    """Drop what is beside a file; the kernel did so for all but files and directories."""
    with suppress(OSError):
        if isinstance(where, int):
            os.removexattr(where, _OWNER)
        else:
            os.removexattr(where, _OWNER, follow_symlinks=False)


def _chown(where: int | str | bytes, uid: int, gid: int) -> None:
    if isinstance(where, int):
        os.fchown(where, uid, gid)
    else:
        os.lchown(where, uid, gid)
