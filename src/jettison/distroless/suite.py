"""One suite of an archive: its Release file, verified, and the index files that it names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from jettison.distroless.fetch import Fetcher
from jettison.distroless.model import Archive, ArchiveState
from jettison.distroless.trust import Certificates
from jettison.errors import DistrolessError, FetchError, NotFoundError, PackageError, TrustError
from jettison.model.digest import sha256_digest
from jettison.packages.debrelease import IndexFile, ReleaseFile, parse_release_file

_MAX_RELEASE = 32 << 20
_KINDS = (".xz", ".zst", ".gz", "", ".bz2")
"""Compressions of indexes, the smaller to fetch first."""
_AHEAD = timedelta(minutes=10)
"""How far an archive's clock may be before ours."""
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class SignedRelease(Struct, frozen=True):
    """What came from an archive or from the store; ``signature`` is empty if it is an InRelease."""

    text: bytes
    signature: bytes = b""


class Suite(Struct, frozen=True):
    """A verified suite; ``release`` is what was signed."""

    archive: Archive
    release: ReleaseFile
    state: ArchiveState

    def index_files(self, component: str, architecture: str) -> list[IndexFile]:
        """The Packages files of a component, the one to fetch first; the same content in all.

        Raises DistrolessError if the suite has no such component, TrustError if its Release does
        not name the index.
        """
        known = self.release.components
        if known and component not in (*known, *(name.rpartition("/")[2] for name in known)):
            raise DistrolessError(
                f"{self.archive.name} has no component {component}",
                hint=f"it has {', '.join(known)}",
            )
        base = f"{component}/binary-{architecture}/Packages"
        # Security archives put their directory before the names of components.
        for path in (base, f"{self.archive.suite.rpartition('/')[2]}/{base}"):
            found = [self.release.files[path + k] for k in _KINDS if path + k in self.release.files]
            if found:
                return found
        raise TrustError(f"{self.archive.name}: its Release file does not name {base}")

    def plain_hash(self, file: IndexFile) -> str:
        """The SHA-256 of the uncompressed index; empty if the Release does not have it."""
        for kind in _KINDS:
            if kind and file.path.endswith(kind):
                plain = self.release.files.get(file.path.removesuffix(kind))
                return plain.sha256 if plain else ""
        return file.sha256

    def addresses(self, file: IndexFile) -> list[str]:
        """Where an index file is; by its hash first, which stays right while a mirror changes."""
        base = f"{self.archive.url}/dists/{self.archive.suite}"
        plain = f"{base}/{file.path}"
        if not self.release.by_hash:
            return [plain]
        directory = file.path.rpartition("/")[0]
        return [f"{base}/{directory}/by-hash/SHA256/{file.sha256}", plain]


def fetch_release(archive: Archive, fetcher: Fetcher) -> SignedRelease:
    """The suite's InRelease, or its Release with Release.gpg. Raises FetchError."""
    base = f"{archive.url}/dists/{archive.suite}"
    try:
        try:
            return SignedRelease(fetcher.text(f"{base}/InRelease", _MAX_RELEASE))
        except NotFoundError:
            text = fetcher.text(f"{base}/Release", _MAX_RELEASE)
            return SignedRelease(text, fetcher.text(f"{base}/Release.gpg", _MAX_RELEASE))
    except NotFoundError as error:
        raise FetchError(
            f"{archive.name} ({archive.origin or 'given'}): {error.message}",
            hint="is the suite spelled right? Its Release file has to be signed, too",
        ) from None


def verify_release(
    archive: Archive,
    signed: SignedRelease,
    certificates: Callable[[], Certificates],
    now: datetime,
) -> Suite:
    """Check signature, suite and dates. Raises TrustError."""
    keys = certificates()
    if signed.signature:
        text = keys.verify_detached(signed.text, signed.signature)
    else:
        text = keys.verify(signed.text)
    try:
        release = parse_release_file(text)
    except PackageError as error:
        raise TrustError(f"{archive.name}: {error.message}") from None
    _check_suite(archive, release)
    _check_dates(archive, release, now)
    state = ArchiveState(
        url=archive.url,
        suite=archive.suite,
        codename=release.codename,
        origin=release.origin,
        components=archive.components,
        date=release.date.strftime(TIME_FORMAT),
        release=sha256_digest(text),
        snapshot=archive.snapshot or release.snapshots.rstrip("/"),
    )
    return Suite(archive, release, state)


def _check_suite(archive: Archive, release: ReleaseFile) -> None:
    """Another suite's Release has a good signature as well; it must not be put in place of this."""
    known = {name for name in (release.suite, release.codename) if name}
    wanted = archive.suite
    names = {wanted, wanted.partition("/")[0], wanted.replace("/updates", "-security")}
    if known and not known & names:
        raise TrustError(
            f"{archive.name}: its Release file is that of {' or '.join(sorted(known))}",
            hint="is the suite right? If so, the archive or something before it is broken",
        )


def _check_dates(archive: Archive, release: ReleaseFile, now: datetime) -> None:
    if not archive.check_valid_until:
        return
    if release.date > now + _AHEAD:
        raise TrustError(
            f"{archive.name}: its Release file is from the future: {release.date:%Y-%m-%d %H:%M}",
            hint="is the clock of this machine right?",
        )
    if release.valid_until is not None and release.valid_until < now:
        raise TrustError(
            f"{archive.name}: its Release file was valid until {release.valid_until:%Y-%m-%d %H:%M}"
            " (UTC)",
            hint="the mirror is stale; for an old state on purpose (a snapshot) say "
            "check-valid-until=no",
        )
