"""Package files: fetched in parallel into the store, each verified by its pinned hash, and made
quick to read (`datacache`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jettison.distroless.datacache import DataCache
from jettison.distroless.fetch import Fetcher, FileSource, Transport
from jettison.distroless.model import ArchiveState, PackageRef
from jettison.distroless.suite import TIME_FORMAT
from jettison.errors import FetchError, ImageError, NotFoundError, TrustError
from jettison.model.digest import Digest
from jettison.model.event import Observer, StepProgress
from jettison.model.oci import Descriptor

if TYPE_CHECKING:
    from jettison.store.store import Store

DEB_TYPE = "application/vnd.debian.binary-package"
PARALLEL = 6
_LATER = (timedelta(0), timedelta(days=1))
"""After an archive's date, for snapshots: one made just then may be older than the archive was."""


class Downloads:
    """Has packages in the store.

    A file that is there is not fetched again; what another process fetches is waited for; what
    broke off goes on where it was. With ``offline`` nothing is fetched over a network.
    """

    def __init__(
        self,
        store: Store,
        archives: Sequence[ArchiveState],
        transport: Transport,
        observer: Observer,
        *,
        cancel: threading.Event | None = None,
        offline: bool = False,
    ) -> None:
        self._store = store
        self._archives = archives
        self._observer = observer
        self._transport = transport
        self._cancel = cancel or threading.Event()
        self._offline = offline
        self.data = DataCache(store)

    def fetch(self, packages: Sequence[PackageRef]) -> dict[str, Path]:
        """The files of ``packages``, by name. The first failure ends all.

        Raises TrustError for a file that is not what was pinned, FetchError, ArchiveError for one
        that is no package, Cancelled.
        """
        missing = [p for p in packages if not self._is_here(p)]
        if missing:
            self._fetch_all(missing)
        return {p.name: self._store.blobs.path(Digest(p.digest)) for p in packages}

    def _is_here(self, package: PackageRef) -> bool:
        blobs, digest = self._store.blobs, Digest(package.digest)
        return blobs.has(digest) and blobs.size(digest) == package.size and self.data.has(package)

    def _fetch_all(self, packages: Sequence[PackageRef]) -> None:
        from concurrent.futures import ThreadPoolExecutor, as_completed

        stop = _Stop(self._cancel)
        fetcher = Fetcher(self._transport, stop, offline=self._offline)
        largest_first = sorted(packages, key=lambda p: (-p.size, p.name))
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="package") as pool:
            try:
                for done in as_completed([
                    pool.submit(self._fetch_one, fetcher, package) for package in largest_first
                ]):  # fmt: skip
                    done.result()
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _fetch_one(self, fetcher: Fetcher, package: PackageRef) -> None:
        descriptor = Descriptor(DEB_TYPE, Digest(package.digest), package.size)
        urls = self._addresses(package)
        source = FileSource(fetcher, urls)

        def progress(done: int) -> None:
            fetcher.check()
            self._observer.emit(StepProgress("packages", package.name, done, package.size))

        try:
            fetcher.again(lambda: self._store.blobs.fetch(descriptor, source, progress=progress))
            path = self._store.blobs.path(descriptor.digest)
            self.data.prepare(package, path, fetcher.check)
        except ImageError as error:
            raise TrustError(
                f"{package}: the file is not the one that was pinned: {error.message}",
                hint=f"{urls[0]} has changed, or something on the way changes files",
            ) from None
        except NotFoundError:
            also = ", nor does the snapshot service" if len(urls) > 1 else ""
            raise FetchError(
                f"the archive no longer has {package}{also}: {urls[0]}",
                hint="make the lock anew with jettison base lock",
            ) from None

    def _addresses(self, package: PackageRef) -> list[str]:
        """In the archive, and in the snapshots made when the archive was as it was locked."""
        state = self._archives[package.archive]
        path = quote(package.filename, safe="/+~:=@,")
        found = [f"{state.url}/{path}"]
        if state.snapshot:
            for time in snapshot_times(state):
                found.append(f"{state.snapshot.replace('@SNAPSHOTID@', time)}/{path}")
        return list(dict.fromkeys(found))


def snapshot_times(state: ArchiveState) -> list[str]:
    """The times to ask the snapshot service for, as it writes them; none without a date.

    It answers with its last snapshot before that time, and keeps what a pool had for a while.
    """
    try:
        date = datetime.strptime(state.date, TIME_FORMAT)
    except ValueError:
        return []
    return [f"{date + later:%Y%m%dT%H%M%SZ}" for later in _LATER]


class _Stop(threading.Event):
    """Set by itself, or by the one who may cancel everything."""

    def __init__(self, outer: threading.Event) -> None:
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        return super().is_set() or self._outer.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._outer.wait(timeout) or self.is_set()
