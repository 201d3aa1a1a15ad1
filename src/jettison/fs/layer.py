"""Unpacking an image layer into the form overlayfs wants.

OCI image spec, layer.md "Whiteouts" and "Applying Changesets"; kernel documentation,
filesystems/overlayfs "whiteouts and opaque directories".
"""

from __future__ import annotations

import os
import stat

from jettison.errors import ArchiveError
from jettison.fs.below import Below
from jettison.fs.confine import clean
from jettison.fs.decompress import Readable
from jettison.fs.extract import Extractor, Limits, Unpacked, guarded
from jettison.fs.tarread import TarReader
from jettison.fs.whiteout import is_whiteout, make_whiteout, set_opaque

_PREFIX = b".wh."
_META = b".wh..wh."
_OPAQUE_NAME = b".wh..wh..opq"


def unpack_layer(
    stream: Readable,
    dest_dir: str,
    below: Below | None = None,
    *,
    limits: Limits | None = None,
    xattr_prefix: str = "trusted",
) -> Unpacked:
    """Unpack a layer tar (decompressed) into the empty directory ``dest_dir``, in overlay form.

    Removed files become character devices 0:0, opaque directories get the extended attribute
    ``<xattr_prefix>.overlay.opaque``: prefix ``trusted`` as root, ``user`` in a user namespace,
    where device nodes are skipped and recorded, as containerd does. Order does not matter: a
    whiteout hides only what lies below, never what the same layer brings. ``stream`` is read to
    its end. ``below`` is what the layer lies on; if it is not known, marks are made for things
    that may not be there.

    Raises ArchiveError for a malformed, truncated or hostile layer or one over ``limits``,
    StoreError if the disk is full; ``dest_dir`` then holds a part of it, to be thrown away.
    """
    layer = _Layer(dest_dir, below, limits or Limits(), xattr_prefix)
    reader = TarReader(stream)
    while (member := reader.next()) is not None:
        name = clean(member.name)
        base = name.rpartition(b"/")[2]
        if not name:
            continue
        if not base.startswith(_PREFIX):
            layer.extractor.create(member, layer.extractor.place(name, member.mtime_ns), reader)
        elif base == _OPAQUE_NAME:
            layer.hide_directory(name, member.mtime_ns)
        elif not base.startswith(_META):  # the rest are aufs' own notes
            layer.hide(name, member.mtime_ns)
    reader.drain()
    return layer.finish()


class _Layer:
    def __init__(self, dest_dir: str, below: Below | None, limits: Limits, prefix: str) -> None:
        self._prefix = prefix
        self._below = below
        self._root_hidden = False
        self._whiteouts: list[bytes] = []
        self._opaque: set[bytes] = set()  # host paths
        self.extractor = Extractor(
            dest_dir,
            limits,
            below=below,
            replaced=self._mark,
            in_user_namespace=prefix == "user",
        )

    def _mark(self, host: bytes) -> None:
        if self._prefix == "user":
            os.setxattr(host, "user.overlay.opaque", b"y")
        else:
            set_opaque(host)
        self._opaque.add(host)

    def hide(self, name: bytes, mtime_ns: int) -> None:
        """``.wh.NAME``: remove NAME of the layers below."""
        base = name.rpartition(b"/")[2].removeprefix(_PREFIX)
        if base in (b"", b".", b".."):
            raise ArchiveError(f"the layer has a whiteout of no file, {os.fsdecode(name)!r}")
        self.extractor.count(0)
        path = self.extractor.place(name, mtime_ns).removesuffix(_PREFIX + base) + base
        with guarded(path):
            self._hide(path)

    def _hide(self, path: bytes) -> None:
        if self._below is not None and self._below.lstat("/" + os.fsdecode(path)) is None:
            return
        host = self.extractor.root.host(path)
        try:
            make_whiteout(host)
            self.extractor.remember(path)
            self._whiteouts.append(path)
        except FileExistsError:
            # What this layer has there hides the old file by being there; a directory would be
            # merged with the old one.
            if stat.S_ISDIR(os.lstat(host).st_mode):
                self._mark(host)

    def hide_directory(self, name: bytes, mtime_ns: int) -> None:
        """``.wh..wh..opq``: remove what the layers below have in the directory it is in."""
        self.extractor.count(0)
        path = self.extractor.place(name, mtime_ns).rpartition(b"/")[0]
        with guarded(path):
            if path:
                self._mark(self.extractor.root.host(path))
            else:
                self._root_hidden = True

    def finish(self) -> Unpacked:
        if self._root_hidden and self._below is not None:
            # overlayfs knows no opaque root: each name is hidden by itself.
            for found in self._below.children("/"):
                name = os.fsencode(found.path[1:])
                with guarded(name):
                    self._hide(name)
        self._drop_idle_whiteouts()
        return self.extractor.finish()

    def _drop_idle_whiteouts(self) -> None:
        """Remove the whiteouts in opaque directories, which hide nothing any more.

        overlayfs lists whiteouts in directories it does not merge, though they cannot be opened.
        """
        for path in self._whiteouts if self._opaque else ():
            host = self.extractor.root.host(path)
            parents = path.split(b"/")[:-1]
            above = (b"/".join(parents[: n + 1]) for n in range(len(parents)))
            if any(self.extractor.root.host(parent) in self._opaque for parent in above):
                with guarded(path):
                    if os.path.lexists(host) and is_whiteout(os.lstat(host)):
                        os.unlink(host)
