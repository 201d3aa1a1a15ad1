"""``jettison base``: specs, locks, and images composed from what they pin."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from jettison.app.base_request import (
    BaseRequest,
    BuiltBase,
    ShownBase,
    ShownPackage,
    transport,
    wanted,
)
from jettison.app.composing import Composer
from jettison.app.session import open_session, open_store
from jettison.app.vertices import vertex
from jettison.distroless import catalog
from jettison.distroless.archive import VARIABLE, find_archives
from jettison.distroless.compose import selected
from jettison.distroless.lock import Lock, make_lock, read_lock, write_lock
from jettison.distroless.model import Archive, Exclusion
from jettison.distroless.repository import Repository
from jettison.distroless.resolve import resolve
from jettison.distroless.spec import Spec
from jettison.errors import DistrolessError, NotFoundError
from jettison.model.event import Observer, Warned
from jettison.model.reference import parse_reference

if TYPE_CHECKING:
    from jettison.store.store import Store


def list_bases() -> list[tuple[str, str]]:
    """The bases of the catalogue: names and descriptions."""
    return [(name, catalog.load(name).description) for name in catalog.names()]


def lock_base(
    request: BaseRequest, observer: Observer, *, environ: Mapping[str, str], cancel: threading.Event
) -> tuple[Path, Lock]:
    """Resolve a spec now, and write its lock. Raises DistrolessError and its kin."""
    spec = catalog.load(request.name)
    with open_store(environ) as store:
        lock = _Bases(store, observer, environ, cancel).resolve(spec, request)
    path = request.lock_file
    try:
        draft = path.with_name(f"{path.name}.partial")
        draft.write_bytes(write_lock(lock))
        draft.replace(path)
    except OSError as error:
        raise DistrolessError(f"cannot write {path}: {error.strerror}") from None
    return path, lock


def show_base(
    request: BaseRequest, observer: Observer, *, environ: Mapping[str, str], cancel: threading.Event
) -> ShownBase:
    """The packages of a base for its first architecture, as locked or as they would be now."""
    spec = catalog.load(request.name)
    with open_store(environ) as store:
        bases = _Bases(store, observer, environ, cancel)
        one = structs.replace(request, architectures=wanted(spec, request)[:1])
        locked, lock = bases.lock(spec, one)
    resolution = lock.resolution(wanted(spec, one)[0])
    return ShownBase(
        request.spec,
        spec.description,
        locked,
        tuple(
            ShownPackage(p.name, p.version, p.architecture, p.size, resolution.chain(p.name))
            for p in selected(spec, resolution, debug=request.debug)
        ),
        tuple(dict.fromkeys(f"{d.name}: {d.reason}" for d in resolution.dropped)),
    )


def build_base(
    request: BaseRequest, observer: Observer, *, environ: Mapping[str, str], cancel: threading.Event
) -> BuiltBase:
    """Compose a base into the store: one layer for each architecture, an index for several.

    Obeys the lock if there is one, and then asks for no index. Raises DistrolessError and its kin;
    nothing is named in the store unless all of it was made.
    """
    spec = catalog.load(request.name)
    names = tuple(dict.fromkeys(str(parse_reference(tag)) for tag in request.tags))
    with open_session(environ) as session:
        bases = _Bases(session.store, observer, environ, cancel)
        locked, lock = bases.lock(spec, request)
        if not locked:
            text = f"there is no lock {request.lock_file}: packages are the newest there are"
            observer.emit(Warned("NotLocked", text))
        return Composer(session, spec, lock, request, observer, cancel).build(names)


class _Bases:
    """What specs and locks need of archives."""

    def __init__(
        self, store: Store, observer: Observer, environ: Mapping[str, str], cancel: threading.Event
    ) -> None:
        self._store = store
        self._observer = observer
        self._environ = environ
        self._cancel = cancel

    def lock(self, spec: Spec, request: BaseRequest) -> tuple[bool, Lock]:
        """The lock of the file and True; without one what it would be now, and False."""
        path = request.lock_file
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if request.lock is not None:
                raise NotFoundError(
                    f"no lock {path}", hint=f"make it: jettison base lock {request.name}"
                ) from None
            return False, self.resolve(spec, request)
        except OSError as error:
            raise DistrolessError(f"cannot read {path}: {error.strerror}") from None
        lock = read_lock(data, str(path))
        lock.check_spec(spec.resolved)
        return True, lock

    def resolve(self, spec: Spec, request: BaseRequest) -> Lock:
        """The packages of a spec, its debug twin's among them, as the archives are now."""
        archives = self._archives(spec, request)
        with vertex(self._observer, "resolving packages"):
            repository = Repository(
                self._store,
                archives,
                transport(),
                datetime.now(UTC),
                self._observer,
                cancel=self._cancel,
                offline=request.offline,
            )
            excluded = [Exclusion(n, reason) for n, reason in spec.contents.exclude.items()]
            found = []
            for architecture in wanted(spec, request):
                with closing(repository.index(architecture)) as index:
                    found.append(resolve(spec.wanted, index, exclude=excluded))
            return make_lock(spec.resolved, repository.states(), found)

    def _archives(self, spec: Spec, request: BaseRequest) -> tuple[Archive, ...]:
        found = find_archives(
            spec.contents.repositories,
            flags=request.archives,
            variable=self._environ.get(VARIABLE, ""),
        )
        if not spec.contents.keyring:
            return found
        place = Path(request.name).parent if catalog.is_file(request.name) else Path()
        keyrings = tuple(str(place / path) for path in spec.contents.keyring)
        return tuple(
            archive
            if archive.keyrings or archive.keys
            else structs.replace(archive, keyrings=keyrings)
            for archive in found
        )
