"""Fetching files of archives: over HTTP or from a directory, again after what passes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlsplit

from jettison import __version__
from jettison.errors import Cancelled, FetchError, NotFoundError
from jettison.model.oci import Descriptor

_T = TypeVar("_T")
_TIMEOUT = 30.0
"""Seconds without a byte."""
ATTEMPTS = 4
_CHUNK = 256 << 10


class PassingError(FetchError):
    """A failure that may be over the next time: a cut connection, a server that is busy."""


class Body(Protocol):
    """A file that is being read; ``offset`` is where it begins, 0 if the source cannot skip."""

    offset: int

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; none only at the end. Raises PassingError if it is cut off."""
        ...

    def close(self) -> None: ...


class Transport(Protocol):
    """What gets files from archives; several threads use it at once."""

    def open(self, url: str, offset: int = 0) -> Body:
        """Raises NotFoundError if there is no such file, FetchError otherwise."""
        ...


class Network:
    """http, https and file addresses; the proxies are those of the environment."""

    def open(self, url: str, offset: int = 0) -> Body:
        """As Transport says."""
        if urlsplit(url).scheme == "file":
            return _open_file(url, offset)
        return _open_http(url, offset)


class Fetcher:
    """Gets files whole, trying again after a ``pause`` (seconds, longer each time)."""

    def __init__(
        self,
        transport: Transport,
        cancel: threading.Event,
        *,
        offline: bool = False,
        pause: float = 0.5,
    ) -> None:
        self._transport = transport
        self._cancel = cancel
        self.offline = offline
        self._pause = pause

    def text(self, url: str, limit: int) -> bytes:
        """A small file. Raises NotFoundError, or FetchError, also if it has more than ``limit``
        bytes.
        """

        def read() -> bytes:
            body = self.open(url)
            try:
                parts, total = [], 0
                while data := body.read(_CHUNK):
                    self.check()
                    total += len(data)
                    if total > limit:
                        raise FetchError(f"{url} has more than {limit} bytes")
                    parts.append(data)
                return b"".join(parts)
            finally:
                body.close()

        return self.again(read)

    def open(self, url: str, offset: int = 0) -> Body:
        """As Transport says, and raises FetchError when offline."""
        self.check()
        if self.offline and urlsplit(url).scheme != "file":
            raise FetchError(f"{url} is needed, and there is no network in offline mode")
        return self._transport.open(url, offset)

    def again(self, act: Callable[[], _T]) -> _T:
        """``act``, repeated after a while for as long as its failures may pass."""
        for attempt in range(1, ATTEMPTS):
            try:
                return act()
            except PassingError:
                if self._cancel.wait(self._pause * attempt):
                    raise Cancelled from None
        return act()

    def check(self) -> None:
        """Raises Cancelled when somebody has asked for it."""
        if self._cancel.is_set():
            raise Cancelled


class FileSource:
    """One file at one of several addresses, as a `model.source.ResumableSource`."""

    def __init__(self, fetcher: Fetcher, urls: Sequence[str]) -> None:
        self._fetcher = fetcher
        self._urls = urls

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """The file from its beginning."""
        return self.open_blob_from(descriptor, 0)

    def open_blob_from(self, descriptor: Descriptor, offset: int) -> IO[bytes]:
        """The file from ``offset`` on. Raises NotFoundError if no address has it."""
        for number, url in enumerate(self._urls, 1):
            try:
                body = self._fetcher.open(url, offset)
            except NotFoundError:
                if number == len(self._urls):
                    raise
                continue
            _skip(body, offset - body.offset)
            return cast("IO[bytes]", _Stream(body))
        raise NotFoundError("there is no address to fetch from")

    def may_differ(self) -> bool:
        """An address gives the same bytes again."""
        return False


class _Stream:
    """A body as a context manager, which whoever reads blobs wants."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.read = body.read

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self._body.close()

    def close(self) -> None:
        self._body.close()


class _FileBody:
    def __init__(self, file: IO[bytes], url: str, offset: int) -> None:
        self._file = file
        self._url = url
        self.offset = offset

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise FetchError(f"cannot read {self._url}: {error.strerror}") from None

    def close(self) -> None:
        self._file.close()


class _HttpBody:
    """An answer that has to be as long as it says."""

    def __init__(self, response: Any, url: str, offset: int) -> None:
        self._response = response
        self._url = url
        self.offset = offset
        length = response.headers.get("Content-Length", "")
        self._left = int(length) if length.isdecimal() else None

    def read(self, size: int = -1, /) -> bytes:
        import http.client

        try:
            data: bytes = self._response.read(size if size >= 0 else None)
        except (OSError, http.client.HTTPException) as error:
            raise PassingError(f"{self._url}: the download broke off: {error}") from None
        if self._left is not None:
            self._left -= len(data)
            if self._left > 0 and (not data or size < 0):
                raise PassingError(f"{self._url}: the download broke off")
        return data

    def close(self) -> None:
        self._response.close()


def _open_file(url: str, offset: int) -> Body:
    path = os.fsdecode(unquote(urlsplit(url).path, errors="surrogateescape"))
    try:
        file = open(path, "rb")  # noqa: SIM115  # the body closes it
        file.seek(offset)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no {path}") from None
    except (OSError, ValueError) as error:
        raise FetchError(f"cannot read {path}: {error}") from None
    return _FileBody(file, url, offset)


def _open_http(url: str, offset: int) -> Body:
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": f"jettison/{__version__}"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(url, error.code) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise PassingError(
            f"cannot fetch {url}: {reason}",
            hint="is the archive right, and reached through a proxy (http_proxy, https_proxy)?",
        ) from None
    if not response.url.startswith(("http:", "https:")):
        response.close()
        raise FetchError(f"{url} leads to {response.url}, which is not followed")
    begins = response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
    return _HttpBody(response, url, offset if response.status == 206 and begins else 0)


def _refused(url: str, status: int) -> Exception:
    if status in (404, 410):
        return NotFoundError(f"there is no {url}")
    kind = PassingError if status in (408, 416, 425, 429) or status >= 500 else FetchError
    return kind(f"cannot fetch {url}: the server answers with status {status}")


def _skip(body: Body, count: int) -> None:
    """Read over what is here already, if the source began before it."""
    while count > 0:
        data = body.read(min(count, _CHUNK))
        if not data:
            return
        count -= len(data)
