"""Helpers of these tests."""

from __future__ import annotations

import io
import threading
from typing import IO, Any

from jettison.model.digest import Digest
from jettison.model.event import Event, StepProgress
from jettison.model.oci import Descriptor
from jettison.model.reference import Reference, parse_reference
from jettison.registry.config import Credential
from tests.integration.support.layouts import Layout


def ref(text: str) -> Reference:
    return parse_reference(text)


def as_descriptor(document: dict[str, Any]) -> Descriptor:
    """A descriptor as the layouts of the test support write it."""
    return Descriptor(document["mediaType"], Digest(document["digest"]), document["size"])


class Fixed:
    """A credential source that knows some hosts, and remembers what it was asked."""

    def __init__(self, **known: Credential) -> None:
        self.known = known
        self.asked: list[str] = []

    @classmethod
    def of(cls, host: str, user: str, password: str) -> Fixed:
        return cls(**{host: Credential(user, password)})

    def lookup(self, host: str, path: str) -> Credential | None:
        self.asked.append(host)
        return self.known.get(host)


class Recorder:
    """An observer that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._lock:
            self.events.append(event)

    def last(self) -> dict[str, tuple[int, int]]:
        """The last (current, total) of each part."""
        found = [e for e in self.events if isinstance(e, StepProgress)]
        return {e.part: (e.current, e.total) for e in found}


class LayoutSource:
    """A layout of the test support as a BlobSource; ``opened`` counts by digest."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.opened: list[str] = []

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        self.opened.append(descriptor.digest)
        return io.BytesIO(self._layout.read({"digest": descriptor.digest}))
