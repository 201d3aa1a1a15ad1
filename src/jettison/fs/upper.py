"""The layer being made: files are written into an *upper* directory, seen on top of what is below.

It does by hand what overlayfs does for a mounted root file system: before something is made in a
directory that exists only below, the directory is copied up, that is, made in the upper with the
same mode, owner, time and extended attributes.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator

from jettison.errors import JettisonError, PathError, StoreError
from jettison.fs import ownership
from jettison.fs import tree as trees
from jettison.fs.ownership import Owners
from jettison.fs.stack import LAYER_PREFIXES, Stack
from jettison.fs.tree import Entry, parent_of, unreadable
from jettison.fs.whiteout import make_whiteout, set_opaque
from jettison.fs.write import Attributes, apply, set_mtime


class Upper:
    """A new layer in the empty ``directory``, on top of ``below``; also the Tree of both.

    Paths are clean, and unless said otherwise their parents are resolved already. The root of the
    layer gets mode, owner and time of the root below. What is written raises PathError, or
    StoreError if the disk is full. Not safe to use from several threads at once.
    """

    def __init__(self, below: Stack, directory: str) -> None:
        self.below = below
        self.directory = directory
        self.linked: set[tuple[int, int]] = set()
        """Device and inode of the files of other layers that are hard-linked into this one."""
        self.owners = Owners(directory)
        self._directories = {"/"}
        self._opaque: set[str] = set()
        root = below.lstat("/")
        assert root is not None
        with writing("/"):
            if below.kept:
                self.owners.mark()  # what overlayfs copies up brings its owners along
            copy_metadata(root, directory, self.owners)

    # Reading

    def lstat(self, path: str) -> Entry | None:
        real = self.real(path)
        try:
            st = os.lstat(real)
            return Entry(path, real, ownership.owned(real, st) if self.owners.kept else st)
        except FileNotFoundError:
            return None if self._hides_below(path) else self.below.lstat(path)
        except (NotADirectoryError, ValueError):
            return None
        except OSError as error:
            raise unreadable(path, error) from None

    def children(self, path: str) -> list[Entry]:
        found: dict[str, Entry] = {}
        entry = self.lstat(path)
        if entry is None or not entry.is_dir:
            return []
        if path not in self._opaque and not self._hides_below(path):
            found.update((child.name, child) for child in self.below.children(path))
        if path in self._directories:
            for name in os.listdir(self.real(path)):
                child = self.lstat(trees.join(path, name))
                if child is not None:
                    found[name] = child
        return [child for _, child in sorted(found.items())]

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        return trees.resolve(self.lstat, path, follow_last=follow_last)

    def walk(self, path: str = "/") -> Iterator[Entry]:
        return trees.walk(self, path)

    def explain_missing(self, path: str) -> str | None:
        return None

    def real(self, path: str) -> str:
        """Where a path of the layer is on the host."""
        return self.directory + path if path != "/" else self.directory

    # Directories

    def make_dirs(
        self, path: str, *, owner: tuple[int, int], mode: int, mtime: int | None = None
    ) -> str:
        """Have a directory at ``path`` (any path; its links are followed), with all its parents.

        Those that are missing get ``owner``, ``mode`` and ``mtime`` (seconds; None: now), others
        stay as they are. Returns the resolved path. Raises PathError if a file is in the way.
        """
        where = self.resolve(trees.clean(path))
        missing: list[str] = []
        at = where
        while (entry := self.lstat(at)) is None:
            missing.append(at)
            at = parent_of(at)
        if not entry.is_dir:
            raise PathError(f"mkdir {at}: not a directory")
        want = Attributes(mode, *owner)
        for new in reversed(missing):
            self.make_dir(new, want)
        if mtime is not None:
            for new in missing:
                with writing(new):
                    set_mtime(self.real(new), mtime * 1_000_000_000)
        return where

    def make_dir(self, path: str, want: Attributes) -> None:
        """A new directory, where there is nothing or something that is no directory."""
        self.copy_up(parent_of(path))
        real = self.real(path)
        with writing(path):
            try:
                os.mkdir(real, 0o700)
            except FileExistsError:
                os.unlink(real)
                os.mkdir(real, 0o700)
            if not self._hides_below(path) and self.below.parts(path):
                # It was hidden by what the directory replaces, and must not come back.
                set_opaque(real)
                self._opaque.add(path)
            apply(real, want, self.owners)
        self._directories.add(path)

    def copy_up(self, path: str) -> str:
        """Have the existing directory at ``path`` in the layer; returns where it is."""
        missing: list[str] = []
        at = path
        while at not in self._directories:
            missing.append(at)
            at = parent_of(at)
        for new in reversed(missing):
            entry = self.below.lstat(new)
            if entry is None or not entry.is_dir:
                raise PathError(f"{new}: not a directory")
            above, real = self.real(parent_of(new)), self.real(new)
            with writing(new):
                # To users nothing changed yet, so the parent keeps its time.
                before = os.lstat(above).st_mtime_ns
                os.mkdir(real, 0o700)
                copy_metadata(entry, real, self.owners)
                set_mtime(above, before)
            self._directories.add(new)
        return self.real(path)

    # Everything else

    def put(self, path: str, create: Callable[[str], None], *, replace_dir: bool = False) -> None:
        """Let ``create`` make what is no directory at ``path``, replacing what is no directory.

        ``create`` is given the host path, and called again after what is there was removed if it
        raises FileExistsError or IsADirectoryError. ``replace_dir``: remove directories as well,
        instead of raising PathError.
        """
        above = parent_of(path)
        self.copy_up(above)
        real = self.real(path)
        if not replace_dir and self.below.parts(above):
            hidden = self.below.lstat(path)
            if hidden is not None and hidden.is_dir and self._is_dir(path):
                raise _cannot_replace(path)
        with writing(path):
            try:
                create(real)
            except (FileExistsError, IsADirectoryError):
                if stat.S_ISDIR(os.lstat(real).st_mode):
                    if not replace_dir:
                        raise _cannot_replace(path) from None
                    self._remove_dir(path)
                else:
                    os.unlink(real)
                create(real)

    def whiteout(self, path: str) -> None:
        """Hide what is below at ``path``, where the layer has nothing."""
        self.copy_up(parent_of(path))
        with writing(path):
            make_whiteout(self.real(path))

    def _is_dir(self, path: str) -> bool:
        entry = self.lstat(path)
        return entry is not None and entry.is_dir

    def _remove_dir(self, path: str) -> None:
        shutil.rmtree(self.real(path))
        gone = {d for d in self._directories if d == path or d.startswith(path + "/")}
        self._directories -= gone
        self._opaque -= gone

    def _hides_below(self, path: str) -> bool:
        """Whether a directory above ``path`` was made anew in place of one below."""
        if not self._opaque:
            return False
        while path != "/":
            path = parent_of(path)
            if path in self._opaque:
                return True
        return False


class writing:  # noqa: N801 -- a context manager, read as a statement
    """Turns what the host refuses while ``path`` is written into errors of the tree."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _write_error(self._path, error) from error


