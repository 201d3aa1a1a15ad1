"""The system calls that Python 3.11 does not wrap: unshare, mount, umount2.

Failures are `SandboxError`s whose ``__cause__`` is the OSError, for callers that look at errno.
"""

from __future__ import annotations

import ctypes
import os

from jettison.errors import SandboxError

# <linux/sched.h>
CLONE_NEWNS = 0x00020000
CLONE_FS = 0x00000200
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

# <linux/mount.h>
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_SLAVE = 1 << 19
MS_RELATIME = 1 << 21
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
]


def unshare(flags: int) -> None:
    """Leave the shared namespaces (or, for CLONE_FS, the shared working directory).

    For one thread only; CLONE_NEWUSER needs a process without other threads (unshare(2)).
    """
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        raise _failure(f"unshare({flags:#x})")


def mount(source: str, target: str, fstype: str | None, flags: int = 0, data: str = "") -> None:
    """Mount; ``data`` longer than a page (4095 bytes) is refused rather than cut off."""
    options = os.fsencode(data)
    if len(options) > 4095:
        raise SandboxError(f"options of {len(options)} bytes for the mount on {target}: too long")
    kind = None if fstype is None else fstype.encode()
    if _libc.mount(os.fsencode(source), os.fsencode(target), kind, flags, options) != 0:
        raise _failure(f"cannot mount {fstype or source} on {target}")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2); by default the mount disappears at once and is ended when nobody uses it."""
    if _libc.umount2(os.fsencode(target), ctypes.c_int(flags)) != 0:
        raise _failure(f"cannot unmount {target}")


def _failure(what: str) -> SandboxError:
    number = ctypes.get_errno()
    error = SandboxError(f"{what}: {os.strerror(number)}")
    error.__cause__ = OSError(number, os.strerror(number))
    return error


def errno_of(error: BaseException) -> int:
    """The errno behind an error of this module; 0 if there is none."""
    cause = error.__cause__ if isinstance(error, SandboxError) else error
    return (cause.errno or 0) if isinstance(cause, OSError) else 0
