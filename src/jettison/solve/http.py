"""Fetching a URL for ADD or a remote build context."""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from msgspec import Struct

from jettison import __version__
from jettison.errors import NotFoundError, StepError

_TIMEOUT = 60.0  # seconds without a byte


class Writable(Protocol):
    """Takes all the bytes it is given."""

    def write(self, data: bytes, /) -> object: ...


class Answer(Struct, frozen=True):
    """A response whose body is still to be read; ``body`` None: not modified (304)."""

    body: IO[bytes] | None
    etag: str
    modified: int | None
    """Last-Modified in seconds since the epoch."""
    length: int
    """Content-Length, 0 if unknown."""
    content_type: str


@contextmanager
def fetch(url: str, *, etag: str = "", authorization: str = "") -> Iterator[Answer]:
    """GET ``url``; with ``etag`` the answer may be "not modified".

    ``authorization`` is the value of that header, and is sent on redirects only to the same host.
    Raises NotFoundError for 404, StepError for any other failure.
    """
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": f"jettison/{__version__}"})
    if etag:
        request.add_header("If-None-Match", etag)
    if authorization:
        request.add_unredirected_header("Authorization", authorization)

    class Redirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> urllib.request.Request | None:
            new = super().redirect_request(*args)
            if new is not None and authorization and new.host == request.host:
                new.add_unredirected_header("Authorization", authorization)
            return new

    handlers: list[urllib.request.BaseHandler] = [Redirects()]
    try:
        if url.startswith("https:"):
            tls = ssl.create_default_context()
            handlers.append(urllib.request.HTTPSHandler(context=tls))
        response = urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 304:
                yield Answer(None, etag, None, 0, "")
                return
        kind = NotFoundError if error.code == 404 else StepError
        raise kind(f"invalid response status {error.code} for {url}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StepError(f"cannot fetch {url}: {reason}") from None
    with response:
        yield Answer(
            response,
            response.headers.get("ETag", ""),
            _date(response.headers.get("Last-Modified")),
            int(response.headers.get("Content-Length") or 0),
            response.headers.get_content_type(),
        )


def save(answer: Answer, out: Writable, progress: Callable[[int], None]) -> int:
    """Copy the body to ``out``; returns its length, raises StepError if it was cut short."""
    import http.client

    assert answer.body is not None
    total = 0
    try:
        while chunk := answer.body.read(1 << 20):
            out.write(chunk)
            total += len(chunk)
            progress(total)
    except (OSError, http.client.HTTPException) as error:
        raise StepError(f"the download broke off after {total} bytes: {error}") from None
    if answer.length and total != answer.length:
        raise StepError(f"the download broke off: {total} of {answer.length} bytes came")
    return total


def _date(text: str | None) -> int | None:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp()) if text else None
    except ValueError:
        return None
