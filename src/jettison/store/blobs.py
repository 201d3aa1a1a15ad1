"""``blobs/<algorithm>/<hex>``: content by digest, verified as it is written."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from jettison.errors import ImageError, NotFoundError
from jettison.model.digest import Digest, algorithm_of, hex_of, parse_digest, sha256_digest
from jettison.model.oci import Descriptor
from jettison.model.source import BlobSource, ResumableSource
from jettison.store.faults import store_faults
from jettison.store.lease import Leases, blob_mark
from jettison.store.partial import Partial
from jettison.store.paths import Paths
from jettison.store.staging import Staging

_CHUNK = 1 << 18


class Blob(NamedTuple):
    """What was written: its digest and its size in bytes."""

    digest: Digest
    size: int


class Readable(Protocol):
    """What blobs are ingested from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Blobs:
    """The blobs of a store; also a `model.source.BlobSource`."""

    def __init__(self, paths: Paths, staging: Staging, leases: Leases) -> None:
        self._root = paths.blobs
        self._staging = staging
        self._leases = leases
        self._used: set[Digest] = set()
        self.made = False
        """Whether this process wrote any."""

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._root / algorithm_of(digest) / hex_of(digest)

    def has(self, digest: Digest, size: int | None = None) -> bool:
        """Whether the blob is here; if so a lease of this process now keeps it.

        With ``size``: and has as many bytes. One that has not is damaged, and counts as missing,
        so that it is made again.
        """
        with self._leases.using(blob_mark(digest)):
            found = self.size(digest)
            here = found is not None and size in (None, found)
        if here:
            self._used.add(digest)
        return here

    def size(self, digest: Digest) -> int | None:
        """The size of the blob in bytes; None if it is not here."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """Open the blob for reading.

        Raises NotFoundError if it is not here, ImageError if it has another size than it should.
        """
        digest = parse_digest(descriptor.digest)
        with self._leases.using(blob_mark(digest)), store_faults("cannot read a blob"):
            try:
                stream = self.path(digest).open("rb")
            except FileNotFoundError:
                raise NotFoundError(f"blob {digest} is not in the store") from None
        self._used.add(digest)
        size = os.fstat(stream.fileno()).st_size
        if size != descriptor.size:
            stream.close()
            raise ImageError(f"blob {digest} has {size} bytes instead of {descriptor.size}")
        return stream

    def ingest(
        self,
        stream: Readable,
        *,
        digest: Digest | None = None,
        size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Blob:
        """Write everything ``stream`` gives as a blob.

        ``progress`` is told the bytes written so far; what it raises ends the writing. Raises
        ImageError, and keeps nothing, as soon as there are more bytes than ``size``, or if at the
        end there are fewer, or they do not have ``digest``.
        """
        with self.writer(digest=digest, size=size) as writer:
            _copy(stream, writer, progress)
            return writer.commit()

    def fetch(
        self,
        descriptor: Descriptor,
        source: BlobSource,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Have a blob of ``source`` here.

        Somebody else who fetches it already, in this process or another, is waited for. What
        arrives before a failure is kept, and the next fetch goes on from there if the source can
        (`ResumableSource`). ``progress`` is told the bytes that are here, also while waiting;
        what it raises ends the fetch. Raises ImageError if the bytes are not those of the
        descriptor (then none are kept), and what the source raises.
        """
        digest = parse_digest(descriptor.digest)

        def waiting() -> None:
            if progress is not None:
                progress(0)

        with self._staging.partial(digest, waiting) as partial:
            if self.has(digest) and self.size(digest) == descriptor.size:
                partial.drop()
                return
            if not isinstance(source, ResumableSource):
                partial.clear()
            may_repeat = isinstance(source, ResumableSource) and source.may_differ()
            may_repeat |= partial.size > 0
            try:
                self._download(partial, descriptor, source, progress)
            except ImageError:
                if not may_repeat:
                    raise
                # What was kept may have been spoilt (by a crash of the machine), or a mirror lies.
                self._download(partial, descriptor, source, progress)

    def _download(
        self,
        partial: Partial,
        descriptor: Descriptor,
        source: BlobSource,
        progress: Callable[[int], None] | None,
    ) -> None:
        writer = BlobWriter(
            self, partial.fd, partial.path, descriptor.digest, descriptor.size,
            begun=partial.begin(descriptor.size), written=partial.size,
        )  # fmt: skip
        try:
            if writer.written < descriptor.size:
                with _open_from(source, descriptor, writer.written) as stream:
                    _copy(stream, writer, progress)
            writer.commit()
        except ImageError:
            partial.clear()
            raise

    def ingest_bytes(self, data: bytes) -> Blob:
        """Write a small blob, unless it is here."""
        digest = sha256_digest(data)
        if self.has(digest) and self.size(digest) == len(data):
            return Blob(digest, len(data))
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    @contextmanager
    def writer(
        self, *, digest: Digest | None = None, size: int | None = None
    ) -> Iterator[BlobWriter]:
        """A blob to be written; without ``commit`` nothing is kept."""
        fd, path = self._staging.file()
        writer = BlobWriter(self, fd, path, digest, size)
        try:
            yield writer
        finally:
            if not writer.committed:
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                os.close(fd)

    def flush(self) -> None:
        """Write down which blobs were used: in the times of their files."""
        while self._used:
            with contextlib.suppress(OSError):
                os.utime(self.path(self._used.pop()))

    def _adopt(self, draft: Path, blob: Blob) -> None:
        """Give a finished, synced draft its name."""
        target = self.path(blob.digest)
        with self._leases.using(blob_mark(blob.digest)), store_faults("cannot write a blob"):
            if self.size(blob.digest) == blob.size:
                draft.unlink()
                return
            target.parent.mkdir(exist_ok=True)
            os.rename(draft, target)
            self.made = True


