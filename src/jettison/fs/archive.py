"""ADD's local archives and tar build contexts: plain trees from tars of any compression.

What counts as an archive, and what becomes of its members, is as in BuildKit
(solver/llbsolver/file/unpack.go with moby's go-archive).
"""

from __future__ import annotations

import os
import stat

from jettison.errors import ArchiveError
from jettison.fs.below import Below
from jettison.fs.confine import clean
from jettison.fs.decompress import Readable, open_decompressed
from jettison.fs.extract import Extractor, Limits, Unpacked, guarded
from jettison.fs.tarformat import CHARACTER
from jettison.fs.tarread import TarReader


def is_archive(path: str) -> bool:
    """Whether ADD unpacks the file: a tar with at least one member, compressed or not.

    Only content counts, never the name; an empty tar is no archive. A symbolic link is none
    either: resolve it first. What cannot be read is none, as in BuildKit: copying it says why.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb", buffering=0) as file:
            return TarReader(open_decompressed(file)).next() is not None
    except (ArchiveError, OSError):
        return False


def unpack_archive(
    path: str,
    dest_dir: str,
    *,
    below: Below | None = None,
    limits: Limits | None = None,
    in_user_namespace: bool = False,
) -> Unpacked:
    """Unpack a local archive for ADD into the empty directory ``dest_dir``, as a plain tree.

    Members keep owner, mode, time and extended attributes; ``.wh.`` names are ordinary files.
    Names are taken as if ``dest_dir`` were the root: ``..``, leading slashes and symbolic links
    never lead out of it. Directories that no member stands for are 0755 0:0 and listed in the
    result's ``implied``, since they must not change directories they are merged with. ``below``
    shows what the tree will be laid on, with the destination as its root, for hard links into it.

    Raises ArchiveError if the archive is malformed, truncated, hostile or over ``limits``.
    """
    with guarded(os.fsencode(path)), open(path, "rb", buffering=0) as file:
        extractor = Extractor(
            dest_dir, limits or Limits(), below=below, in_user_namespace=in_user_namespace
        )
        return _unpack(file, extractor)


def unpack_context(
    stream: Readable, dest_dir: str, *, owners: bool = False, limits: Limits | None = None
) -> Unpacked:
    """Unpack a build context, a tar of any compression, into the empty directory ``dest_dir``.

    Everything belongs to the calling user, who need not be root, unless ``owners`` keeps those of
    the archive. Device nodes that cannot be made are left out. Raises ArchiveError if it is no tar,
    or is malformed, truncated, hostile or over ``limits``.
    """
    extractor = Extractor(dest_dir, limits or Limits(), owners=owners, in_user_namespace=True)
    return _unpack(stream, extractor)


def _unpack(stream: Readable, extractor: Extractor) -> Unpacked:
    reader = TarReader(open_decompressed(stream))
    while (member := reader.next()) is not None:
        name = clean(member.name)
        if not name:
            continue
        if member.type == CHARACTER and member.major == member.minor == 0:
            # overlayfs refuses to make one too: it would remove the file below it.
            raise ArchiveError(f"{os.fsdecode(name)!r} is a character device 0:0")
        extractor.create(member, extractor.place(name, member.mtime_ns), reader)
    reader.drain()
    return extractor.finish()
