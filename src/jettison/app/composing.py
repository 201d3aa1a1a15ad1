"""The images of a base: a layer for each architecture, documents, a name in the store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jettison.app.base_request import BaseRequest, BuiltBase, transport, wanted
from jettison.app.packing import Packed
from jettison.app.session import Session
from jettison.app.vertices import vertex
from jettison.distroless.compose import Composed, compose, selected
from jettison.distroless.download import Downloads
from jettison.distroless.lock import Lock, write_lock
from jettison.distroless.model import PackageRef
from jettison.distroless.spec import Spec, words
from jettison.errors import Cancelled, DistrolessError
from jettison.model.digest import sha256_digest
from jettison.model.event import Observer, Warned
from jettison.model.oci import ImageConfig, RunConfig
from jettison.model.platform import Platform, make_platform

if TYPE_CHECKING:
    from jettison.export.assemble import Image, Layer

_LOCK_KEY = "dev.jettison.base.lock"
_PLATFORMS = {
    "amd64": ("amd64", ""), "arm64": ("arm64", "v8"), "armhf": ("arm", "v7"), "i386": ("386", ""),
    "ppc64el": ("ppc64le", ""), "s390x": ("s390x", ""), "riscv64": ("riscv64", ""),
}  # fmt: skip


class Composer:
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
        """Compose all architectures, then name the result; raises as `bases.build_base` says."""
        from jettison.export.assemble import index_of

        architectures = wanted(self._spec, self._request)
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


def _platform(architecture: str) -> Platform:
    name, variant = _PLATFORMS[architecture]
    return make_platform("linux", name, variant)
