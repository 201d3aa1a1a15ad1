"""``jettison base``: specs, locks, and images composed from what they pin."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from jettison.app.packing import Packed
from jettison.app.session import Session, open_session, open_store
from jettison.app.vertices import vertex
from jettison.distroless import catalog
from jettison.distroless.archive import VARIABLE, find_archives
from jettison.distroless.compose import Composed, compose, selected
from jettison.distroless.download import Downloads
from jettison.distroless.lock import Lock, make_lock, read_lock, write_lock
from jettison.distroless.model import Archive, Exclusion, PackageRef
from jettison.distroless.repository import Repository
from jettison.distroless.resolve import resolve
from jettison.distroless.spec import Spec, words
from jettison.errors import Cancelled, DistrolessError, NotFoundError, UsageError
from jettison.model.digest import Digest, sha256_digest
from jettison.model.event import Observer, Warned
from jettison.model.oci import ImageConfig, RunConfig
from jettison.model.platform import Platform, make_platform
from jettison.model.reference import parse_reference

if TYPE_CHECKING:
    from jettison.distroless.fetch import Transport
    from jettison.export.assemble import Image, Layer
    from jettison.store.store import Store

DEBUG = ":debug"
_LOCK_KEY = "dev.jettison.base.lock"
_PLATFORMS = {
    "amd64": ("amd64", ""), "arm64": ("arm64", "v8"), "armhf": ("arm", "v7"), "i386": ("386", ""),
    "ppc64el": ("ppc64le", ""), "s390x": ("s390x", ""), "riscv64": ("riscv64", ""),
}  # fmt: skip


class BaseRequest(Struct, frozen=True, kw_only=True):
    """What is asked of a base: ``spec`` is a file or a name, perhaps with ``:debug``.

    ``archives`` are lines of sources.list(5) that stand in for the spec's; ``lock`` is the file of
    the lock (None: the usual one); ``epoch`` is SOURCE_DATE_EPOCH in seconds.
    """

    spec: str
    lock: Path | None = None
    architectures: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    output: Path | None = None
    epoch: int | None = None
    offline: bool = False

    @property
    def debug(self) -> bool:
        return self.spec.endswith(DEBUG)

    @property
    def name(self) -> str:
        """The spec without ``:debug``."""
        return self.spec.removesuffix(DEBUG)

    @property
    def lock_file(self) -> Path:
        """Beside a spec's file; for one of the catalogue in the current directory."""
        if self.lock is not None:
            return self.lock
        if catalog.is_file(self.name):
            return Path(self.name).with_suffix(".lock.json")
        return Path(f"{self.name}.lock.json")


class BuiltBase(Struct, frozen=True):
    """An image that was composed. ``composed`` is by architecture, ``layers`` are bytes of blobs
    by architecture; ``names`` is what the store has it under.
    """

    digest: Digest
    names: tuple[str, ...]
    composed: dict[str, Composed]
    layers: dict[str, int]


class ShownPackage(Struct, frozen=True):
    """A package of a base: ``size`` is that of the file, in bytes, ``chain`` how it came in."""

    name: str
    version: str
    architecture: str
    size: int
    chain: tuple[str, ...]


class ShownBase(Struct, frozen=True):
    """What is known of a base before it is composed; ``dropped`` are ``NAME: REASON``."""

    name: str
    description: str
    locked: bool
    packages: tuple[ShownPackage, ...]
    dropped: tuple[str, ...]


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
        one = structs.replace(request, architectures=_wanted(spec, request)[:1])
        locked, lock = bases.lock(spec, one)
    resolution = lock.resolution(_wanted(spec, one)[0])
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
        return _Composer(session, spec, lock, request, observer, cancel).build(names)


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
            for architecture in _wanted(spec, request):
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


