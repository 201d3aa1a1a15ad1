"""``layers/<id>/``: unpacked layers, ready to be lower directories of an overlay.

An id is 16 characters, so that the option string of a mount with a hundred layers stays within
one page. The layers of base images have ids that follow from their chain IDs and begin with ``b``:
a layer that is not here (yet, or any more) can be named, and unpacked when it is needed. What a
step made has a random id that begins with ``s``: it is only here. What came from an imported cache
has an id that follows from its chain ID too, but begins with ``c``: whether it can be had again is
not for the store to know, so a record that lost one is lost.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from jettison.errors import StoreError
from jettison.model.digest import Digest, hex_of
from jettison.store.database import Database
from jettison.store.faults import store_faults
from jettison.store.lease import Leases, layer_mark
from jettison.store.paths import Paths
from jettison.store.staging import Staging as StagingArea
from jettison.store.uses import Uses

_ID_CHARACTERS = 15  # of base 32: 75 bits


class Staging(Struct, frozen=True):
    """A private directory in which a layer is made.

    ``upper`` becomes the layer; ``work`` is what an overlay mount wants beside it; ``path``, which
    holds both, has room for anything else. All on one file system, all gone afterwards.
    """

    path: Path
    upper: Path
    work: Path


class Layers:
    """The unpacked layers of a store."""

    def __init__(
        self,
        paths: Paths,
        staging: StagingArea,
        leases: Leases,
        database: Database,
        uses: Uses,
        boot: Callable[[], str],
    ) -> None:
        self._root = paths.layers
        self._staging = staging
        self._leases = leases
        self._database = database
        self._uses = uses
        self._boot = boot
        self.committed: set[str] = set()
        """Layers that this process committed and has not begun to sync (`Durability`)."""
        self.made = False
        """Whether this process committed any."""
        self.apart = ""
        """What follows the ids of layers that were not made here (`Store.stand_apart`)."""

    def new_id(self) -> str:
        """An id for what a step makes."""
        return "s" + _base32(os.urandom(10))

    def id_for_chain(self, chain: Digest) -> str:
        """The id of a base image's layer with this chain ID."""
        return "b" + _base32(bytes.fromhex(hex_of(chain))) + self.apart

    def id_for_cached(self, chain: Digest, created: float) -> str:
        """The id of a layer with this chain ID that a step made elsewhere, at this time."""
        return "c" + _base32(hashlib.sha256(f"{chain} {created!r}".encode()).digest()) + self.apart

    def is_base(self, layer: str) -> bool:
        """Whether the layer is a base image's, so that it can be unpacked again."""
        return layer.startswith("b")

    def path(self, layer: str) -> Path:
        """The directory of the layer, whether it is there or not."""
        return self._root / layer

    def has(self, layer: str) -> bool:
        """Whether the layer is unpacked; a lease of this process now keeps it."""
        return not self.missing((layer,))

    def missing(self, layers: Iterable[str]) -> tuple[str, ...]:
        """Those of ``layers`` that are not here; leases of this process now keep the others."""
        layers = tuple(layers)
        self._uses.note("layers", *layers)
        root = os.fspath(self._root)
        with self._leases.using(*map(layer_mark, layers)):
            return tuple(layer for layer in layers if not os.path.isdir(f"{root}/{layer}"))

    @contextmanager
    def staging(self) -> Iterator[Staging]:
        """A fresh place to make a layer in, removed at the end (a committed layer stays)."""
        with self._staging.directory() as path:
            place = Staging(path, path / "upper", path / "work")
            with store_faults("cannot make a staging directory"):
                for part in (place.upper, place.work):
                    part.mkdir()
                    part.chmod(0o755)  # whatever the umask
            yield place

    def commit(
        self,
        staging: Staging,
        layer: str,
        *,
        diff_id: Digest | None = None,
        created: float | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Make ``staging.upper`` the layer ``layer``, by a rename; ``created`` None means now.

        ``seconds`` is how long it took to make. If another process made it first, that one stays
        and this one is dropped.
        """
        mine = False
        with self._leases.using(layer_mark(layer)):
            target = self.path(layer)
            with store_faults(f"cannot keep layer {layer}"):
                if not target.is_dir():
                    try:
                        os.rename(staging.upper, target)
                        mine = True
                    except OSError as error:
                        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                            raise
        if not mine:
            return
        self.committed.add(layer)
        self.made = True
        now = time.time()
        self._database.run(
            (
                "INSERT OR REPLACE INTO layers "
                "(id, diff_id, created, committed, used, seconds, boot) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    layer,
                    diff_id,
                    now if created is None else created,
                    now,
                    now,
                    seconds,
                    self._boot(),
                ),
            )
        )

    def created(self, layer: str) -> float | None:
        """When the layer was committed, in seconds since the epoch; None if it never was."""
        row = self._database.row("SELECT created FROM layers WHERE id = ?", (layer,))
        return None if row is None else float(row[0])

    def committed_at(self, layer: str) -> float | None:
        """When the layer was put here, whatever it says of itself; None if nobody noted it."""
        row = self._database.row("SELECT committed FROM layers WHERE id = ?", (layer,))
        return None if row is None else row[0]

    def diff_id(self, layer: str) -> Digest | None:
        """The digest of the layer's uncompressed tar, if anybody remembered it."""
        row = self._database.row("SELECT diff_id FROM layers WHERE id = ?", (layer,))
        return None if row is None or row[0] is None else Digest(row[0])

    def sync(self) -> None:
        """Have everything that was committed on the disk, so that it survives a power cut.

        A commit does not wait for the disk (processes that die do no harm, only machines do).
        Syncs the whole file system (syncfs(2)). Raises StoreError.
        """
        import ctypes

        fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(AttributeError):
                if ctypes.CDLL(None, use_errno=True).syncfs(fd) == 0:
                    return
            raise StoreError(f"cannot sync {self._root}: {os.strerror(ctypes.get_errno())}")
        finally:
            os.close(fd)


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().lower()[:_ID_CHARACTERS]
