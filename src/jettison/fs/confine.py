"""Paths from archives, resolved so that they never leave the directory they belong in.

The directory is one nobody else writes to (a staging directory), so resolving a path component by
component and using the result later is no race.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from jettison.errors import ArchiveError, PathError
from jettison.fs.whiteout import is_whiteout

_MAX_KNOWN = 50_000
_MAX_LINKS = 40  # the kernel's own bound (path_resolution(7))


def clean(name: bytes) -> bytes:
    """``name`` relative to the root it is in: no leading slash, no ``.``, ``..`` or empty part.

    ``..`` is taken lexically and stops at the root, as Go's filepath.Clean does of ``/`` + name.
    """
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def join(directory: bytes, name: bytes) -> bytes:
    """The path of ``name`` in ``directory``, either of which may be the root (empty)."""
    return directory + b"/" + name if directory and name else directory or name


class Root:
    """A directory whose paths are resolved as if it were ``/``. Paths are relative, clean bytes."""

    def __init__(self, path: str) -> None:
        self.path = os.fsencode(path)
        self._known = {b""}  # real directories: no component is a link

    def host(self, path: bytes) -> bytes:
        return join(self.path, path)

    def directory(self, path: bytes, make: Callable[[bytes], None] | None) -> bytes | None:
        """The real directory ``path`` leads to, symbolic links followed inside the root.

        ``make`` makes (each) one that is not there, or replaces a whiteout; without it the result
        is then None. Raises ArchiveError if something on the way is no directory, or for too many
        links.
        """
        if path in self._known:
            return path
        real = b""
        rest = path.split(b"/")[::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                real = real.rpartition(b"/")[0]
                continue
            here = join(real, part)
            if here not in self._known:
                target = self._look(here, make)
                if target is None:
                    return None
                if target:
                    links += 1
                    if links > _MAX_LINKS:
                        raise ArchiveError(f"too many symbolic links in {os.fsdecode(path)!r}")
                    if target.startswith(b"/"):
                        real = b""
                    rest += target.split(b"/")[::-1]
                    continue
                if len(self._known) >= _MAX_KNOWN:  # a help, not a record
                    self._known = {b""}
                self._known.add(here)
            real = here
        return real

    def _look(self, path: bytes, make: Callable[[bytes], None] | None) -> bytes | None:
        """Empty for a directory, the target of a link, None for what is not there."""
        host = self.host(path)
        try:
            status = os.lstat(host)
        except FileNotFoundError:
            status = None
        if status is None or is_whiteout(status):
            if make is None:
                return None
            make(path)
            return b""
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(host)
        if not stat.S_ISDIR(status.st_mode):
            raise ArchiveError(f"{os.fsdecode(path)!r} is not a directory")
        return b""

    def remove(self, path: bytes) -> Iterator[bytes]:
        """Remove what is at ``path``, with all that is in it; gives the directories removed."""
        try:
            os.unlink(self.host(path))
            return
        except IsADirectoryError:
            pass
        except PermissionError:  # what some file systems say of a directory
            if not stat.S_ISDIR(os.lstat(self.host(path)).st_mode):
                raise
        stack = [path]
        while stack:
            directory = stack[-1]
            subdirectories = []
            with os.scandir(self.host(directory)) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        subdirectories.append(join(directory, entry.name))
                    else:
                        os.unlink(entry.path)
            if subdirectories:
                stack += subdirectories
                continue
            os.rmdir(self.host(directory))
            self._known.discard(directory)
            yield directory
            stack.pop()


def resolve_beneath(root: str, path: str) -> str:
    """The host path of the directory that ``path`` leads to inside ``root``, links followed there.

    Raises PathError if there is no such directory. Nobody else may be writing to ``root``.
    """
    inside = Root(root)
    try:
        real = inside.directory(clean(os.fsencode(path)), None)
    except ArchiveError as error:
        raise PathError(error.message) from None
    if real is None:
        raise PathError(f"{path!r} does not exist")
    return os.fsdecode(inside.host(real))
