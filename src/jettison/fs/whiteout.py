"""How a layer's directory says that something below it is gone.

As overlayfs has it (kernel documentation, filesystems/overlayfs, "whiteouts and opaque
directories"): a whiteout is a character device 0:0, and a directory that hides the one below has
the attribute ``trusted.overlay.opaque``, in a user namespace ``user.overlay.opaque``. Where no such
device can be made (a store that itself lies on an overlay; a user namespace before Linux 5.8) a
whiteout is a socket without permissions, of the epoch: sockets are no part of images, and nothing
needs to be asked for it but what lstat(2) says. No overlay can be mounted there anyway.
"""

from __future__ import annotations

import errno
import os
import stat

OPAQUE_XATTRS = ("trusted.overlay.opaque", "user.overlay.opaque")
_REFUSED = (errno.EPERM, errno.EOPNOTSUPP)


def is_whiteout(status: os.stat_result) -> bool:
    """Whether a file of a layer stands for the deletion of what is below it."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    return status.st_mode == stat.S_IFSOCK and status.st_mtime_ns == 0


def make_whiteout(path: str | bytes) -> None:
    """Raises OSError: FileExistsError if there is something at ``path``."""
    try:
        os.mknod(path, stat.S_IFCHR, 0)
    except PermissionError:
        os.mknod(path, stat.S_IFSOCK)
        os.utime(path, ns=(0, 0))


def set_opaque(directory: str | bytes) -> None:
    """Let a directory hide those below it: as root, else as overlayfs' option userxattr wants."""
    trusted, user = OPAQUE_XATTRS
    try:
        os.setxattr(directory, trusted, b"y")
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        os.setxattr(directory, user, b"y")


def is_opaque(directory: str | bytes) -> bool:
    """Whether a directory of a layer hides the directories below it."""
    for name in OPAQUE_XATTRS:
        try:
            if os.getxattr(directory, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue  # not set, not supported by the file system, or not ours to read
    return False
