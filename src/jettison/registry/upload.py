"""Uploading one blob: mounted from elsewhere, else one streamed PUT, else resumed by PATCH.

One PUT is what all registries know and what is fastest. When it fails, the registry is asked what
it has; what is missing follows in pieces (distribution spec, "Pushing a blob in chunks"), so that
the next failure costs one piece at most. A registry that knows no pieces gets the blob as a whole
again. docker-registry itself forgets an upload in which a request was cut off.
"""

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
from jettison.registry.transport import PASSING_STATUS

if TYPE_CHECKING:
    import httpx

_CHUNK = 256 << 10
_PIECE = 16 << 20
"""Least bytes of one PATCH, once an upload as a whole has failed."""
_PIECES = 8
"""PATCHes of a large blob: each one whose answer is lost may cost all that came before."""
_PASSING = PASSING_STATUS
_DROPPED = frozenset({404, 416})
"""Statuses of a registry that lost an upload: it is begun anew."""
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

    When it breaks off, the registry is asked how much it has; the rest follows, or everything
    again if it does not say. Raises AuthError, RegistryError, ImageError if the
    source does not have the size it should, and what ``open_source`` and ``progress`` raise.
    """
    return _Upload(session, descriptor, open_source, progress).run(mount_from)


@dataclass
class _Upload:
    """``offset`` is what the registry has of the upload at ``location``; ``pieces`` says how the
    content is sent: None all at once, else in PATCHes of so many bytes.
    """

    session: Session
    descriptor: Descriptor
    open_source: Callable[[], IO[bytes]]
    progress: Callable[[int], None] | None
    location: str = ""
    offset: int = 0
    pieces: int | None = None
    whole_only: bool = False

    def run(self, mount_from: Sequence[str]) -> str:
        for path in mount_from:
            if self._mount(path):
                return "mounted"
        failures = forgotten = 0
        while True:
            before = self.offset
            try:
                if not self.location:
                    self._begin()
                self._send()
                return "uploaded"
            except (LostConnectionError, StatusError, ResendError) as error:
                failures = 1 if self.offset > before else failures + 1
                self._wait(error, max(failures, forgotten))
            if has_blob(self.session, self.descriptor.digest, "pull,push"):
                return "uploaded"  # only the answer was lost
            reached = self.offset
            self._ask_offset()
            if reached and not self.location:
                # It forgets what breaks off: then the fewer requests, the better.
                forgotten += 1
                self.pieces = None

    def _wait(self, error: LostConnectionError | StatusError | ResendError, failures: int) -> None:
        """Wait before the next attempt; raises ``error`` if there is to be none."""
        transport = self.session.transport
        if self._is_refusal_of_pieces(error):
            self.pieces, self.whole_only, self.location = None, True, ""
            return
        if failures >= transport.settings.attempts or not _may_pass(error):
            if isinstance(error, ResendError):
                raise AuthError(
                    f"{self._what}: the registry asks for a login again and again"
                ) from None
            raise error
        if isinstance(error, ResendError):
            return
        asked = error.retry_after if isinstance(error, StatusError) else None
        if asked is not None and asked > transport.settings.longest_wait:
            raise error
        if not self.whole_only:
            # From now on a failure shall not cost all that was sent before.
            self.pieces = max(_PIECE, self.descriptor.size // _PIECES, self.pieces or 0)
        transport.pause(failures, asked)

    def _is_refusal_of_pieces(self, error: Exception) -> bool:
        """Whether a registry that takes uploads as a whole only said so, in one way or another."""
        if self.whole_only or self.pieces is None or not isinstance(error, StatusError):
            return False
        return (400 <= error.status < 500 and error.status not in _PASSING) or error.status == 501

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
        answer = self._request("POST", url, expect=(202,))
        self._moved(answer, url)
        least = answer.headers.get("OCI-Chunk-Min-Length", "")
        if self.pieces is not None and least.isdecimal():
            self.pieces = max(self.pieces, int(least[:12]))
        if not self.location:
            raise RegistryError(f"{self._what}: the registry does not say where to upload to")

    def _send(self) -> None:
        """Everything by one PUT; or what is missing by PATCH, and an empty PUT."""
        size = self.descriptor.size
        with self.open_source() as source:
            _skip(source, self.offset)
            if self.offset == 0 and (self.pieces is None or size <= self.pieces):
                self._transfer("PUT", self._final(), source, size)
                return
            while self.offset < size:
                end = min(size, self.offset + (self.pieces or size))
                answer = self._transfer("PATCH", self.location, source, end)
                self.offset = end
                self._moved(answer, self.location)
        self._exchange(
            "PUT", self._final(), expect=(201, 204), headers={"Content-Length": "0"}, content=b""
        )

    def _transfer(self, method: str, url: str, source: IO[bytes], end: int) -> httpx.Response:
        """Send what ``source`` gives next as the bytes from the offset to ``end``."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - self.offset),
        }
        if method == "PATCH":
            headers["Content-Range"] = f"{self.offset}-{end - 1}"
        with closing(self._content(source, end)) as content:
            return self._exchange(
                method, url, expect=(201, 202, 204), headers=headers, content=content
            )

    def _exchange(
        self,
        method: str,
        url: str,
        *,
        expect: tuple[int, ...],
        headers: dict[str, str],
        content: bytes | Iterator[bytes],
    ) -> httpx.Response:
        """A request of an upload that has begun: 404 means that the registry dropped it."""
        try:
            return self._request(method, url, expect=expect, headers=headers, content=content)
        except NotFoundError as error:
            self.location = ""
            raise StatusError(error.message, status=404) from None

    def _final(self) -> str:
        parts = urlsplit(self.location)
        digest = urlencode({"digest": self.descriptor.digest}, safe=":")
        query = f"{parts.query}&{digest}" if parts.query else digest
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    def _content(self, source: IO[bytes], end: int) -> Generator[bytes, None, None]:
        """The content from the offset to ``end``. Raises ImageError if ``source`` ends before it,
        or goes on after the end of the blob.
        """
        position, size = self.offset, self.descriptor.size
        while position < end and (chunk := source.read(min(_CHUNK, end - position))):
            position += len(chunk)
            yield chunk
            if self.progress is not None:
                self.progress(position)
        if position != end or (end == size and source.read(1)):
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
    return isinstance(error, ResendError) or error.status in _PASSING or error.status in _DROPPED


def _skip(source: IO[bytes], count: int) -> None:
    """Go to the byte ``count`` of a source that was just opened."""
    if count and source.seekable():
        source.seek(count)
        return
    while count > 0 and (chunk := source.read(min(_CHUNK, count))):
        count -= len(chunk)
