"""What tests of archives do again and again."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jettison.distroless.download import Downloads
from jettison.distroless.fetch import Network
from jettison.distroless.lock import Lock, make_lock
from jettison.distroless.model import Archive
from jettison.distroless.repository import Repository
from jettison.distroless.resolve import resolve
from jettison.model.event import Event, Warned
from jettison.store.store import Store
from tests.integration.support.debarchive import DebArchive
from tests.integration.support.web import Web

NOW = datetime(2026, 7, 12, tzinfo=UTC)


@dataclass
class Lab:
    """An archive, the server before it, and a store; ``events`` are what was told."""

    archive: DebArchive
    web: Web
    store: Store
    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Warned)]

    def source(self, **options: Any) -> Archive:
        """The archive as a spec would name it."""
        given = {
            "url": f"{self.web.url}/debian",
            "suite": self.archive.suite,
            "keyrings": (str(self.archive.key.keyring),),
            **options,
        }
        return Archive(**given)

    def repository(self, *sources: Archive, now: datetime = NOW, **options: Any) -> Repository:
        given = {"etc": Path("/nonexistent"), "keyrings": Path("/nonexistent"), **options}
        return Repository(self.store, sources or (self.source(),), Network(), now, self, **given)

    def lock(
        self, *sources: Archive, wanted: str = "app", architectures: str = "amd64", **options: Any
    ) -> Lock:
        repository = self.repository(*sources, **options)
        found = []
        for architecture in architectures.split():
            with repository.index(architecture) as index:
                found.append(resolve(wanted.split(), index))
        return make_lock("sha256:spec", repository.states(), found)

    def fetch(
        self,
        lock: Lock,
        architecture: str = "amd64",
        *,
        offline: bool = False,
        cancel: threading.Event | None = None,
    ) -> dict[str, Path]:
        downloads = Downloads(
            self.store, lock.archives, Network(), self, offline=offline, cancel=cancel
        )
        return downloads.fetch(lock.resolution(architecture).packages)

    def blobs(self) -> set[str]:
        return set(os.listdir(self.store.paths.blobs / "sha256"))
