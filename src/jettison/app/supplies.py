"""What a build gets from outside: base images, remote sources, secrets, agents, certificates.

Each is opened when it is first asked for, and closed with the build.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jettison.app.grants import Agents, secret_reader
from jettison.app.request import BuildRequest
from jettison.app.session import Session
from jettison.app.sources import BaseImages
from jettison.errors import SandboxError
from jettison.model.event import Observer

if TYPE_CHECKING:
    from jettison.model.source import ImageSource
    from jettison.sandbox.runtime import Runtime
    from jettison.solve.remote import Remotes


class Supplies:
    """The supplies of one build, from any thread; ``stack`` closes them."""

    def __init__(
        self,
        request: BuildRequest,
        session: Session,
        stack: ExitStack,
        observer: Observer,
        cancel: threading.Event,
    ) -> None:
        self._request = request
        self._session = session
        self._store = session.store
        self._stack = stack
        self._observer = observer
        self._cancel = cancel
        self._lock = threading.RLock()
        self._scratch: str | None = None
        self._registry: ImageSource | None = None
        self._remotes: Remotes | None = None
        self._agents: Agents | None = None
        self._runtime: Runtime | None = None
        self.secret = secret_reader(request.secrets, session.environ)
        self.images = BaseImages(
            session.store.images,
            self._open_registry,
            self._open_layout,
            pull=request.pull,
            size=session.store.blobs.size,
        )

    def scratch(self, name: str) -> str:
        """A path for what has to be fetched; made only when something is put there."""
        with self._lock:
            if self._scratch is None:
                self._scratch = str(self._stack.enter_context(self._store.staging.directory()))
            return os.path.join(self._scratch, name)

    def remotes(self) -> Remotes:
        """The URLs and repositories of ADD."""
        from jettison.solve.access import Access
        from jettison.solve.remote import Remotes

        with self._lock:
            if self._remotes is None:
                self._remotes = Remotes(
                    self._store,
                    self._session.environ,
                    self._observer,
                    self._cancel,
                    Access(self.secret, self.agent),
                )
            return self._remotes

    def agent(self, agent_id: str) -> str | None:
        """The socket of an ssh agent that --ssh names, None if it names none."""
        with self._lock:
            if self._agents is None:
                scratch = self._stack.enter_context(self._store.staging.directory())
                self._agents = Agents(
                    self._request.ssh, self._session.environ, self._stack, str(scratch)
                )
        return self._agents.socket(agent_id)

    def runtime(self) -> Runtime:
        """The OCI runtime; raises SandboxError if none works here."""
        from jettison.app.notices import announce

        with self._lock:
            if self._runtime is None:
                self._runtime = self._session.runtime()
                announce(self._session.isolation, self._runtime, self._observer)
            return self._runtime

    def ca_bundle(self) -> str | None:
        """The host's bundle of CA certificates, if RUN is to see it; raises SandboxError."""
        if not self._request.host_ca:
            return None
        from jettison.sandbox.hostca import find_bundle

        bundle = find_bundle(self._session.environ)
        if bundle is None:
            raise SandboxError(
                "--host-ca: this host has no bundle of CA certificates",
                hint="install ca-certificates, or name a bundle in SSL_CERT_FILE",
            )
        return bundle

    def _open_registry(self) -> ImageSource:
        """One for all base images: connections and tokens are used again."""
        from jettison.app.registries import registry_source

        with self._lock:
            if self._registry is None:
                source = registry_source(self._session, self._cancel)
                self._registry = self._stack.enter_context(source)
            return self._registry

    def _open_layout(self, path: str) -> ImageSource:
        from jettison.image.layout import open_layout

        return self._stack.enter_context(open_layout(path))
