"""The files of packages in a form that is quick to read.

Most packages are compressed with xz, which takes seconds for a large one: as long as all the rest
of composing an image. When a package arrives its data archive is written once more with zstd,
beside the package; reading that takes a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from jettison.distroless.deb import Deb, open_deb
from jettison.distroless.model import PackageRef
from jettison.errors import NotFoundError
from jettison.model.digest import Digest, parse_digest
from jettison.model.oci import Descriptor

if TYPE_CHECKING:
    from jettison.fs.tarread import TarReader
    from jettison.store.store import Store

_FORMAT = "1"
_TYPE = "application/vnd.jettison.deb.data+zstd"
_WORTH = 128 << 10
"""Bytes of a package from which on it is worth it."""
_LEVEL = 1
_CHUNK = 1 << 20


class DataCache:
    """Data archives of packages in a store; several threads use it at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def has(self, package: PackageRef) -> bool:
        """Whether there is nothing to prepare."""
        return package.size < _WORTH or self._find(package) is not None

    def prepare(self, package: PackageRef, path: Path, check: Callable[[], None]) -> None:
        """Write the data of the package in the file ``path`` anew, unless it is there.

        ``check`` is called now and then; what it raises ends it. Raises ArchiveError and
        PackageError as `open_deb` does, StoreError.
        """
        if self.has(package):
            return
        import zstandard

        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        with open_deb(path, str(package)) as deb, self._store.blobs.writer() as blob:
            with compressor.stream_writer(cast("IO[bytes]", blob), closefd=False) as out:
                source = deb.raw_data()
                while data := source.read(_CHUNK):
                    check()
                    out.write(data)
            digest = blob.commit().digest
        self._store.cache.put(
            _key(package), (), description=f"data of {package}", parts=digest.encode()
        )

    @contextmanager
    def open(self, package: PackageRef, deb: Deb) -> Iterator[TarReader]:
        """The files of ``package``, which ``deb`` is: as `Deb.data`, from the quickest source."""
        from jettison.fs.decompress import open_decompressed
        from jettison.fs.tarread import TarReader

        found = self._find(package)
        if found is None:
            yield deb.data()
            return
        try:
            stream = self._store.blobs.open_blob(found)
        except NotFoundError:  # collected meanwhile
            yield deb.data()
            return
        with stream:
            yield TarReader(open_decompressed(stream))

    def _find(self, package: PackageRef) -> Descriptor | None:
        note = self._store.cache.explain(_key(package))
        if note is None:
            return None
        digest = parse_digest(note.parts.decode("ascii", "replace"))
        size = self._store.blobs.size(digest) if self._store.blobs.has(digest) else None
        return None if size is None else Descriptor(_TYPE, Digest(digest), size)


def _key(package: PackageRef) -> str:
    return f"deb-data {_FORMAT} {package.sha256}"
