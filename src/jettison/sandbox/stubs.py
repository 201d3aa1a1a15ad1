"""Mount points that exist only while something is mounted on them.

What a mount needs and the root lacks (the point itself and its parents) is made before the
container runs and taken away afterwards, unless something was written there. The directories
around keep their times, so that a layer shows what the command did and nothing else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from jettison.errors import SandboxError
from jettison.sandbox.inroot import resolve

KEPT = ("/proc", "/dev", "/sys")
"""Made if missing, and kept: what BuildKit leaves behind on an empty root."""


@contextmanager
def mount_points(root: str, targets: Sequence[tuple[str, bool]]) -> Iterator[None]:
    """Have a mount point for each (path in ``root``, is a directory) while the context lasts.

    A target below another one is left to the runtime, which makes it inside that mount. Raises
    SandboxError if a target exists and is of the other kind.
    """
    for path in KEPT:
        _make(root, resolve(root, path), True)
    made: list[tuple[str, bool]] = []
    points = [(resolve(root, path), is_directory) for path, is_directory in targets]
    outer = [os.path.join(root, name.lstrip("/")) for name in KEPT]
    outer += [path for path, _ in points]
    try:
        for path, is_directory in points:
            if not any(path.startswith(other + "/") for other in outer):
                made += _make(root, path, is_directory)
        yield
    finally:
        for path, is_directory in reversed(made):
            _take_away(root, path, is_directory)


def _make(root: str, path: str, is_directory: bool) -> list[tuple[str, bool]]:
    """Make ``path`` (resolved) and its missing parents; what was made, outermost first."""
    try:
        exists_as_directory = stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        pass
    else:
        if exists_as_directory != is_directory:
            kinds = ("a file", "a directory")
            raise SandboxError(
                f"cannot mount {kinds[is_directory]} on /{os.path.relpath(path, root)}, "
                f"which is {kinds[exists_as_directory]}"
            )
        return []
    parent = os.path.dirname(path)
    made = [] if parent == root else _make(root, parent, True)
    before = os.stat(parent)
    if is_directory:
        os.mkdir(path)
        os.chmod(path, 0o755)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        os.chmod(path, 0o644)
    os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))
    return [*made, (path, is_directory)]


def _take_away(root: str, path: str, is_directory: bool) -> None:
    """Remove a stub that nothing was written to, unless the command moved what leads there."""
    with suppress(OSError, SandboxError):
        if resolve(root, os.path.relpath(path, root)) != path:
            return
        now = os.lstat(path)
        parent = os.path.dirname(path)
        before = os.stat(parent)
        if is_directory and stat.S_ISDIR(now.st_mode):
            os.rmdir(path)
        elif not is_directory and stat.S_ISREG(now.st_mode) and now.st_size == 0:
            os.unlink(path)
        else:
            return
        os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))
