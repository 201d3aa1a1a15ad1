"""Standard output: results go there, and whoever reads it may go away at any time."""

from __future__ import annotations

import io
import os
import sys
from typing import IO, Any, cast


class OutputClosed(Exception):  # noqa: N818 - not an error of ours or the user's
    """Whoever read standard output has closed it.

    Not an OSError, so that nobody on the way mistakes it for one of the file system or network.
    """


def write(text: str) -> None:
    """Write ``text`` to standard output; raises OutputClosed."""
    if sys.stdout is None:  # it was closed before we were started
        raise OutputClosed
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosed from None


def write_line(text: str = "") -> None:
    """Write a line to standard output; raises OutputClosed."""
    write(text + "\n")


def write_json(document: object, *, indent: int | None = None) -> None:
    """Write ``document`` as JSON and a newline to standard output; raises OutputClosed."""
    import json

    separators = (",", ":") if indent is None else None
    write_line(json.dumps(document, indent=indent, separators=separators, ensure_ascii=False))


def note(text: str) -> None:
    """Tell the user something that is no result, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class _Stdout(io.RawIOBase):
    """Descriptor 1 as a raw stream whose writes raise OutputClosed for a closed pipe."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            return os.write(1, data)
        except BrokenPipeError:
            raise OutputClosed from None


def binary_stdout() -> IO[bytes]:
    """Standard output as a stream of bytes; the caller flushes it."""
    sys.stdout.flush()
    return cast(IO[bytes], io.BufferedWriter(_Stdout(), buffer_size=1 << 18))
