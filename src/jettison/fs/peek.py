"""Looking at the beginning of a stream without losing it."""

from __future__ import annotations

from jettison.errors import ArchiveError
from jettison.fs.decompress import Readable, detect
from jettison.fs.tarformat import BLOCK
from jettison.fs.tarread import TarReader


class Peekable:
    """A stream that can be asked what it begins with before it is read."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head = b""

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer if there are no more; they stay to be read."""
        while len(self._head) < size:
            data = self._source.read(size - len(self._head))
            if not data:
                break
            self._head += data
        return self._head[:size]

    def looks_like_archive(self) -> bool:
        """Whether it begins like a compressed stream or with a tar header.

        That is all the docker command line looks at to tell a tar context from a Dockerfile.
        """
        head = self.peek(BLOCK)
        if detect(head) != "plain":
            return True
        if len(head) < BLOCK:
            return False
        try:
            return TarReader(_Bytes(head)).next() is not None
        except ArchiveError:
            # A pax header whose records lie beyond the first block is a tar header as well.
            return head[257:262] == b"ustar"

    def read(self, size: int = -1, /) -> bytes:
        """The next ``size`` bytes, all that is left if it is negative; fewer only at the end."""
        if size >= 0:
            data = self.peek(size)
            self._head = self._head[len(data) :]
            return data
        parts = [self._head]
        self._head = b""
        while data := self._source.read(1 << 20):
            parts.append(data)
        return b"".join(parts)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int, /) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data
