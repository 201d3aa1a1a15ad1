"""``jettison run``: start an image, so that a result can be tried with nothing else installed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from jettison.app.build import build_platform
from jettison.app.registries import registry_source
from jettison.app.request import RunRequest
from jettison.app.session import Session, open_session
from jettison.app.sources import BaseImages
from jettison.errors import JettisonError, UsageError
from jettison.model.event import Observer
from jettison.model.oci import RunConfig
from jettison.model.source import ImageSource, ResolvedImage

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(request: RunRequest, observer: Observer, *, environ: Mapping[str, str]) -> int:
    """Run the image to its end and return its exit status; what it writes is thrown away.

    The container has this process's standard streams (its input if asked for). Raises
    NotFoundError if there is no such image, UsageError if there is nothing to run, RunError if
    its command cannot be started.
    """
    with open_session(environ) as session:
        return _run(request, _find(request, session), session, observer)


def _find(request: RunRequest, session: Session) -> ResolvedImage:
    def layouts(path: str) -> ImageSource:
        raise JettisonError(f"{path}: load the layout first, with jettison load")

    images = BaseImages(session.store.images, lambda: registry_source(session), layouts, pull=False)
    return images.resolve(request.image, request.platform or build_platform())


def _run(
    request: RunRequest, image: ResolvedImage, session: Session, observer: Observer
) -> int:
    from jettison.fs.owners import resolve_user
    from jettison.fs.stack import Stack
    from jettison.sandbox.container import Bind, run_in
    from jettison.sandbox.spec import ContainerSpec
    from jettison.solve.images import ImageUnpacker

    store = session.store
    prefix = "user" if session.rootless else "trusted"
    layers = ImageUnpacker(store, observer, threading.Event(), prefix).unpack(image, "unpack")
    config = image.config.config
    below = Stack([str(store.layers.path(layer)) for layer in layers])
    user = resolve_user(below, request.user or config.User)
    env = {**_pairs(config.Env or (DEFAULT_PATH,)), **request.env}
    env.setdefault("HOME", user.home)
    if request.tty:
        env.setdefault("TERM", "xterm")
    spec = ContainerSpec(
        args=command_of(request, config),
        env=tuple(env.items()),
        cwd=request.workdir or config.WorkingDir or "/",
        uid=user.uid,
        gid=user.gid,
        groups=user.groups,
        hostname="jettison",
        network=request.network,
        terminal=request.tty,
    )
    with store.staging.directory() as scratch:
        return run_in(
            session.runtime(),
            spec,
            layers=layers,
            base=str(store.paths.layers),
            upper=None,
            work=None,
            scratch=str(scratch),
            container_mounts=[Bind(source=m.source, target=m.target, read_only=m.read_only)
                              for m in request.mounts],
            inherit=True,
        )


def command_of(request: RunRequest, config: RunConfig) -> tuple[str, ...]:
    """What is executed: arguments replace CMD, --entrypoint replaces ENTRYPOINT and drops CMD."""
    if request.entrypoint is not None:
        words = (*request.entrypoint, *request.args)
    else:
        words = (*(config.Entrypoint or ()), *(request.args or config.Cmd or ()))
    if not words:
        raise UsageError(f"{request.image} names no command", hint="give one after the image")
    return words


def _pairs(variables: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, _, value in (v.partition("=") for v in variables)}
