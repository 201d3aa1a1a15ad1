"""``jettison run``: start an image, so that a result can be tried with nothing else installed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from jettison.app.planning import build_platform
from jettison.app.registries import registry_source
from jettison.app.session import Session, open_session
from jettison.app.sources import BaseImages
from jettison.errors import JettisonError, UsageError
from jettison.model.event import Observer
from jettison.model.oci import RunConfig
from jettison.model.platform import Platform
from jettison.model.source import ImageSource
from jettison.sandbox.limits import Limits

if TYPE_CHECKING:
    from jettison.sandbox.container import ContainerMount

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Volume(Struct, frozen=True, kw_only=True):
    """``-v source:target[:ro]``."""

    source: str
    target: str
    read_only: bool = False


class RunRequest(Struct, frozen=True, kw_only=True):
    """What ``jettison run`` is asked for. ``entrypoint`` None: the image's."""

    image: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    workdir: str = ""
    user: str = ""
    entrypoint: str | None = None
    network: str = "host"
    platform: Platform | None = None
    hostname: str = "jettison"
    terminal: bool = False
    limits: Limits = Limits()
    cgroup_parent: str = ""


def run(
    request: RunRequest,
    observer: Observer,
    *,
    environ: Mapping[str, str],
    cancel: threading.Event,
) -> int:
    """Run the image to its end and return its exit status; what it writes is thrown away.

    The container has this process's standard streams and the host's network. Raises NotFoundError
    if there is no such image, UsageError if there is nothing to run.
    """
    with open_session(environ) as session, ExitStack() as stack:
        images = _images(session, cancel, stack)
        return _run(request, images, session, observer, cancel, stack)


def _images(session: Session, cancel: threading.Event, stack: ExitStack) -> BaseImages:
    def registry() -> ImageSource:
        return stack.enter_context(registry_source(session, cancel))

    def layouts(path: str) -> ImageSource:
        raise JettisonError(f"{path}: load the layout first, with jettison load")

    return BaseImages(
        session.store.images,
        registry,
        layouts,
        pull=False,
        size=session.store.blobs.size,
    )


def _run(
    request: RunRequest,
    images: BaseImages,
    session: Session,
    observer: Observer,
    cancel: threading.Event,
    stack: ExitStack,
) -> int:
    from jettison.app.notices import announce
    from jettison.fs.owners import resolve_user
    from jettison.fs.stack import Stack
    from jettison.sandbox.container import run_in
    from jettison.sandbox.spec import ContainerSpec
    from jettison.solve.images import ImageUnpacker

    store = session.store
    prefix = "user" if session.rootless else "trusted"
    image = images.resolve(request.image, request.platform or build_platform())
    layers = ImageUnpacker(store, observer, cancel, prefix).unpack(image, "unpack")
    images.keep(store)
    config = image.config.config
    below = Stack([str(store.layers.path(layer)) for layer in layers])
    user = resolve_user(below, request.user or config.User)
    env = dict(_pairs((*(config.Env or (DEFAULT_PATH,)), *request.env)))
    env.setdefault("HOME", user.home)
    if request.terminal:
        env.setdefault("TERM", "xterm")
    spec = ContainerSpec(
        args=command_of(request, config),
        env=tuple(env.items()),
        cwd=request.workdir or config.WorkingDir or "/",
        uid=user.uid,
        gid=user.gid,
        groups=user.groups,
        hostname=request.hostname,
        network=request.network,
        terminal=request.terminal,
        limits=request.limits,
        cgroup_parent=request.cgroup_parent,
    )
    scratch = stack.enter_context(store.staging.directory())
    runtime = session.runtime()
    announce(session.isolation, runtime, observer)
    return run_in(
        runtime,
        spec,
        layers=layers,
        base=str(store.paths.layers),
        upper=None,
        work=None,
        scratch=str(scratch),
        container_mounts=_mounts(request),
        cancel=cancel,
        inherit=True,
    )


def command_of(request: RunRequest, config: RunConfig) -> tuple[str, ...]:
    """What is executed: arguments replace CMD, --entrypoint replaces ENTRYPOINT and drops CMD."""
    if request.entrypoint is not None:
        entrypoint = (request.entrypoint,) if request.entrypoint else ()
        words = (*entrypoint, *request.args)
    else:
        words = (*(config.Entrypoint or ()), *(request.args or config.Cmd or ()))
    if not words:
        raise UsageError(f"{request.image} names no command", hint="give one after the image")
    return words


def _mounts(request: RunRequest) -> list[ContainerMount]:
    from jettison.sandbox.container import Bind

    return [Bind(source=v.source, target=v.target, read_only=v.read_only) for v in request.volumes]


def _pairs(variables: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for variable in variables:
        name, _, value = variable.partition("=")
        pairs.append((name, value))
    return pairs
