"""What the parts of composing hand to each other: archives, packages, resolutions, locks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from jettison.packages.relation import Relation, Relations, parse_provides, parse_relations


class Archive(Struct, frozen=True, kw_only=True):
    """One suite of an archive of Debian packages, as a line of apt's sources names it.

    ``url`` has the scheme http, https or file, and no slash at its end. ``keyrings`` are files
    (OpenPGP certificates, binary or armored), ``keys`` armored certificates themselves, and
    ``fingerprints`` those of them that alone may sign (of a certificate or a subkey; all if
    empty). No ``architectures`` means all that the archive has. ``snapshot`` is the address of
    older states, with ``@SNAPSHOTID@`` in the place of a time as ``20260711T101637Z``; empty if
    unknown. ``origin`` says where the archive was named, for messages.
    """

    url: str
    suite: str
    components: tuple[str, ...] = ("main",)
    keyrings: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    check_valid_until: bool = True
    snapshot: str = ""
    origin: str = ""

    @property
    def name(self) -> str:
        """What messages call it: ``http://host/debian bookworm``."""
        return f"{self.url} {self.suite}"


class ArchiveState(Struct, frozen=True, kw_only=True):
    """A suite as it was at ``date`` (RFC 3339, UTC): what a lock says of where packages are from.

    ``release`` is the digest of the signed Release text.
    """

    url: str
    suite: str
    codename: str = ""
    origin: str = ""
    components: tuple[str, ...] = ()
    date: str = ""
    release: str = ""
    snapshot: str = ""


class PackageRef(Struct, frozen=True, kw_only=True):
    """One package file, pinned. ``filename`` is its path below the archive's address, ``archive``
    the number of its `ArchiveState` in the resolution or lock, ``size`` in bytes, ``sha256`` hex.
    """

    name: str
    version: str
    architecture: str
    archive: int
    filename: str
    size: int
    sha256: str

    @property
    def digest(self) -> str:
        """The digest under which the store has the file."""
        return f"sha256:{self.sha256}"

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.architecture})"


class Stanza(Struct, frozen=True, kw_only=True):
    """A package as an index describes it; relations are still text, parsed when asked for."""

    ref: PackageRef
    multi_arch: str = ""
    essential: bool = False
    priority: str = ""
    pre_depends: str = ""
    depends: str = ""
    recommends: str = ""
    provides: str = ""
    conflicts: str = ""
    breaks: str = ""

    @property
    def name(self) -> str:
        return self.ref.name

    @property
    def version(self) -> str:
        return self.ref.version

    def needs(self, *, recommends: bool = False) -> Relations:
        """Pre-Depends, then Depends, then (if asked) Recommends: groups of alternatives.

        Raises PackageError.
        """
        texts = (self.pre_depends, self.depends, self.recommends if recommends else "")
        return tuple(group for text in texts for group in parse_relations(text))

    def excludes(self) -> tuple[Relation, ...]:
        """What may not be installed beside it: Conflicts and Breaks. Raises PackageError."""
        texts = (self.conflicts, self.breaks)
        return tuple(r for text in texts for group in parse_relations(text) for r in group)

    def gives(self) -> tuple[Relation, ...]:
        """Its Provides; a version is one it provides exactly. Raises PackageError."""
        return parse_provides(self.provides)


class PackageIndex(Protocol):
    """All packages to choose from, for one architecture."""

    @property
    def architecture(self) -> str:
        """As Debian names it: ``amd64``, ``arm64``."""
        ...

    def versions(self, name: str) -> tuple[Stanza, ...]:
        """The packages of this name, newest first; of equal versions the one named first."""
        ...

    def providers(self, name: str) -> tuple[Stanza, ...]:
        """The packages that provide ``name`` (whatever version of it)."""
        ...

    def essential(self) -> tuple[str, ...]:
        """The names of essential packages."""
        ...

    def names(self) -> Iterable[str]:
        """Every name there is, provided ones too: for suggestions."""
        ...


class Link(Struct, frozen=True, array_like=True):
    """Why a package is in: ``wanted_by`` (empty: the spec itself) says ``relation``."""

    wanted_by: str
    relation: str


class Exclusion(Struct, frozen=True):
    """A package that is left out although something depends on it, and the reason given."""

    name: str
    reason: str


class Dropped(Struct, frozen=True):
    """A dependency that is not fulfilled: ``wanted_by`` depends on ``relation``, which would have
    brought in ``name``; that is excluded because of ``reason``.
    """

    name: str
    wanted_by: str
    relation: str
    reason: str


class Resolution(Struct, frozen=True):
    """The packages of one architecture, by name; ``why`` has for each every link that leads to it
    (the first is the one that brought it in); ``dropped`` is sorted.
    """

    architecture: str
    packages: tuple[PackageRef, ...]
    why: dict[str, tuple[Link, ...]]
    dropped: tuple[Dropped, ...] = ()

    def chain(self, name: str) -> tuple[str, ...]:
        """From a package the spec names to ``name``: how it came in first. Empty if it is not in.

        The first links form a tree, since a package is in before what it brings.
        """
        found: list[str] = []
        while name in self.why and name not in found:
            found.append(name)
            name = self.why[name][0].wanted_by
        return tuple(reversed(found))
