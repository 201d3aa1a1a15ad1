"""A blob as a stream that survives cut connections."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jettison.errors import RegistryError
from jettison.model.oci import Descriptor
from jettison.registry.failures import LostConnectionError
from jettison.registry.transport import Transport

if TYPE_CHECKING:
    import httpx

    Buffer = memoryview | bytearray

_ENOUGH = 1 << 20
"""Bytes that must arrive after a cut for the count of attempts to begin anew."""

_RANGE = re.compile(r"^bytes (\d+)-\d+/(?:\d+|\*)$")


class BlobStream(io.RawIOBase):
    """Exactly the bytes from ``offset`` to ``descriptor.size``, or an error; the digest is the
    reader's to check.

    ``open_at(offset)`` asks for the blob from ``offset`` on; the answer is 206, or 200 with all of
    it from a server that knows no ranges. When the connection is cut, stalls, or ends too early,
    the rest is asked for. Reading raises RegistryError: after as many attempts in vain as the
    settings allow, or when the server sends too much or another range.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        open_at: Callable[[int], httpx.Response],
        transport: Transport,
        what: str,
        offset: int = 0,
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._open_at = open_at
        self._transport = transport
        self._what = what
        self._offset = offset
        self._resumed_at = offset
        self._failures = 0
        self._rest = memoryview(b"")
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._begin()

    def readable(self) -> bool:
        """True: that is all it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what is there; 0 at the end. Raises RegistryError."""
        view: memoryview = memoryview(buffer).cast("B")
        if not self._rest and len(view):
            self._rest = memoryview(self._next())
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Give the connection back."""
        if self._response is not None:
            self._response.close()
            self._response = None
        super().close()

    def _next(self) -> bytes:
        """The next bytes, resuming as often as needed; empty only at the end of the blob."""
        while True:
            if self._response is None:
                self._begin()  # that tries several times itself
            try:
                chunk = self._read()
            except LostConnectionError as error:
                self._lost(error)
                continue
            return chunk

    def _read(self) -> bytes:
        import httpx

        size = self._descriptor.size
        try:
            chunk = next(self._chunks, b"")
        except httpx.HTTPError as error:
            # A server that closes after the last byte, if not in the proper manner, sent it all.
            if self._offset == size:
                return b""
            raise self._transport.failed(error, str(self._url())) from None
        self._offset += len(chunk)
        if self._offset > size:
            raise RegistryError(
                f"{self._what}: the registry sends more than the {size} bytes of the blob",
                hint="the registry, or a proxy before it, is broken",
            )
        if not chunk and self._offset < size:
            raise LostConnectionError(f"{self._what}: cut after {self._offset} of {size} bytes")
        return chunk

    def _url(self) -> object:
        return self._response.url if self._response is not None else self._what

    def _begin(self) -> None:
        """Ask for the bytes from the current offset on, and skip what came before."""
        response = self._open_at(self._offset)
        skip = self._offset
        if response.status_code == 206:
            match = _RANGE.match(response.headers.get("Content-Range", ""))
            if match is None or int(match[1]) != self._offset:
                response.close()
                raise RegistryError(f"{self._what}: the registry answers with another range")
            skip = 0
        self._check_length(response, skip)
        self._response = response
        self._resumed_at = self._offset
        self._chunks = _skipping(response.iter_raw(), skip)

    def _check_length(self, response: httpx.Response, skip: int) -> None:
        length = response.headers.get("Content-Length", "")
        wanted = self._descriptor.size - self._offset + skip
        if length.isdecimal() and int(length) != wanted:
            response.close()
            raise RegistryError(
                f"{self._what}: the registry has {int(length)} bytes where the manifest says "
                f"{wanted}"
            )

    def _lost(self, error: LostConnectionError) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None
            if self._offset - self._resumed_at >= _ENOUGH:
                self._failures = 0
        self._failures += 1
        if not error.passing or self._failures >= self._transport.settings.attempts:
            raise error
        self._transport.pause(self._failures)


def _skipping(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:]
        count = 0
