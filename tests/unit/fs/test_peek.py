from __future__ import annotations

import gzip
import io

import pytest

from jettison.fs.peek import Peekable
from tests.unit.fs.layertrees import member, tar

ODD = member("é" * 300, b"")  # begins with a pax header of more than one block


@pytest.mark.parametrize(
    ("data", "archive"),
    [
        (b"FROM scratch\n", False),
        (b"", False),
        (b"FROM scratch\n" * 100, False),
        (bytes(2048), False),
        (tar(member("Dockerfile", "FROM scratch\n")), True),
        (tar(ODD), True),
        (gzip.compress(b"anything", mtime=0), True),
    ],
)
def test_archives_are_told_from_text_and_nothing_is_lost(data: bytes, archive: bool) -> None:
    stream = Peekable(io.BytesIO(data))
    assert stream.looks_like_archive() is archive
    assert stream.read(5) + stream.read(700) + stream.read() == data
    assert stream.read() == stream.read(1) == b""


def test_reads_are_as_long_as_asked_for() -> None:
    stream = Peekable(io.BytesIO(b"x" * 1000))
    stream.looks_like_archive()
    assert [len(stream.read(600)), len(stream.read(600))] == [600, 400]