def _write_error(path: str, error: OSError) -> JettisonError:
    reason = os.strerror(error.errno or 0)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"cannot write {path}: {reason}", hint="free some space: jettison prune")
    hint = None
    if error.errno == errno.EPERM:
        hint = "without root no device can be made; `jettison doctor` says what this host allows"
    elif error.errno == errno.EOPNOTSUPP:
        hint = "the store's file system must have extended attributes: set JETTISON_ROOT"
    return PathError(f"cannot write {path}: {reason}", hint=hint)


def _cannot_replace(path: str) -> PathError:
    return PathError(f"cannot replace to directory {path} with file")


def copy_metadata(entry: Entry, real: str, owners: Owners) -> None:
    """Give a directory the metadata of another: owner, mode, xattrs but those of layers, time."""
    if entry.real:
        for name in os.listxattr(entry.real, follow_symlinks=False):
            if not name.startswith(LAYER_PREFIXES):
                _copy_xattr(entry.real, real, name)
    mtime_ns = entry.mtime_ns if entry.real else None
    apply(real, Attributes(entry.mode, entry.uid, entry.gid, mtime_ns), owners)


def _copy_xattr(source: str, real: str, name: str) -> None:
    try:
        value = os.getxattr(source, name, follow_symlinks=False)
        os.setxattr(real, name, value, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENODATA):
            raise
