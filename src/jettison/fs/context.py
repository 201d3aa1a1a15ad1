"""A build context: a directory of the client, seen through its .dockerignore.

An ignored file is not there; an ignored directory is there as long as something in it is not
ignored. Links are matched by their own name and never followed on the host. What was listed once
is kept: all steps of a build see the same files with the same modes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from jettison.errors import PathError
from jettison.fs import tree as trees
from jettison.fs.patterns import MatchState, PatternList
from jettison.fs.tree import Entry, parent_of, unreadable


class ContextTree:
    """The Tree of what a build may take from the directory ``root``.

    Safe to use from several threads. Raises PathError if ``root`` is no directory.
    """

    def __init__(self, root: str, ignore: PatternList | None = None) -> None:
        self.root = os.path.realpath(root)
        self._base = self.root if self.root != "/" else ""
        self._ignore = ignore if ignore is not None and ignore.patterns else None
        self._states: dict[str, MatchState | None] = {"/": ignore.start if ignore else ()}
        self._listed: dict[str, list[Entry]] = {}
        if not os.path.isdir(self.root):
            raise PathError(f"{root} is not a directory")

    def lstat(self, path: str) -> Entry | None:
        if path == "/":
            return Entry("/", self.root, os.lstat(self.root))
        above = self._state(parent_of(path))
        st = self._stat(path) if above is not None else None
        if above is None or st is None:
            return None
        if self._ignore is not None and self._ignore.match(path[1:], above)[0]:
            shown = stat.S_ISDIR(st.st_mode) and self._shows_something(path)
            if not shown:
                return None
        return Entry(path, self._base + path, st)

    def children(self, path: str) -> list[Entry]:
        listed = self._listed.get(path)
        if listed is None:
            state = self._state(path)
            listed = [] if state is None else sorted(self._scan(path, state), key=_by_path)
            self._listed[path] = listed
        return listed

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        return trees.resolve(self.lstat, path, follow_last=follow_last)

    def walk(self, path: str = "/") -> Iterator[Entry]:
        return trees.walk(self, path)

    def explain_missing(self, path: str) -> str | None:
        if self._ignore is None or not os.path.lexists(self._base + path):
            return None
        pattern = self._ignore.deciding(path[1:])
        if pattern is None:
            return None
        return f"it is excluded by {pattern.text!r} in the ignore file of the build context"

    def _scan(self, path: str, state: MatchState) -> Iterator[Entry]:
        base = "" if path == "/" else path
        ignore = self._ignore
        try:
            with os.scandir(self._base + path) as items:
                for item in items:
                    child = f"{base}/{item.name}"
                    if ignore is not None:
                        is_dir = item.is_dir(follow_symlinks=False)
                        covered, below = ignore.match(child[1:], state)
                        if is_dir:
                            self._states[child] = below
                        if covered and not (is_dir and self._shows_something(child)):
                            continue
                    try:
                        yield Entry(child, item.path, item.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue  # removed since the directory was read
        except OSError as error:
            raise unreadable(path, error) from None

    def _shows_something(self, directory: str) -> bool:
        """Whether anything in an ignored directory is re-included."""
        ignore, state = self._ignore, self._state(directory)
        assert ignore is not None
        pending = [(directory, state)]
        while pending:
            path, state = pending.pop()
            if state is None or not ignore.may_match_below(path[1:], negated=True):
                continue
            try:
                with os.scandir(self._base + path) as items:
                    found = [(i.name, i.is_dir(follow_symlinks=False)) for i in items]
            except OSError as error:
                raise unreadable(path, error) from None
            for name, is_dir in found:
                child = f"{path}/{name}"
                covered, below = ignore.match(child[1:], state)
                if not covered:
                    return True
                if is_dir:
                    pending.append((child, below))
        return False

    def _state(self, path: str) -> MatchState | None:
        """What the patterns say of the directory at ``path``; None if there is none."""
        unknown: list[str] = []
        while path not in self._states:
            unknown.append(path)
            path = parent_of(path)
        state = self._states[path]
        for path in reversed(unknown):
            st = self._stat(path) if state is not None else None
            if state is None or st is None or not stat.S_ISDIR(st.st_mode):
                state = None
            elif self._ignore is not None:
                state = self._ignore.match(path[1:], state)[1]
            self._states[path] = state
        return state

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(self._base + path)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in it
            return None
        except OSError as error:
            raise unreadable(path, error) from None


def _by_path(entry: Entry) -> str:
    return entry.path
