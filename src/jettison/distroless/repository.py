"""Archives -> one index of packages, through verified Release and Packages files.

What was fetched is kept in the store: each index as a small database, found by the hash of the
Packages file it is made of, and the last Release of each suite, for offline use and to notice when
an archive goes back in time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from jettison.distroless.fetch import Fetcher, FileSource, Transport
from jettison.distroless.model import Archive, ArchiveState
from jettison.distroless.suite import SignedRelease, Suite, fetch_release, verify_release
from jettison.distroless.trust import load_certificates
from jettison.errors import DistrolessError, FetchError, ImageError, NotFoundError, TrustError
from jettison.model.digest import Digest, parse_digest
from jettison.model.event import Observer, StepProgress, Warned
from jettison.model.oci import Descriptor
from jettison.store.blobs import Blob

if TYPE_CHECKING:
    from jettison.distroless.index import Index
    from jettison.packages.debindex import Readable
    from jettison.packages.debrelease import IndexFile
    from jettison.store.store import Store

INDEX_TYPE = "application/vnd.jettison.deb.index"
_MAX_INDEX = 2 << 30
_MAX_RATIO = 200


class _Remembered(Struct):
    """The last verified Release of a suite: blobs of it and of its signature, and its date."""

    release: Blob
    signature: Blob | None
    date: str


class Repository:
    """The archives of a spec, at one moment.

    ``now`` is the time that dates are checked against; ``etc`` and ``keyrings`` are apt's
    configuration and the system's keyrings. With ``offline`` only what is in the store, and in
    archives of this machine, is used.
    """

    def __init__(
        self,
        store: Store,
        archives: Sequence[Archive],
        transport: Transport,
        now: datetime,
        observer: Observer,
        *,
        cancel: threading.Event | None = None,
        offline: bool = False,
        etc: Path = Path("/etc/apt"),
        keyrings: Path = Path("/usr/share/keyrings"),
    ) -> None:
        self._store = store
        self._archives = tuple(archives)
        self._fetcher = Fetcher(transport, cancel or threading.Event(), offline=offline)
        self._now = now
        self._observer = observer
        self._etc = etc
        self._keyrings = keyrings
        self._suites: dict[int, Suite] = {}

    def states(self) -> tuple[ArchiveState, ...]:
        """What the archives are at, in their order. Raises as `index` does."""
        return tuple(self._suite(number).state for number in range(len(self._archives)))

    def index(self, architecture: str) -> Index:
        """All packages for ``architecture``; the caller closes it.

        Raises TrustError for what is not signed, stale or tampered with, FetchError,
        DistrolessError if no archive has the architecture, PackageError.
        """
        from jettison.distroless.index import Index

        parts = []
        for number, archive in enumerate(self._archives):
            if archive.architectures and architecture not in archive.architectures:
                continue
            suite = self._suite(number)
            known = suite.release.architectures
            if known and architecture not in known:
                self._observer.emit(
                    Warned("ArchitectureMissing", f"{archive.name} has nothing for {architecture}")
                )
                continue
            for component in archive.components:
                parts.append((number, self._part(suite, component, architecture)))
        if not parts:
            raise DistrolessError(
                f"no archive is given that has packages for {architecture}",
                hint=f"name one: deb [arch={architecture}] ADDRESS SUITE COMPONENT (Ubuntu has an "
                "archive of its own for other than amd64 and i386, ports)",
            )
        return Index(architecture, parts)

    # ---------------------------------------------------------------- release files

    def _suite(self, number: int) -> Suite:
        if number not in self._suites:
            self._suites[number] = self._verified(self._archives[number])
        return self._suites[number]

    def _verified(self, archive: Archive) -> Suite:
        key = f"deb-release {archive.url} {archive.suite}"
        known = self._recall(key)
        if self._fetcher.offline and not archive.url.startswith("file:"):
            signed = self._kept(archive, known)
        else:
            signed = fetch_release(archive, self._fetcher)
        suite = verify_release(
            archive,
            signed,
            lambda: load_certificates(archive, self._etc, self._keyrings),
            self._now,
        )
        if known is not None and suite.state.date < known.date:
            self._observer.emit(
                Warned(
                    "ArchiveWentBack",
                    f"{archive.name} is of {suite.state.date}, and was of {known.date} before",
                )
            )
        elif known is None or suite.state.date > known.date:
            self._remember(key, signed, suite.state.date)
        return suite

    def _recall(self, key: str) -> _Remembered | None:
        note = self._store.cache.explain(key)
        try:
            return msgspec.json.decode(note.parts, type=_Remembered) if note else None
        except msgspec.MsgspecError:
            return None

    def _remember(self, key: str, signed: SignedRelease, date: str) -> None:
        blobs = self._store.blobs
        note = _Remembered(
            blobs.ingest_bytes(signed.text),
            blobs.ingest_bytes(signed.signature) if signed.signature else None,
            date,
        )
        self._store.cache.put(key, (), description=key, parts=msgspec.json.encode(note))

    def _kept(self, archive: Archive, known: _Remembered | None) -> SignedRelease:
        if known is not None:
            try:
                parts = [self._blob(known.release)]
                parts += [self._blob(known.signature)] if known.signature else []
                return SignedRelease(*parts)
            except NotFoundError:
                pass
        raise FetchError(
            f"{archive.name} was not fetched before, and there is no network in offline mode"
        )

    def _blob(self, blob: Blob) -> bytes:
        with self._store.blobs.open_blob(Descriptor(INDEX_TYPE, *blob)) as stream:
            return stream.read()

    # ---------------------------------------------------------------- indexes

    def _part(self, suite: Suite, component: str, architecture: str) -> Path:
        """The database of one Packages file, made if it is not in the store."""
        from jettison.distroless.index import FORMAT

        files = suite.index_files(component, architecture)
        plain = suite.plain_hash(files[0])
        key = f"deb-index {FORMAT} {plain or files[0].sha256}"
        note = self._store.cache.explain(key)
        if note is not None:
            digest = parse_digest(note.parts.decode("ascii", "replace"))
            if self._store.blobs.has(digest):
                return self._store.blobs.path(digest)
        title = f"{suite.archive.suite}/{component} {architecture}"
        digest = self._made(suite, files, plain, title)
        self._store.cache.put(key, (), description=title, parts=digest.encode())
        return self._store.blobs.path(digest)

    def _made(self, suite: Suite, files: Sequence[IndexFile], plain: str, title: str) -> Digest:
        """Fetch the first of ``files`` that is there, and make a database of it."""
        for file in files:
            descriptor = Descriptor(INDEX_TYPE, Digest(f"sha256:{file.sha256}"), file.size)
            try:
                self._fetch(suite, file, descriptor, title)
            except NotFoundError:
                continue
            except ImageError as error:
                raise TrustError(
                    f"{suite.archive.name}: {file.path} is not what the signed Release says: "
                    f"{error.message}",
                    hint="the archive is changing, or something on the way changes files",
                ) from None
            return self._database(descriptor, plain, f"{suite.archive.name} {file.path}")
        raise FetchError(
            f"{suite.archive.name} has none of the files {', '.join(f.path for f in files)}",
            hint="the archive is changing or a mirror is incomplete: try again later",
        )

    def _fetch(self, suite: Suite, file: IndexFile, descriptor: Descriptor, title: str) -> None:
        source = FileSource(self._fetcher, suite.addresses(file))

        def progress(done: int) -> None:
            self._fetcher.check()
            self._observer.emit(StepProgress("packages", title, done, file.size))

        self._fetcher.again(lambda: self._store.blobs.fetch(descriptor, source, progress=progress))

    def _database(self, descriptor: Descriptor, plain: str, name: str) -> Digest:
        from jettison.distroless.index import write_index
        from jettison.fs.decompress import open_decompressed
        from jettison.packages.debindex import read_index

        with (
            self._store.blobs.open_blob(descriptor) as blob,
            self._store.staging.directory() as directory,
        ):
            hashed = _Hashed(
                open_decompressed(blob, max_bytes=_MAX_INDEX, max_ratio=_MAX_RATIO), self._fetcher
            )
            write_index(read_index(hashed), directory / "index")
            if plain and hashed.hexdigest() != plain:
                raise TrustError(f"{name}: its content is not what the signed Release says")
            with open(directory / "index", "rb") as made:
                return self._store.blobs.ingest(made).digest


class _Hashed:
    """A stream that is hashed as it is read, and ends when somebody has cancelled."""

    def __init__(self, stream: Readable, fetcher: Fetcher) -> None:
        self._stream = stream
        self._fetcher = fetcher
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        self._fetcher.check()
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
