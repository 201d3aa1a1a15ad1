"""A stack of unpacked layers, read as the one file system they make.

Layers are in the form overlayfs keeps them, with whiteouts and opaque directories (`whiteout`).
They never change, so what is learnt about them is kept.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from jettison.errors import PathError
from jettison.fs import ownership
from jettison.fs import tree as trees
from jettison.fs.below import OVERLAY_PREFIXES
from jettison.fs.tree import Entry, join, parent_of, unreadable
from jettison.fs.whiteout import is_opaque, is_whiteout

LAYER_PREFIXES = (*OVERLAY_PREFIXES, ownership.PREFIX)
"""What the extended attributes begin with that belong to the layer, not to the image."""


def empty_root() -> os.stat_result:
    """What lstat(2) would say of the root of an image without layers: a directory 0755 0:0."""
    fields: list[float | int] = [0] * 19
    fields[0] = stat.S_IFDIR | 0o755
    fields[3] = 2  # links
    return os.stat_result(fields)


class Stack:
    """The merged view of ``layers`` (directories, lowest first); a Tree.

    Safe to use from several threads.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        """Raises PathError if a layer is missing."""
        self.layers = tuple(layers)
        for layer in self.layers:
            if not os.path.isdir(layer):
                raise PathError(f"layer {layer} is missing")
        self.kept = any(map(ownership.keeps, self.layers))
        """Some files have their owners beside them (`ownership`)."""
        self._parts: dict[str, tuple[str, ...]] = {"/": tuple(_merged(reversed(self.layers)))}

    def parts(self, path: str) -> tuple[str, ...]:
        """The host directories that make up the directory at ``path``, topmost first.

        Empty if there is no directory there (a link to one is none).
        """
        unknown: list[str] = []
        while (known := self._parts.get(path)) is None:
            unknown.append(path)
            path = parent_of(path)
        for path in reversed(unknown):
            name = path.rpartition("/")[2]
            known = tuple(_merged(f"{part}/{name}" for part in known)) if known else ()
            self._parts[path] = known
        return known

    def lstat(self, path: str) -> Entry | None:
        if path == "/":
            root = self._parts["/"]
            if not root:
                return Entry("/", "", empty_root())
            return self._entry("/", root[0], os.lstat(root[0]))
        name = path.rpartition("/")[2]
        for part in self.parts(parent_of(path)):
            real = f"{part}/{name}"
            st = _lstat(real, path)
            if st is not None:
                return None if is_whiteout(st) else self._entry(path, real, st)
        return None

    def children(self, path: str) -> list[Entry]:
        parts = self.parts(path)
        found: dict[str, Entry | None] = {}
        base = "" if path == "/" else path
        for part in parts:
            try:
                with os.scandir(part) as names:
                    for item in names:
                        name = item.name
                        if name not in found:
                            st = item.stat(follow_symlinks=False)
                            gone = is_whiteout(st)
                            found[name] = (
                                None if gone else self._entry(f"{base}/{name}", item.path, st)
                            )
            except OSError as error:
                raise unreadable(path, error) from None
        return [entry for _, entry in sorted(found.items()) if entry is not None]

    def _entry(self, path: str, real: str, st: os.stat_result) -> Entry:
        return Entry(path, real, ownership.owned(real, st) if self.kept else st)

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        return trees.resolve(self.lstat, path, follow_last=follow_last)

    def walk(self, path: str = "/") -> Iterator[Entry]:
        return trees.walk(self, path)

    def explain_missing(self, path: str) -> str | None:
        return None

    def read_bytes(self, path: str, limit: int) -> bytes | None:
        """The content of the regular file that ``path`` leads to; None if there is none.

        Raises PathError if it has more than ``limit`` bytes.
        """
        return read_bytes(self, path, limit)


def read_bytes(tree: trees.Tree, path: str, limit: int) -> bytes | None:
    """The content of the regular file ``path`` leads to in any tree; see `Stack.read_bytes`."""
    entry = tree.lstat(tree.resolve(path))
    if entry is None or not entry.is_file:
        return None
    try:
        with open(entry.real, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > limit:
        raise PathError(f"{join('/', path.lstrip('/'))} has more than {limit} bytes")
    return data


def _merged(candidates: Iterator[str]) -> Iterator[str]:
    """Of the same path in each layer, topmost first: the directories that overlayfs merges."""
    above = None
    for candidate in candidates:
        try:
            st = os.lstat(candidate)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        except OSError as error:
            raise unreadable(candidate, error) from None
        if not stat.S_ISDIR(st.st_mode):
            return
        if above is not None and is_opaque(above):
            return
        above = candidate
        yield candidate


def _lstat(real: str, path: str) -> os.stat_result | None:
    try:
        return os.lstat(real)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return None
    except OSError as error:
        raise unreadable(path, error) from None
