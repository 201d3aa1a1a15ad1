"""The verbs of the distribution protocol (OCI distribution specification v1.1)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, TypeVar

from jettison.errors import ImageError, JettisonError, NotFoundError, RegistryError
from jettison.model.digest import Digest, parse_digest, sha256_digest
from jettison.model.oci import INDEX_TYPES, MANIFEST_TYPES, MAX_DOCUMENT, Descriptor
from jettison.model.reference import Reference
from jettison.registry.config import Anonymous, CredentialSource
from jettison.registry.documents import check_digest, check_kind, media_type_of
from jettison.registry.failures import LostConnectionError, RefusedError, StatusError
from jettison.registry.hosts import Endpoint, endpoints, origin_endpoint
from jettison.registry.session import Session
from jettison.registry.settings import Settings
from jettison.registry.stream import BlobStream
from jettison.registry.transport import Transport
from jettison.registry.upload import has_blob, upload

if TYPE_CHECKING:
    import httpx

ACCEPT = ", ".join([*sorted(MANIFEST_TYPES), *sorted(INDEX_TYPES), "*/*;q=0.1"])

_MAX_TAGS_PAGE = 16 << 20
_MAX_PAGES = 10_000

T = TypeVar("T")


class RegistryClient:
    """Talks to any number of registries; safe to use from several threads.

    Reading asks the mirrors of a host first and the host itself last; writing asks the host only.
    All methods raise AuthError, NotFoundError, ImageError (what came is malformed or is not what
    its digest says) or RegistryError. Close it at the end; it is a context manager.
    """

    def __init__(
        self, settings: Settings | None = None, credentials: CredentialSource | None = None
    ) -> None:
        """Without ``credentials`` it is anonymous."""
        self.settings = settings or Settings()
        self.transport = Transport(self.settings)
        self._credentials = credentials or Anonymous()
        self._sessions: dict[Endpoint, Session] = {}
        self._unreachable: set[Endpoint] = set()
        self._mirrored: set[tuple[str, str, Digest]] = set()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def cancel(self) -> None:
        """Let nobody wait any longer: what goes on ends with Cancelled; see Transport.cancel."""
        self.transport.cancel()

    def resolve(self, reference: Reference) -> Descriptor:
        """The descriptor of the manifest or index that ``reference`` names now.

        A digest in the reference counts, and not the tag beside it.
        """
        return self._read(reference, lambda session: _resolve(session, reference))

    def manifest(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a manifest or index of the repository, checked against the digest."""
        if descriptor.size > MAX_DOCUMENT:
            raise ImageError(
                f"{reference}: a manifest of {descriptor.size} bytes; at most {MAX_DOCUMENT} "
                "are read"
            )
        what = f"{reference.repository}@{descriptor.digest}"

        def get(session: Session) -> bytes:
            data, _ = _get_manifest(session, descriptor.digest, what)
            check_digest(data, descriptor.digest, what)
            if len(data) != descriptor.size:
                raise ImageError(f"{what} has {len(data)} bytes instead of {descriptor.size}")
            check_kind(data, descriptor, what)
            return data

        return self._read(reference, get)

    def open_blob(self, reference: Reference, descriptor: Descriptor, offset: int = 0) -> IO[bytes]:
        """A stream of a blob of the repository from ``offset`` on; see stream.BlobStream."""
        what = f"{reference.repository}: blob {descriptor.digest}"

        key = (reference.host, reference.path, descriptor.digest)
        suspect = key in self._mirrored
        opened = 0

        def open_at(offset: int) -> httpx.Response:
            nonlocal opened
            opened += 1
            # A blob that breaks off twice, or is asked for anew, is not well kept by its mirror.
            direct = suspect or opened > 2
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            return self._read(
                reference,
                lambda session: session.request(
                    "GET",
                    session.url("blobs", descriptor.digest),
                    scopes=[session.scope("pull")],
                    what=what,
                    expect=(200, 206) if offset else (200,),
                    headers=headers,
                ),
                direct=direct,
            )

        stream = BlobStream(descriptor, open_at, self.transport, what, offset)
        if self.has_mirrors(reference):
            self._mirrored.add(key)
        return io.BufferedReader(stream, 128 << 10)

    def has_mirrors(self, reference: Reference) -> bool:
        """Whether reading ``reference`` asks others before the registry itself."""
        return len(endpoints(reference.host, reference.path, self.settings)) > 1

    def has_blob(self, reference: Reference, digest: Digest) -> bool:
        """Whether the repository (the registry itself, not a mirror) has the blob."""
        return has_blob(self.session(reference), digest)

    def push_blob(
        self,
        reference: Reference,
        descriptor: Descriptor,
        open_source: Callable[[], IO[bytes]],
        *,
        mount_from: Sequence[str] = (),
        progress: Callable[[int], None] | None = None,
    ) -> str:
        """Have a blob in the repository; see upload.upload. Returns how it came there:
        ``exists``, ``mounted`` or ``uploaded``.

        ``open_source`` opens the blob's content, anew for each attempt. ``mount_from`` names
        repositories of the same registry that may have the blob already.
        """
        session = self.session(reference)
        if has_blob(session, descriptor.digest, "pull,push"):
            return "exists"
        return upload(session, descriptor, open_source, mount_from=mount_from, progress=progress)

    def put_manifest(
        self, reference: Reference, data: bytes, media_type: str, name: str | None = None
    ) -> Digest:
        """Store a manifest under ``name`` (a tag or digest; None: its own digest)."""
        digest = sha256_digest(data)
        what = f"{reference.repository}: manifest {name or digest}"
        session = self.session(reference)
        session.request(
            "PUT",
            session.url("manifests", name or digest),
            scopes=[session.scope("pull,push")],
            what=what,
            expect=(200, 201, 202),
            headers={"Content-Type": media_type},
            content=data,
        ).close()
        return digest

    def tags(self, reference: Reference) -> Iterator[str]:
        """The tags of the repository, page by page as the registry gives them."""
        session = self.session(reference)
        what = f"{reference.repository}: list of tags"
        url: str | None = session.url("tags", "list")
        seen: set[str] = set()
        while url is not None:
            if url in seen or len(seen) >= _MAX_PAGES:
                raise RegistryError(f"{what}: it has no end")
            seen.add(url)
            page = url

            def ask(url: str = page) -> httpx.Response:
                return session.request("GET", url, scopes=[session.scope("pull")], what=what)

            body, response = self.transport.whole(ask, _MAX_TAGS_PAGE, what)
            following = response.links.get("next", {}).get("url")
            yield from _tags(body, what)
            url = self.transport.location(url, following) if following else None

    def session(self, reference: Reference) -> Session:
        """The session with the registry itself, for what writes."""
        return self._session(origin_endpoint(reference.host, reference.path))

    def _session(self, endpoint: Endpoint) -> Session:
        session = self._sessions.get(endpoint)
        if session is None:
            # Two threads may make two; one is kept, and both work.
            made = Session(endpoint, self._credentials, self.transport)
            session = self._sessions.setdefault(endpoint, made)
        return session

    def _read(
        self, reference: Reference, ask: Callable[[Session], T], *, direct: bool = False
    ) -> T:
        *mirrors, last = endpoints(reference.host, reference.path, self.settings)
        for endpoint in () if direct else mirrors:
            if endpoint in self._unreachable:
                continue
            try:
                return ask(self._session(endpoint))
            except LostConnectionError:
                self._unreachable.add(endpoint)  # not to wait for it again for every blob
            except JettisonError:
                pass  # whatever is wrong with a mirror, the registry itself may have it
        return ask(self._session(last))