class BlobWriter:
    """A file-like object that hashes what is written to it."""

    def __init__(
        self,
        blobs: Blobs,
        fd: int,
        path: Path,
        digest: Digest | None,
        size: int | None,
        *,
        begun: hashlib._Hash | None = None,
        written: int = 0,
    ) -> None:
        """``begun`` is the hash of the ``written`` bytes that the file holds already."""
        self._blobs = blobs
        self._fd = fd
        self._path = path
        self._expected = digest
        self._size = size
        self._algorithm = algorithm_of(digest) if digest else "sha256"
        self._hash = begun or hashlib.new(self._algorithm)
        self.written = written
        self.committed = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append ``data``; raises ImageError beyond the expected size, StoreError if it fails."""
        view = memoryview(data).cast("B")
        length = len(view)
        self.written += length
        if self._size is not None and self.written > self._size:
            raise ImageError(f"{self._name} has more than the {self._size} bytes it should have")
        self._hash.update(view)
        with store_faults("cannot write a blob", self._path):
            while view:
                view = view[os.write(self._fd, view) :]
        return length

    def flush(self) -> None:
        """Nothing is buffered; file objects wrapped around the writer ask for it."""

    def commit(self) -> Blob:
        """Verify, sync and name the blob; returns what it is.

        Raises ImageError if size or digest are not as expected.
        """
        digest = Digest(f"{self._algorithm}:{self._hash.hexdigest()}")
        if self._size is not None and self.written != self._size:
            raise ImageError(
                f"{self._name} ends after {self.written} bytes instead of {self._size}"
            )
        if self._expected is not None and digest != self._expected:
            raise ImageError(f"{self._name} has digest {digest}")
        with store_faults("cannot write a blob", self._path):
            os.fsync(self._fd)
        blob = Blob(digest, self.written)
        self._blobs._adopt(self._path, blob)
        self.committed = True
        return blob

    @property
    def _name(self) -> str:
        return f"blob {self._expected}" if self._expected else "the blob"


def _copy(stream: Readable, writer: BlobWriter, progress: Callable[[int], None] | None) -> None:
    while data := stream.read(_CHUNK):
        writer.write(data)
        if progress is not None:
            progress(writer.written)


def _open_from(source: BlobSource, descriptor: Descriptor, offset: int) -> IO[bytes]:
    if offset and isinstance(source, ResumableSource):
        return source.open_blob_from(descriptor, offset)
    return source.open_blob(descriptor)
