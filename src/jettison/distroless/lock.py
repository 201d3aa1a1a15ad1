"""The lock: every package of a spec, pinned, for each architecture; written to diff well.

It is JSON with a line for each package, in the order of names. Nothing in it depends on when or
where it was made, but the states of archives. Its digest finds what was edited or merged badly;
whoever may write the lock can compute that anew, so a lock is trusted as the spec beside it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from jettison.distroless.model import ArchiveState, Dropped, Link, PackageRef, Resolution
from jettison.distroless.sources import checked_url
from jettison.errors import DistrolessError, PackageError, TrustError
from jettison.model.digest import sha256_digest
from jettison.packages.debversion import split_version

VERSION = 1
_MAX_LOCK = 64 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_HASH = re.compile(r"[0-9a-f]{64}")
_AGAIN = "make it anew with jettison base lock"


class LockedPackage(Struct, frozen=True, kw_only=True):
    """A pinned package; ``why`` has what wanted it: pairs of a name (empty: the spec), a relation.

    ``path`` is below the address of archive number ``archive``; ``size`` in bytes.
    """

    name: str
    version: str
    architecture: str
    archive: int
    path: str
    size: int
    sha256: str
    why: tuple[Link, ...] = ()


class LockedArchitecture(Struct, frozen=True, kw_only=True):
    """Everything pinned for one architecture."""

    packages: tuple[LockedPackage, ...]
    dropped: tuple[Dropped, ...] = ()


class Lock(Struct, frozen=True, kw_only=True):
    """``spec`` is the digest of what was resolved, ``architectures`` are by Debian's names."""

    spec: str
    archives: tuple[ArchiveState, ...]
    architectures: Mapping[str, LockedArchitecture]

    def resolution(self, architecture: str) -> Resolution:
        """The packages for ``architecture``, as resolving gave them.

        Raises DistrolessError if the lock has none for it.
        """
        locked = self.architectures.get(architecture)
        if locked is None:
            raise DistrolessError(
                f"the lock has no packages for {architecture}",
                hint=f"it has {', '.join(sorted(self.architectures))}; {_AGAIN}",
            )
        packages = tuple(
            PackageRef(
                name=p.name,
                version=p.version,
                architecture=p.architecture,
                archive=p.archive,
                filename=p.path,
                size=p.size,
                sha256=p.sha256,
            )
            for p in locked.packages
        )
        why = {p.name: p.why for p in locked.packages}
        return Resolution(architecture, packages, why, locked.dropped)

    def check_spec(self, digest: str) -> None:
        """Raises TrustError if the spec is not the one that was locked."""
        if self.spec != digest:
            raise TrustError("the lock is of another spec: it has changed since", hint=_AGAIN)


class _Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    digest: str
    spec: str
    archives: tuple[ArchiveState, ...]
    architectures: dict[str, LockedArchitecture]


def make_lock(
    spec: str, archives: Sequence[ArchiveState], resolutions: Sequence[Resolution]
) -> Lock:
    """The lock of a spec with this digest, resolved for one or more architectures."""
    return Lock(
        spec=spec,
        archives=tuple(archives),
        architectures={
            r.architecture: LockedArchitecture(
                packages=tuple(
                    LockedPackage(
                        name=p.name,
                        version=p.version,
                        architecture=p.architecture,
                        archive=p.archive,
                        path=p.filename,
                        size=p.size,
                        sha256=p.sha256,
                        why=r.why.get(p.name, ()),
                    )
                    for p in sorted(r.packages, key=lambda p: p.name)
                ),
                dropped=r.dropped,
            )
            for r in sorted(resolutions, key=lambda r: r.architecture)
        },
    )


def write_lock(lock: Lock) -> bytes:
    """The lock as it is in a file."""
    document = _Document(
        version=VERSION,
        digest=_digest(lock),
        spec=lock.spec,
        archives=lock.archives,
        architectures=dict(sorted(lock.architectures.items())),
    )
    text = _laid_out(msgspec.to_builtins(document), "")
    return text.encode("utf-8", "surrogatepass") + b"\n"


def read_lock(data: bytes, name: str) -> Lock:
    """The lock of a file, which errors call ``name``.

    Raises TrustError if it is no lock, of another version, or not as it was written.
    """
    if len(data) > _MAX_LOCK:
        raise TrustError(f"{name} is too large for a lock")
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version != VERSION:
            raise TrustError(f"{name} has version {version} instead of {VERSION}", hint=_AGAIN)
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TrustError(f"{name} is no lock: {error}", hint=_AGAIN) from None
    lock = Lock(
        spec=document.spec, archives=document.archives, architectures=document.architectures
    )
    if _digest(lock) != document.digest:
        raise TrustError(
            f"{name} is not as it was written: its content does not have its digest",
            hint=f"it was edited, or merged; {_AGAIN}",
        )
    _check(lock, name)
    return lock


def _laid_out(value: object, indent: str) -> str:
    """JSON in which each entry of a list is one line, so that a changed package is one."""
    inner = indent + " "
    if isinstance(value, dict) and value:
        lines = [f"{_json(key)}: {_laid_out(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and value:
        return "[\n" + ",\n".join(inner + _json(item) for item in value) + f"\n{indent}]"
    return _json(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


class _Version(Struct, frozen=True):
    version: int


def _digest(lock: Lock) -> str:
    return sha256_digest(msgspec.json.encode(lock, order="deterministic"))


def _check(lock: Lock, name: str) -> None:
    """What is written into addresses and paths is what it should be, whoever wrote it."""
    for state in lock.archives:
        try:
            for url in (state.url, *((state.snapshot,) if state.snapshot else ())):
                checked_url(url, name)
        except DistrolessError as error:
            raise TrustError(error.message, hint=error.hint) from None
    for architecture, locked in lock.architectures.items():
        names = [package.name for package in locked.packages]
        if len(set(names)) != len(names):
            raise TrustError(f"{name} has a package twice for {architecture}", hint=_AGAIN)
        for package in locked.packages:
            if not _is_sound(package, architecture, len(lock.archives)):
                raise TrustError(f"{name}: {package.name[:100]!r} is malformed", hint=_AGAIN)


def _is_sound(package: LockedPackage, architecture: str, archives: int) -> bool:
    try:
        split_version(package.version)
    except PackageError:
        return False
    return bool(
        _NAME.fullmatch(package.name)
        and _ARCHITECTURE.fullmatch(architecture)
        and package.architecture in (architecture, "all")
        and _HASH.fullmatch(package.sha256)
        and package.size > 0
        and 0 <= package.archive < archives
        and package.path
        and not package.path.startswith("/")
        and ".." not in package.path.split("/")
    )