def _resolve(session: Session, reference: Reference) -> Descriptor:
    what = str(reference)
    name = reference.digest or reference.tag or "latest"
    try:
        response = session.request(
            "HEAD",
            session.url("manifests", name),
            scopes=[session.scope("pull")],
            what=what,
            headers={"Accept": ACCEPT},
        )
    except (StatusError, NotFoundError, RefusedError):
        pass  # some registries know no HEAD; GET also brings the reason
    else:
        response.close()
        found = _from_headers(response, reference)
        if found is not None:
            return found
    data, content_type = _get_manifest(session, name, what)
    if reference.digest is not None:
        check_digest(data, reference.digest, what)
    digest = reference.digest or sha256_digest(data)
    return Descriptor(media_type_of(data, content_type, what), digest, len(data))


def _from_headers(response: httpx.Response, reference: Reference) -> Descriptor | None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    length = response.headers.get("Content-Length", "")
    try:
        digest = parse_digest(response.headers.get("Docker-Content-Digest", ""))
    except ImageError:
        return None
    if kind not in INDEX_TYPES | MANIFEST_TYPES or not length.isdecimal():
        return None
    if reference.digest is not None and digest != reference.digest:
        return None
    size = int(length[:18])
    return Descriptor(kind, digest, size) if size else None  # some say 0 of what they do not know


def _get_manifest(session: Session, name: str, what: str) -> tuple[bytes, str]:
    def ask() -> httpx.Response:
        return session.request(
            "GET",
            session.url("manifests", name),
            scopes=[session.scope("pull")],
            what=what,
            headers={"Accept": ACCEPT},
        )

    data, response = session.transport.whole(ask, MAX_DOCUMENT, what)
    return data, response.headers.get("Content-Type", "")


def _tags(body: bytes, what: str) -> list[str]:
    import json

    try:
        tags = json.loads(body)["tags"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RegistryError(f"{what}: the answer is not a list of tags") from None
    if tags is None:
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError(f"{what}: the answer is not a list of tags")
    return tags
