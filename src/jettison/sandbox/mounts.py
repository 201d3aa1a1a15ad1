"""Mounts of this process's own namespace: overlay, bind, tmpfs, each as a context manager.

Leaving the context detaches the mount even if it is busy; the death of the process ends them all,
because nobody else is in the mount namespace (`namespace.enter`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from jettison.errors import SandboxError
from jettison.sandbox import syscalls

MAX_LOWERS = 500
"""The kernel's limit (overlayfs.rst: OVL_MAX_STACK)."""

_LOCKED = {
    os.ST_RDONLY: syscalls.MS_RDONLY,
    os.ST_NOSUID: syscalls.MS_NOSUID,
    os.ST_NODEV: syscalls.MS_NODEV,
    os.ST_NOEXEC: syscalls.MS_NOEXEC,
    os.ST_NOATIME: syscalls.MS_NOATIME,
    os.ST_NODIRATIME: syscalls.MS_NODIRATIME,
    os.ST_RELATIME: syscalls.MS_RELATIME,
}


@contextmanager
def stack(
    target: str,
    *,
    base: str,
    lowers: Sequence[str],
    upper: str | None = None,
    work: str | None = None,
    userxattr: bool,
    flags: int = 0,
) -> Iterator[str]:
    """Mount the layers ``base``/id, for each id in ``lowers`` (bottom first), on ``target``.

    With ``upper`` (a directory that takes all changes) and ``work`` (empty, same file system,
    spoiled afterwards) the tree is writable, else read-only. No layer at all is an empty tree, one
    layer without ``upper`` a bind mount. ``userxattr``: as in a user namespace, marks are
    ``user.overlay.*``. ``flags`` are mount(2)'s. Raises SandboxError.
    """
    if len(lowers) > MAX_LOWERS:
        raise SandboxError(
            f"an image of {len(lowers)} layers cannot be mounted; the kernel takes {MAX_LOWERS}",
            hint="build a base image with fewer layers",
        )
    if not lowers and upper is None:
        syscalls.mount("empty", target, "tmpfs", flags | syscalls.MS_RDONLY, "mode=755,size=4k")
    elif not lowers and upper is not None:
        _bind(upper, target, flags)
    elif len(lowers) == 1 and upper is None:
        _bind(os.path.join(base, lowers[0]), target, flags | syscalls.MS_RDONLY)
    else:
        _overlay(
            target,
            base=base,
            lowers=lowers,
            upper=upper,
            work=work,
            userxattr=userxattr,
            flags=flags,
        )
    with _mounted(target):
        yield target


@contextmanager
def bind(source: str, target: str, *, flags: int = 0) -> Iterator[str]:
    """Show ``source`` (file or directory, with what is mounted below) at ``target`` as well, with
    the mount(2) ``flags`` added.
    """
    _bind(source, target, flags)
    with _mounted(target):
        yield target


@contextmanager
def tmpfs(target: str, *, mode: int = 0o700, size: int = 0, flags: int = 0) -> Iterator[str]:
    """An empty file system in memory; ``size`` in bytes, 0 for the kernel's default."""
    options = f"mode={mode:o}" + (f",size={size}" if size else "")
    syscalls.mount("tmpfs", target, "tmpfs", flags, options)
    with _mounted(target):
        yield target


def locked_flags(path: str) -> int:
    """The flags of the mount that holds ``path`` which a user namespace may not drop.

    A bind mount remounted in a user namespace without them is refused (mount_namespaces(7),
    "Restrictions on mount namespaces").
    """
    present = os.statvfs(path).f_flag
    return sum(flag for bit, flag in _LOCKED.items() if present & bit)


@contextmanager
def _mounted(target: str) -> Iterator[None]:
    try:
        yield
    finally:
        syscalls.umount(target)


def _bind(source: str, target: str, flags: int) -> None:
    syscalls.mount(source, target, None, syscalls.MS_BIND | syscalls.MS_REC)
    if flags:
        again = syscalls.MS_BIND | syscalls.MS_REMOUNT
        try:
            syscalls.mount("none", target, None, again | flags | locked_flags(target))
        except SandboxError:
            syscalls.umount(target)
            raise


def _overlay(
    target: str,
    *,
    base: str,
    lowers: Sequence[str],
    upper: str | None,
    work: str | None,
    userxattr: bool,
    flags: int,
) -> None:
    """Mount an overlay whose directories are named by descriptor numbers.

    The options of mount(2) must fit in a page, and names in them must hold no ``:`` or ``,``. Both
    are met for any path and 500 layers by opening the directories and naming them, relative to
    /proc/self/fd, by number. Only a thread with its own working directory may go there.
    """
    with ExitStack() as opened:

        def number(path: str) -> str:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                hint = "raise the limit of open files (ulimit -n)" if error.errno == 24 else None
                raise SandboxError(f"cannot open layer {path}: {error}", hint=hint) from error
            opened.callback(os.close, descriptor)
            return str(descriptor)

        names = [number(os.path.join(base, name)) for name in reversed(lowers)]
        options = [f"lowerdir={':'.join(names)}"]
        if upper is not None and work is not None:
            options += [f"upperdir={number(upper)}", f"workdir={number(work)}"]
            if kernel_version() >= (5, 10):
                # Nothing is synced when the mount ends: a build that a crash cuts short is
                # begun again, and without this each RUN would wait for the host's whole disk.
                options.append("volatile")
        options += ["redirect_dir=nofollow", "metacopy=off", "index=off"]
        if userxattr:
            options.append("userxattr")
        _in_descriptor_directory(target, ",".join(options), flags)


def _in_descriptor_directory(target: str, options: str, flags: int) -> None:
    failure: list[BaseException] = []

    def work() -> None:
        try:
            syscalls.unshare(syscalls.CLONE_FS)
            os.chdir("/proc/self/fd")
            syscalls.mount("overlay", target, "overlay", flags, options)
        except (SandboxError, OSError) as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="mount")
    thread.start()
    thread.join()
    if failure:
        raise _explain(failure[0]) from failure[0]


def _explain(error: BaseException) -> SandboxError:
    hints = {
        1: "overlay in a user namespace needs Linux 5.11 or newer (see jettison doctor)",
        19: "the kernel has no overlay file system: modprobe overlay",
        22: "the file system of the store cannot hold overlay layers (is it itself an overlay?)",
    }
    hint = hints.get(syscalls.errno_of(error), "see the kernel's messages (dmesg)")
    return SandboxError(f"cannot mount the layers: {error.__cause__ or error}", hint=hint)


def kernel_version() -> tuple[int, int]:
    """Major and minor version of the running kernel."""
    major, _, rest = os.uname().release.partition(".")
    digits = "".join(c if c.isdigit() else " " for c in rest).split(" ")[0]
    return int(major), int(digits or 0)
