"""Whether an unpacked layer is as it was when it was committed.

A layer never changes, so whatever in it was written after its commit is damage. That needs one
lstat(2) a file. Beyond that, layers that were exported have a digest: written as a tar again they
must give the same one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator

from jettison.errors import JettisonError
from jettison.store.database import Database
from jettison.store.layers import Layers

_SLACK = 2.0  # seconds; clocks of file systems may lag, and count in twos


class LayerCheck:
    """Looks at one layer after the other."""

    def __init__(self, layers: Layers, database: Database, skip: set[str]) -> None:
        self._layers = layers
        self._database = database
        self._skip = skip

    def problem(self, layer: str, *, deep: bool) -> str:
        """What is wrong with the layer; empty if nothing is."""
        if layer in self._skip:
            return ""
        path = self._layers.path(layer)
        try:
            status = path.lstat()
        except FileNotFoundError:  # pruned just now
            return ""
        if not path.is_dir() or path.is_symlink():
            return "is no directory"
        born = self._layers.committed_at(layer) or status.st_ctime
        if changed := _changed_since(os.fspath(path), born + _SLACK, time.time() + _SLACK):
            return f"{changed} was changed after the layer was made"
        return self._content_problem(layer) if deep else ""

    def _content_problem(self, layer: str) -> str:
        """Whether the layer still gives the tar that it was exported as, on some of what it may
        have been made on: layers of COPY --link on nothing, others on what records have below them.
        """
        if self._layers.is_base(layer):
            return ""  # unpacked from a blob, which says it in its own way
        exported = self._database.row(
            "SELECT diff_id, compression FROM layer_blobs WHERE layer = ?", (layer,)
        )
        if exported is None:
            return ""
        _, _, clamp = exported[1].partition("@")  # as export.layers remembers it
        tried = False
        for below in self._grounds(layer):
            try:
                found = self._tar_digest(layer, below, int(clamp) if clamp else None)
            except (JettisonError, OSError) as error:
                return f"cannot be read: {error}"
            if found == exported[0]:
                return ""
            tried = True
        return "does not have the content that it was exported with" if tried else ""

    def _grounds(self, layer: str) -> Iterator[tuple[str, ...]]:
        grounds: dict[tuple[str, ...], None] = {}
        for (text,) in self._database.rows("SELECT layers FROM records"):
            layers = tuple(text.split())
            if layers and layers[-1] == layer and not self._layers.missing(layers[:-1]):
                grounds[layers[:-1]] = None
        if grounds:
            grounds[()] = None
        yield from grounds

    def _tar_digest(self, layer: str, below: tuple[str, ...], clamp: int | None) -> str:
        from jettison.fs.stack import Stack
        from jettison.fs.tarwrite import write_layer

        out = _Hash()
        stack = Stack([os.fspath(self._layers.path(lower)) for lower in below])
        write_layer(os.fspath(self._layers.path(layer)), out, below=stack, clamp_mtime=clamp)
        return out.digest()


class _Hash:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self._hash.update(data)
        return len(data)

    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def _changed_since(top: str, born: float, now: float) -> str:
    """The first path below ``top`` that was written after ``born``; empty if there is none.

    Hard links to a file change its ctime, and a step may have given it an mtime in the future:
    written is what has both since then.
    """
    pending = [top]
    while pending:
        directory = pending.pop()
        if _is_new(os.lstat(directory), born, now):
            return _shown(directory, top)
        with contextlib.suppress(PermissionError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif _is_new(entry.stat(follow_symlinks=False), born, now):
                    return _shown(entry.path, top)
    return ""


def _is_new(status: os.stat_result, born: float, now: float) -> bool:
    return status.st_ctime > born and born < status.st_mtime <= now


def _shown(path: str, top: str) -> str:
    return path[len(top) :] or "/"
