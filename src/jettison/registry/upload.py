"""Uploading one blob: mounted from elsewhere, else one streamed PUT, else resumed by PATCH."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from jettison.errors import AuthError, ImageError, NotFoundError, RegistryError
from jettison.model.digest import Digest
from jettison.model.oci import Descriptor
from jettison.registry.failures import LostConnectionError, StatusError
from jettison.registry.session import ResendError, Session

if TYPE_CHECKING:
    import httpx

_CHUNK = 256 << 10
_RANGE = re.compile(r"^(?:bytes=)?0-(\d+)$")


def has_blob(session: Session, digest: Digest, actions: str = "pull") -> bool:
    """Whether the repository has the blob; ``actions`` are those of the token that is used."""
    try:
        session.request(
            "HEAD",
            session.url("blobs", digest),
            scopes=[session.scope(actions)],
            what=f"{session.endpoint.host}/{session.endpoint.path}: blob {digest}",
        ).close()
    except NotFoundError:
        return False
    return True


def upload(
    session: Session,
    descriptor: Descriptor,
    open_source: Callable[[], IO[bytes]],
    *,
    mount_from: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> str:
    """Upload a blob that the repository lacks; returns ``mounted`` or ``uploaded``.

    When the connection breaks, the registry is asked how much it has; the rest follows by PATCH,
    or everything again if it does not say. Raises AuthError, RegistryError, ImageError if the
    source does not have the size it should, and what ``open_source`` and ``progress`` raise.
    """
    return _Upload(session, descriptor, open_source, progress).run(mount_from)


@dataclass
class _Upload:
    session: Session
    descriptor: Descriptor
    open_source: Callable[[], IO[bytes]]
    progress: Callable[[int], None] | None
    location: str = ""
    offset: int = 0

    def run(self, mount_from: Sequence[str]) -> str:
        for path in mount_from:
            if self._mount(path):
                return "mounted"
        transport = self.session.transport
        for attempt in range(1, transport.settings.attempts + 1):
            try:
                if not self.location:
                    self._begin()
                self._send()
                return "uploaded"
            except (LostConnectionError, StatusError, ResendError) as error:
                if attempt == transport.settings.attempts or not _may_pass(error):
                    if isinstance(error, ResendError):
                        raise AuthError(
                            f"{self._what}: the registry asks for a login again and again"
                        ) from None
                    raise
                if not isinstance(error, ResendError):
                    transport.pause(attempt)
            if has_blob(self.session, self.descriptor.digest, "pull,push"):
                return "uploaded"  # only the answer was lost
            self._ask_offset()
        raise AssertionError("unreachable")

    @property
    def _what(self) -> str:
        endpoint = self.session.endpoint
        return f"{endpoint.host}/{endpoint.path}: upload of {self.descriptor.digest}"

    def _request(
        self,
        method: str,
        url: str,
        *,
        expect: tuple[int, ...],
        headers: dict[str, str] | None = None,
        content: bytes | Iterator[bytes] | None = None,
        scopes: tuple[str, ...] = (),
    ) -> httpx.Response:
        response = self.session.request(
            method,
            url,
            scopes=(self.session.scope("pull,push"), *scopes),
            what=self._what,
            expect=expect,
            headers=headers,
            content=content,
        )
        response.close()
        return response

    def _mount(self, path: str) -> bool:
        """Try to have the blob linked from another repository. If the registry begins an upload
        instead, that one is used.
        """
        query = urlencode({"mount": self.descriptor.digest, "from": path}, safe=":/")
        url = f"{self.session.url('blobs', 'uploads')}/?{query}"
        try:
            response = self._request(
                "POST", url, expect=(201, 202), scopes=(self.session.scope("pull", path),)
            )
        except (AuthError, NotFoundError, StatusError):
            return False  # no right to read there, or no mounting here
        if response.status_code == 202:
            self._moved(response, url)
        return response.status_code == 201

    def _begin(self) -> None:
        url = f"{self.session.url('blobs', 'uploads')}/"
        self.offset = 0
        self._moved(self._request("POST", url, expect=(202,)), url)
        if not self.location:
            raise RegistryError(f"{self._what}: the registry does not say where to upload to")

    def _send(self) -> None:
        """Everything by one PUT; or what is missing by PATCH, and an empty PUT."""
        size = self.descriptor.size
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - self.offset),
        }
        with closing(self._content()) as content:
            if self.offset == 0:
                self._request(
                    "PUT", self._final(), expect=(201, 204), headers=headers, content=content
                )
                return
            if self.offset < size:
                headers["Content-Range"] = f"{self.offset}-{size - 1}"
                answer = self._request(
                    "PATCH", self.location, expect=(202, 204), headers=headers, content=content
                )
                self._moved(answer, self.location)
        self._request(
            "PUT", self._final(), expect=(201, 204), headers={"Content-Length": "0"}, content=b""
        )

    def _final(self) -> str:
        parts = urlsplit(self.location)
        digest = urlencode({"digest": self.descriptor.digest}, safe=":")
        query = f"{parts.query}&{digest}" if parts.query else digest
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    def _content(self) -> Generator[bytes, None, None]:
        """The content from the offset on. Raises ImageError if it is too short or too long."""
        size = self.descriptor.size
        with self.open_source() as source:
            position = _skip(source, self.offset)
            while chunk := source.read(_CHUNK):
                position += len(chunk)
                if position > size:
                    break
                yield chunk
                if self.progress is not None:
                    self.progress(position)
        if position != size:
            raise ImageError(f"{self._what}: the blob does not have the {size} bytes it should")

    def _ask_offset(self) -> None:
        """How much the registry has of a broken upload; a new upload if it does not say so."""
        location, self.location, self.offset = self.location, "", 0
        if not location:
            return
        try:
            response = self._request("GET", location, expect=(204,))
        except (RegistryError, NotFoundError):
            return
        match = _RANGE.match(response.headers.get("Range", ""))
        # 0-0 is said by some of nothing and by some of one byte.
        if match is not None and 0 < int(match[1]) < self.descriptor.size:
            self.offset = int(match[1]) + 1
            self.location = location
            self._moved(response, location)

    def _moved(self, response: httpx.Response, url: str) -> None:
        location = response.headers.get("Location")
        if location:
            self.location = self.session.transport.location(url, location)


def _may_pass(error: LostConnectionError | StatusError | ResendError) -> bool:
    if isinstance(error, LostConnectionError):
        return error.passing
    return isinstance(error, ResendError) or error.status in (408, 416, 429) or error.status >= 500


def _skip(source: IO[bytes], count: int) -> int:
    position = 0
    while position < count and (chunk := source.read(min(_CHUNK, count - position))):
        position += len(chunk)
    return position
