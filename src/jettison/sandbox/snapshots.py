"""Trees of layers that can be written to, in the best way this host has.

``overlay``: the kernel's. ``fuse-overlayfs``: the same as a program, for kernels and containers
that let nobody mount overlays. ``copy``: the whole tree is copied for each use, and compared
afterwards; slow, but it needs nothing. The layers that come out are the same.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from jettison.errors import JettisonError, SandboxError
from jettison.sandbox import mounts, spawn, syscalls

OVERLAY, FUSE, COPY = "overlay", "fuse-overlayfs", "copy"
SNAPSHOTTERS = (OVERLAY, FUSE, COPY)
"""Best first."""
VARIABLE = "JETTISON_SNAPSHOTTER"

_FUSE_SECONDS = 10.0
_POLL_SECONDS = 0.002
_OPAQUE_NAME = ".wh..wh..opq"
_WHITEOUT_PREFIX = ".wh."


@contextmanager
def mounted(
    snapshotter: str,
    target: str,
    *,
    base: str,
    lowers: Sequence[str],
    upper: str | None = None,
    work: str | None = None,
    keep: bool = True,
    userxattr: bool,
    flags: int = 0,
) -> Iterator[str]:
    """`mounts.stack` in the way of ``snapshotter``; the upper is a layer when the context ends.

    Without ``keep`` the upper is thrown away by the caller, so nothing has to be left in it.
    Raises SandboxError.
    """
    if snapshotter == OVERLAY or not lowers or (len(lowers) == 1 and upper is None):
        way: AbstractContextManager[object] = mounts.stack(
            target,
            base=base,
            lowers=lowers,
            upper=upper,
            work=work,
            userxattr=userxattr,
            flags=flags,
        )
    elif snapshotter == FUSE:
        way = _fuse(target, base, lowers, upper, work, flags)
    else:
        way = _copy(target, base, lowers, upper, flags, keep=keep)
    with way:
        yield target


def choose(directory: str, *, userxattr: bool, wanted: str | None = None) -> tuple[str, str]:
    """The best that works for layers in ``directory``, and why better ones do not (or ""). A probe
    of each: a file is deleted and a directory replaced.

    ``wanted`` admits that one only. Raises SandboxError if it is unknown or does not work.
    """
    if wanted is not None and wanted not in SNAPSHOTTERS:
        raise SandboxError(
            f"{VARIABLE} is {wanted!r}", hint=f"one of {', '.join(SNAPSHOTTERS)}, or unset it"
        )
    reasons: list[str] = []
    for name in SNAPSHOTTERS if wanted is None else (wanted,):
        error = probe(name, directory, userxattr=userxattr)
        if error is None:
            return name, "; ".join(reasons)
        reasons.append(f"{name}: {error}")
    raise SandboxError(
        f"no root file system can be made in {directory}: {'; '.join(reasons)}",
        hint="see jettison doctor",
    )


def probe(snapshotter: str, directory: str, *, userxattr: bool) -> str | None:
    """Why ``snapshotter`` cannot be used for layers in ``directory``; None if it can."""
    if snapshotter == FUSE and (lack := fuse_lack()) is not None:
        return lack
    try:
        with tempfile.TemporaryDirectory(dir=directory, prefix="snapshot-") as place:
            return _try(snapshotter, place, userxattr)
    except JettisonError as error:
        return error.message
    except OSError as error:
        return str(error.strerror)


def fuse_lack() -> str | None:
    """What fuse-overlayfs lacks here, if something can be told without trying."""
    if shutil.which(FUSE) is None:
        return "not installed"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/fuse: {error.strerror}"
    return None


def _try(snapshotter: str, place: str, userxattr: bool) -> str | None:
    from jettison.fs.whiteout import is_opaque, is_whiteout

    for name in ("lower", "lower/old", "empty", "upper", "work", "root"):
        os.mkdir(os.path.join(place, name), 0o755)
    with open(os.path.join(place, "lower", "file"), "w"):
        pass
    upper = os.path.join(place, "upper")
    with mounted(
        snapshotter,
        os.path.join(place, "root"),
        base=place,
        lowers=["empty", "lower"],
        upper=upper,
        work=os.path.join(place, "work"),
        userxattr=userxattr,
    ) as root:
        os.unlink(os.path.join(root, "file"))
        os.rmdir(os.path.join(root, "old"))
        os.mkdir(os.path.join(root, "old"))
    if not is_whiteout(os.lstat(os.path.join(upper, "file"))):
        return "deleted files leave no whiteout"
    return None if is_opaque(os.path.join(upper, "old")) else "no directory can be made opaque"


@contextmanager
def _copy(
    target: str, base: str, lowers: Sequence[str], upper: str | None, flags: int, *, keep: bool
) -> Iterator[None]:
    """The copy is made beside ``target``, for whoever deletes that to delete."""
    from jettison.fs.copied import CopiedTree

    place = tempfile.mkdtemp(dir=os.path.dirname(target), prefix="copy-")
    layers = [os.path.join(base, name) for name in lowers]
    try:
        copy = CopiedTree(layers, place, upper)
    except OSError as error:
        raise _failed("copy the layers", error) from error
    with mounts.bind(place, target, flags=flags if upper else flags | syscalls.MS_RDONLY):
        yield
    if upper is not None and keep:
        try:
            copy.save()
        except OSError as error:
            raise _failed("compare the copy with its layers", error) from error


def _failed(what: str, error: OSError) -> SandboxError:
    hint = "free some space: jettison prune" if error.errno == errno.ENOSPC else None
    return SandboxError(f"cannot {what}: {error}", hint=hint)


@contextmanager
def _fuse(
    target: str, base: str, lowers: Sequence[str], upper: str | None, work: str | None, flags: int
) -> Iterator[None]:
    def relative(path: str) -> str:
        """In the options no path of the user's may stand: it could hold a colon or a comma."""
        return os.path.relpath(path, base)

    options = [f"lowerdir={':'.join(reversed(lowers))}"]
    if upper is not None and work is not None:
        options += [f"upperdir={relative(upper)}", f"workdir={relative(work)}"]
    before = os.stat(target).st_dev
    argv = [FUSE, "-f", "-o", ",".join(options), target]
    child = spawn.Child(argv, new_pids=False, launcher=spawn.choose(), cwd=base)
    with ExitStack() as stack:
        stack.callback(child.close)
        stack.callback(child.kill)
        _await(child, target, before)
        try:
            if flags:
                again = syscalls.MS_BIND | syscalls.MS_REMOUNT
                syscalls.mount("none", target, None, again | flags)
            yield
        finally:
            try:
                syscalls.umount(target, 0)  # everything is written when this returns
            except SandboxError:
                syscalls.umount(target)
            child.wait(_FUSE_SECONDS)
    if upper is not None:
        _as_overlay(upper)


def _await(child: spawn.Child, target: str, before: int) -> None:
    """Wait for the mount; SandboxError with what the program says if it does not come."""
    end = time.monotonic() + _FUSE_SECONDS
    while os.stat(target).st_dev == before:
        if child.wait(_POLL_SECONDS) is not None or time.monotonic() > end:
            child.kill()
            stderr = child.process.stderr
            said = stderr.read().decode(errors="replace").strip() if stderr is not None else ""
            raise SandboxError(f"{FUSE}: {said or 'it does not mount'}")


def _as_overlay(upper: str) -> None:
    """Have whiteouts as the kernel has them: without devices, fuse-overlayfs makes ``.wh.`` files,
    and marks opaque directories by one even where it has set the attribute.
    """
    from jettison.fs.whiteout import make_whiteout, set_opaque

    for directory, _, names in os.walk(upper):
        marks = [name for name in names if name.startswith(_WHITEOUT_PREFIX)]
        if not marks:
            continue
        before = os.stat(directory)
        for name in marks:
            os.unlink(os.path.join(directory, name))
            if name == _OPAQUE_NAME:
                set_opaque(directory)
            else:
                make_whiteout(os.path.join(directory, name.removeprefix(_WHITEOUT_PREFIX)))
        os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))
