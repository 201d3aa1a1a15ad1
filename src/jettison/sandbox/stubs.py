"""Mount points that exist only while something is mounted on them.

What a mount needs and the root lacks (the point itself and its parents) is made before the
container runs and taken away afterwards, unless something was written there. The directories
around keep their times, and those that only the stubs brought into the upper directory leave it
again, so that a layer shows what the command did and nothing else.
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


class MountPoints:
    """A mount point in ``root`` for each (path, is a directory) while the context lasts.

    A target below another one is left to the runtime, which makes it inside that mount. Entering
    raises SandboxError if a target exists and is of the other kind.
    """

    def __init__(self, root: str, targets: Sequence[tuple[str, bool]]) -> None:
        self._root = root
        self._points = [(resolve(root, path), is_directory) for path, is_directory in targets]
        self._made: list[tuple[str, bool]] = []
        self._copied: dict[str, int] = {}
        """Change times of directories that stubs were made in, right after that."""
        self._untouched: list[str] = []

    def __enter__(self) -> None:
        outer = [resolve(self._root, name) for name in KEPT]
        for path in outer:
            self._make(path, True)
        self._made.clear()
        outer += [path for path, _ in self._points]
        try:
            for path, is_directory in self._points:
                if not any(path.startswith(other + "/") for other in outer):
                    self._make(path, is_directory)
        except BaseException:
            self.__exit__()
            raise
        self._copied = {path: os.lstat(path).st_ctime_ns for path in self._copied}

    def __exit__(self, *_: object) -> None:
        for path, changed in self._copied.items():
            with suppress(OSError):
                if os.lstat(path).st_ctime_ns == changed:
                    self._untouched.append(os.path.relpath(path, self._root))
        for path, is_directory in reversed(self._made):
            self._take_away(path, is_directory)

    def drop_copies(self, upper: str) -> None:
        """Remove the empty copies of directories that the command did not touch.

        For an overlay that is no longer mounted and whose upper directory was empty at first. Any
        change of a directory (entries, owner, mode, attributes) moves its change time, so equal
        times mean that its copy in ``upper`` says nothing new.
        """
        for relative in sorted(self._untouched, reverse=True):
            path = os.path.join(upper, relative)
            with suppress(OSError), _times_kept(os.path.dirname(path)):
                os.rmdir(path)

    def _make(self, path: str, is_directory: bool) -> None:
        """Make ``path`` (resolved) and its missing parents."""
        try:
            exists_as_directory = stat.S_ISDIR(os.lstat(path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            pass
        else:
            if exists_as_directory != is_directory:
                kinds = ("a file", "a directory")
                raise SandboxError(
                    f"cannot mount {kinds[is_directory]} on /{os.path.relpath(path, self._root)}, "
                    f"which is {kinds[exists_as_directory]}"
                )
            return
        parent = os.path.dirname(path)
        if parent != self._root:
            self._make(parent, True)
        self._note_copies(parent)
        with _times_kept(parent):
            if is_directory:
                os.mkdir(path)
                os.chmod(path, 0o755)
            else:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
                os.chmod(path, 0o644)
        self._made.append((path, is_directory))

    def _note_copies(self, directory: str) -> None:
        """The overlay copies ``directory`` and those around it when something is made in it."""
        made = {path for path, _ in self._made}
        while directory != self._root and directory not in made:
            self._copied.setdefault(directory, 0)
            directory = os.path.dirname(directory)

    def _take_away(self, path: str, is_directory: bool) -> None:
        """Remove a stub that nothing was written to, unless the command moved what leads there."""
        with suppress(OSError, SandboxError):
            if resolve(self._root, os.path.relpath(path, self._root)) != path:
                return
            now = os.lstat(path)
            with _times_kept(os.path.dirname(path)):
                if is_directory and stat.S_ISDIR(now.st_mode):
                    os.rmdir(path)
                elif not is_directory and stat.S_ISREG(now.st_mode) and now.st_size == 0:
                    os.unlink(path)


@contextmanager
def _times_kept(directory: str) -> Iterator[None]:
    before = os.stat(directory)
    yield
    os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))
