"""Verifying the store, and mending what can be mended.

Everything that can be made or fetched again is mended by taking it away. What would be found by the
next build or ``prune`` anyway (leftovers of killed processes) is *harmless*: it is told, but is no
damage.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from jettison.errors import JettisonError
from jettison.model.digest import Digest, parse_digest
from jettison.model.oci import INDEX_TYPES, MANIFEST_TYPES, Descriptor
from jettison.store.checklayers import LayerCheck
from jettison.store.faults import store_faults
from jettison.store.inventory import Parts
from jettison.store.lease import Leases, blob_mark, layer_mark
from jettison.store.locks import try_lock
from jettison.store.partial import is_fresh
from jettison.store.staging import Staging

_CHUNK = 1 << 20
_SMALL = 256 << 10  # bytes of what is hashed even by a quick look: most documents are smaller


class Problem(Struct, frozen=True):
    """Something that is not as it should be.

    ``kind`` is ``store``, ``database``, ``image``, ``blob``, ``layer``, ``record``, ``row``,
    ``leftover`` or ``mount``. ``harmless``: nothing is damaged, and the next build or prune clears
    it up. ``mended``: it is gone.
    """

    kind: str
    id: str
    detail: str
    harmless: bool = False
    mended: bool = False


class Checker:
    """One look at a store; ``deep`` reads everything, ``repair`` mends.

    ``progress`` is called with what is looked at, again and again; what it raises ends the check.
    """

    def __init__(
        self,
        parts: Parts,
        leases: Leases,
        staging: Staging,
        layer_check: LayerCheck,
        *,
        deep: bool,
        repair: bool,
        progress: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._leases = leases
        self._staging = staging
        self._layer_check = layer_check
        self._deep = deep
        self._repair = repair
        self._progress = progress
        self._problems: list[Problem] = []
        self._trash: list[Path] = []

    def run(self) -> list[Problem]:
        """Everything found, in the order in which things are built on each other."""
        with store_faults("cannot check the store"):
            try:
                self._leftovers()
                blobs = self._blobs()
                self._images(blobs)
                self._layers()
                self._records()
                self._rows()
                self._mounts()
            finally:
                for entry in self._trash:
                    self._staging.remove(entry)
        return self._problems

    def _found(self, kind: str, id: str, detail: str, *, harmless: bool = False) -> Problem:
        problem = Problem(kind, id, detail, harmless)
        self._problems.append(problem)
        return problem

    def _mend(self, problem: Problem, mend: Callable[[], object], mark: str = "") -> None:
        """Have ``mend`` done, if that is wanted and no build uses the thing (``mark``)."""
        if not self._repair:
            return
        with self._leases.collecting() as marks:
            place = next(n for n, p in enumerate(self._problems) if p is problem)
            if mark in marks:
                detail = f"{problem.detail} (a build uses it: not mended)"
                self._problems[place] = replace(problem, detail=detail)
                return
            mend()
            self._problems[place] = replace(problem, mended=True)

    def _throw_away(self, place: Path) -> None:
        moved = self._staging.throw_away(place)
        if moved is not None:
            self._trash.append(moved)

    # ---------------------------------------------------------------- what dead processes left

    def _leftovers(self) -> None:
        paths = self._parts.paths
        for directory, what in ((paths.tmp, "unfinished work"), (paths.leases, "a lease")):
            for path in sorted(directory.iterdir()):
                if _is_abandoned(path):
                    name = f"{directory.name}/{path.name}"
                    detail = f"{what} of a process that ended"
                    if is_fresh_download(path):
                        continue  # the next one goes on with it
                    problem = self._found("leftover", name, detail, harmless=True)
                    self._mend(problem, partial(self._remove_leftover, path))
        for draft in sorted(paths.locks.glob("*.new")):
            detail = "a draft that was not finished, or is being written"
            self._found("leftover", f"locks/{draft.name}", detail, harmless=True)

    def _remove_leftover(self, path: Path) -> None:
        if path.parent == self._parts.paths.tmp:
            self._staging.remove(path)
        else:
            path.unlink(missing_ok=True)

    # ---------------------------------------------------------------- blobs and images

    def _blobs(self) -> set[Digest]:
        """Check all blobs; returns those that are sound."""
        expected = self._expected_blobs()
        sound: set[Digest] = set()
        for path in sorted(self._parts.paths.blobs.glob("*/*")):
            name = f"{path.parent.name}:{path.name}"
            try:
                digest = parse_digest(name)
                detail = self._blob_problem(path, digest, expected.get(digest))
            except FileNotFoundError:  # pruned just now
                continue
            except JettisonError:
                detail, digest = "its name is no digest", Digest(name)
            if not detail:
                sound.add(digest)
                continue
            problem = self._found("blob", name, detail)
            self._mend(problem, partial(self._throw_away, path), blob_mark(digest))
        return sound

    def _expected_blobs(self) -> dict[Digest, int]:
        """The sizes blobs should have, as far as images say."""
        sizes: dict[Digest, int] = {}
        for _, root in self._names():
            sizes.update(self._parts.images.references(root))
        return sizes

    def _blob_problem(self, path: Path, digest: Digest, size: int | None) -> str:
        status = path.stat()
        if size is not None and status.st_size != size:
            return f"has {status.st_size} bytes instead of {size}"
        if not self._deep and status.st_size > _SMALL:
            return ""
        self._progress(f"blob {digest}")
        found = hash_file(path, path.parent.name)
        return "" if found == path.name else f"has digest {path.parent.name}:{found}"

    def _names(self) -> list[tuple[str | None, Descriptor]]:
        return [(name, descriptor) for name, descriptor in self._parts.names.list()]

    def _images(self, sound: set[Digest]) -> None:
        for name, root in self._names():
            if detail := self._image_problem(root, sound):
                problem = self._found("image", name or root.digest, detail)
                self._mend(problem, partial(self._forget_image, name, root))

    def _forget_image(self, name: str | None, root: Descriptor) -> None:
        if name is not None:
            self._parts.names.remove(name)
        else:
            self._parts.names.remove_dangling([parse_digest(root.digest)])

    def _image_problem(self, root: Descriptor, sound: set[Digest]) -> str:
        if root.digest not in sound:
            return f"its manifest {root.digest} is missing or damaged"
        references = self._parts.images.references
        if root.mediaType not in (*INDEX_TYPES, *MANIFEST_TYPES):
            return f"has the unknown type {root.mediaType}"
        if root.mediaType in MANIFEST_TYPES:
            return _lacking(set(references(root)) - sound)
        # Of an index from a registry, only the platforms are here that a build needed.
        members = [d for d in self._parts.images.members(root) if d.digest in sound]
        if not members:
            return "none of its platforms is in the store"
        return _lacking({d for member in members for d in references(member)} - sound)

    # ---------------------------------------------------------------- layers and records

    def _layers(self) -> None:
        for layer in sorted(os.listdir(self._parts.paths.layers)):
            self._progress(f"layer {layer}")
            detail = self._layer_check.problem(layer, deep=self._deep)
            if detail:
                problem = self._found("layer", layer, detail)
                self._mend(problem, partial(self._drop_layer, layer), layer_mark(layer))

    def _drop_layer(self, layer: str) -> None:
        """What was made on a damaged layer may have read the damage, so its records go too."""
        database = self._parts.database
        rows = database.rows("SELECT key, layers FROM records")
        keys = [(key,) for key, layers in rows if layer in layers.split()]
        database.run_many("DELETE FROM records WHERE key = ?", keys)
        database.run_many("DELETE FROM parts WHERE key = ?", keys)
        database.run(
            ("DELETE FROM layers WHERE id = ?", (layer,)),
            ("DELETE FROM layer_blobs WHERE layer = ?", (layer,)),
        )
        self._throw_away(self._parts.layers.path(layer))

    def _records(self) -> None:
        """Records whose layers are gone (those of bases can be unpacked again)."""
        with self._leases.collecting():
            rows = self._parts.database.rows("SELECT key, layers, description FROM records")
            here = set(os.listdir(self._parts.paths.layers))
        is_base = self._parts.layers.is_base
        for key, layers, description in rows:
            gone = [i for i in layers.split() if i not in here and not is_base(i)]
            if gone:
                detail = f"{description or 'record'}: layer {gone[0]} is gone"
                problem = self._found("record", key[:12], detail)
                self._mend(problem, partial(self._drop_record, key))

    def _drop_record(self, key: str) -> None:
        self._parts.database.run(
            ("DELETE FROM records WHERE key = ?", (key,)),
            ("DELETE FROM parts WHERE key = ?", (key,)),
        )

    def _rows(self) -> None:
        """What is remembered of things that are gone: nobody trusts it without looking."""
        database, blobs = self._parts.database, self._parts.blobs
        for table in ("layer_blobs", "results"):
            rows = database.rows(f"SELECT DISTINCT digest FROM {table}")
            gone = [(d,) for (d,) in rows if blobs.size(Digest(d)) is None]
            if gone:
                detail = f"{len(gone)} in {table}, of blobs that are gone"
                problem = self._found("row", table, detail, harmless=True)
                delete = f"DELETE FROM {table} WHERE digest = ?"
                self._mend(problem, partial(database.run_many, delete, gone))

    def _mounts(self) -> None:
        """Builds mount in namespaces of their own; what everybody sees is not theirs."""
        inside = os.fspath(self._parts.paths.root.resolve()) + "/"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                place = line.split(" ")[4].replace("\\040", " ")
                if place.startswith(inside):
                    self._found("mount", place, "something is mounted here; umount it")


def _lacking(missing: set[Digest]) -> str:
    if not missing:
        return ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"lacks blob {min(missing)}{more}"


def _is_abandoned(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return try_lock(fd)
    finally:
        os.close(fd)


def is_fresh_download(path: Path) -> bool:
    """Whether it is the beginning of a blob that is kept for the next who wants it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return is_fresh(path.name, fd, time.time())
    finally:
        os.close(fd)


def hash_file(path: Path, algorithm: str) -> str:
    """The hex digest of a file."""
    state = hashlib.new(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()
