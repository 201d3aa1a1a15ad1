"""What is asked of a base image, and what is known of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from jettison.distroless import catalog
from jettison.distroless.compose import Composed
from jettison.distroless.fetch import Transport
from jettison.distroless.spec import Spec
from jettison.errors import UsageError
from jettison.model.digest import Digest

DEBUG = ":debug"


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


def transport() -> Transport:
    """What gets files from archives."""
    from jettison.distroless.fetch import Network

    return Network()


def wanted(spec: Spec, request: BaseRequest) -> tuple[str, ...]:
    """The architectures to make, by Debian's names: those asked for, the spec's, or the host's."""
    return request.architectures or spec.architectures() or tuple(_host())


def _host() -> Iterator[str]:
    import os

    from jettison.distroless.spec import ARCHITECTURES

    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise UsageError(f"no archive is known for {machine}", hint="name one with --arch")
    yield ARCHITECTURES[machine]