class _Composer:
    """Composes the images of one spec and lock."""

    def __init__(
        self,
        session: Session,
        spec: Spec,
        lock: Lock,
        request: BaseRequest,
        observer: Observer,
        cancel: threading.Event,
    ) -> None:
        self._session = session
        self._store = session.store
        self._spec = spec
        self._lock = lock
        self._request = request
        self._observer = observer
        self._cancel = cancel
        self._lock_digest = sha256_digest(write_lock(lock))

    def build(self, names: tuple[str, ...]) -> BuiltBase:
        from jettison.export.assemble import index_of

        architectures = _wanted(self._spec, self._request)
        composed: dict[str, Composed] = {}
        images: list[Image] = []
        for architecture in architectures:
            with vertex(self._observer, f"composing {self._request.spec} for {architecture}"):
                image, composed[architecture] = self._image(architecture)
            images.append(image)
        origins = {blob.digest: self._store.blobs for image in images for blob in image.layers}
        if len(images) == 1:
            packed = Packed((images[0],), images[0].descriptor, None, origins)
        else:
            index, root = index_of(
                (image.descriptor for image in images), annotations=self._annotations()
            )
            packed = Packed(tuple(images), root, index, origins)
        packed.keep(self._store, names)
        self._write(packed, names)
        for architecture in architectures:
            self._warn(composed[architecture])
        layers = {
            a: sum(blob.size for blob in image.layers)
            for a, image in zip(architectures, images, strict=True)
        }
        return BuiltBase(packed.root.digest, names, composed, layers)

    def _warn(self, composed: Composed) -> None:
        for found in composed.uncovered:
            text = (
                f"{found.package}'s {found.script} does what nothing declares here: {found.line} "
                "(if the image needs it, declare it under paths or accounts)"
            )
            self._observer.emit(Warned("ScriptNotCovered", text))

    def _write(self, packed: Packed, names: tuple[str, ...]) -> None:
        """An OCI layout as one file, which takes its name only once it is complete."""
        path = self._request.output
        if path is None:
            return
        from jettison.export.archive import write_archive

        draft = path.with_name(f"{path.name}.partial")
        try:
            with draft.open("wb") as out:
                write_archive(packed.package(names, docker=False), out)
            draft.replace(path)
        except OSError as error:
            raise DistrolessError(f"cannot write {path}: {error.strerror}") from None
        finally:
            draft.unlink(missing_ok=True)

    def _image(self, architecture: str) -> tuple[Image, Composed]:
        from jettison.export.assemble import NewEntry, assemble

        platform = _platform(architecture)
        resolution = self._lock.resolution(architecture)
        packages = selected(self._spec, resolution, debug=self._request.debug)
        layer, composed = self._layer(packages, architecture)
        entry = NewEntry(
            f"jettison base build {Path(self._request.name).name}",
            f"lock {self._lock_digest}",
            False,
        )
        image = assemble(
            self._config(platform),
            platform,
            [layer],
            [entry],
            epoch=composed.time,
            annotations=self._annotations(),
        )
        return image, composed

    def _layer(self, packages: Sequence[PackageRef], architecture: str) -> tuple[Layer, Composed]:
        from jettison.export.assemble import Layer
        from jettison.export.layers import layer_blob
        from jettison.fs.compress import Compression
        from jettison.solve.images import remember_layers

        store = self._store
        downloads = Downloads(
            store,
            self._lock.archives,
            transport(),
            self._observer,
            cancel=self._cancel,
            offline=self._request.offline,
        )
        files = downloads.fetch(packages)
        layer = store.layers.new_id()
        with store.layers.staging() as staging:
            composed = compose(
                self._spec,
                packages,
                files,
                downloads.data,
                staging.upper,
                architecture,
                debug=self._request.debug,
                epoch=self._request.epoch,
                rootless=self._session.rootless,
                check=self._check,
            )
            store.layers.commit(staging, layer, created=composed.time)
        made = layer_blob(store, layer, (), Compression(), progress=lambda _: self._check())
        remember_layers(store, (made.diff_id,), (layer,))
        return Layer(made.diff_id, made.descriptor, composed.time), composed

    def _check(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _annotations(self) -> dict[str, str]:
        return {
            "org.opencontainers.image.description": self._spec.description,
            **self._spec.annotations,
            _LOCK_KEY: self._lock_digest,
        }

    def _config(self, platform: Platform) -> ImageConfig:
        spec, user = self._spec, self._spec.user()
        entrypoint, cmd = words(spec.entrypoint.command), words(spec.cmd)
        environment = dict(spec.environment)
        if self._request.debug:
            if spec.debug.entrypoint is not None:
                entrypoint, cmd = words(spec.debug.entrypoint.command), ()
            if "PATH" in environment:
                environment["PATH"] += ":/busybox"
        return ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            config=RunConfig(
                User=f"{user.uid}:{user.group}" if user else "",
                Env=tuple(f"{key}={value}" for key, value in environment.items()),
                Entrypoint=entrypoint or None,
                Cmd=cmd or None,
                Volumes={path: {} for path in spec.volumes} or None,
                WorkingDir=spec.work_dir,
                Labels=self._annotations(),
                StopSignal=spec.stop_signal,
            ),
        )


def transport() -> Transport:
    """What gets files from archives."""
    from jettison.distroless.fetch import Network

    return Network()


def _wanted(spec: Spec, request: BaseRequest) -> tuple[str, ...]:
    """The architectures to make, by Debian's names: those asked for, the spec's, or the host's."""
    return request.architectures or spec.architectures() or tuple(_host())


def _host() -> Iterator[str]:
    import os

    from jettison.distroless.spec import ARCHITECTURES

    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise UsageError(f"no archive is known for {machine}", hint="name one with --arch")
    yield ARCHITECTURES[machine]


def _platform(architecture: str) -> Platform:
    name, variant = _PLATFORMS[architecture]
    return make_platform("linux", name, variant)
