"""Release and Packages files of archives (the Debian wiki's DebianRepository/Format)."""

from __future__ import annotations

import io
import tracemalloc
from datetime import UTC, datetime

import pytest

from jettison.errors import PackageError
from jettison.packages.debindex import read_index
from jettison.packages.debrelease import IndexFile, parse_release_file

HASH = "0" * 63 + "1"
RELEASE = f"""\
Origin: Debian
Label: Debian
Suite: oldstable
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
Architectures: all amd64 arm64
Components: main contrib
MD5Sum:
 0ed6d4c8891eb86358b94bb35d9e4da4  1484322 main/binary-amd64/Packages
SHA256:
 {HASH}  1484322 main/binary-amd64/Packages
 {HASH}     1234 main/binary-amd64/Packages.xz
"""


def test_a_release_file() -> None:
    found = parse_release_file(RELEASE.encode())
    assert (found.suite, found.codename, found.origin) == ("oldstable", "bookworm", "Debian")
    assert found.date == datetime(2026, 7, 11, 10, 16, 37, tzinfo=UTC)
    assert found.valid_until == datetime(2026, 7, 18, 10, 16, 37, tzinfo=UTC)
    assert found.by_hash
    assert found.architectures == {"all", "amd64", "arm64"}
    assert found.components == ("main", "contrib")
    path = "main/binary-amd64/Packages.xz"
    assert found.files[path] == IndexFile(path, 1234, HASH)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Date: Sat, 11 Jul 2026 10:16:37 UTC", "Date: yesterday", "no valid Date"),
        ("Date: Sat", "X: Sat", "no valid Date"),
        ("Valid-Until: Sat, 18 Jul", "Valid-Until: some day", "no valid Valid-Until"),
        ("SHA256:", "SHA1:", "no SHA256 sums"),
        (f" {HASH}     1234", " 12345", "a damaged line"),
        ("main/binary-amd64/Packages.xz", "../../etc/passwd", "outside of the suite"),
        ("main/binary-amd64/Packages.xz", "/etc/passwd", "outside of the suite"),
        (f"{HASH}     1234 main/binary-amd64/Packages.xz",
         f"{'2' * 64} 1 main/binary-amd64/Packages", "two hashes"),
        ("MD5Sum:", "\nPackage: x\n", "not one paragraph"),
        ("Origin: Debian", "Origin: \udcff", "no text"),
    ],
)  # fmt: skip
def test_what_is_no_release_is_refused(old: str, new: str, says: str) -> None:
    assert old in RELEASE
    with pytest.raises(PackageError, match=says):
        parse_release_file(RELEASE.replace(old, new, 1).encode("utf-8", "surrogateescape"))


PARAGRAPH = f"""\
Package: nginx
Version: 1.22.1-9
Architecture: amd64
Depends: libc6 (>= 2.34),
 libcrypt1
description-md5: 00
Description: a server
 Depends: in a text
Essential: yes
Multi-Arch: foreign
Filename: ./pool/nginx.deb
Size: 100
SHA256: {HASH}
"""


def test_a_paragraph() -> None:
    (entry,) = read_index(io.BytesIO(PARAGRAPH.encode()))
    assert (entry.name, entry.version, entry.architecture) == ("nginx", "1.22.1-9", "amd64")
    assert entry.depends == "libc6 (>= 2.34), libcrypt1"
    assert entry.essential
    assert (entry.filename, entry.size, entry.sha256) == ("pool/nginx.deb", 100, HASH)
    assert entry.multi_arch == "foreign"


class Slow(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size or 7))


def test_paragraphs_end_wherever_pieces_of_the_stream_do() -> None:
    text = "\n\n" + "\n\n\n".join(PARAGRAPH.strip().replace("nginx", f"p{n}") for n in range(5))
    assert [e.name for e in read_index(Slow(text.encode()))] == [f"p{n}" for n in range(5)]
    assert list(read_index(io.BytesIO(b"\n"))) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Package: nginx", "Package: ../x", "names no package"),
        ("Package: nginx", "Pakage: nginx", "names no package"),
        ("Version: ", "Version:\nX: ", "names no package"),
        ("Size: 100", "Size: many", "no size and SHA-256"),
        (f"SHA256: {HASH}", "MD5sum: 0", "no size and SHA-256"),
        ("./pool/nginx.deb", "../../x.deb", "outside of the archive"),
        ("./pool/nginx.deb", "/x.deb", "outside of the archive"),
    ],
)
def test_a_paragraph_without_what_is_needed_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(PackageError, match=says):
        list(read_index(io.BytesIO(PARAGRAPH.replace(old, new).encode())))


def test_an_endless_paragraph_is_refused() -> None:
    with pytest.raises(PackageError, match="endless"):
        list(read_index(io.BytesIO(b"X: y\n" * 2_000_000)))


def test_a_large_index_is_not_held_in_memory() -> None:
    class Large:
        left = 12

        def read(self, size: int, /) -> bytes:
            self.left -= 1
            return (PARAGRAPH + "\n").encode() * 2500 if self.left > 0 else b""

    tracemalloc.start()
    assert sum(1 for _ in read_index(Large())) == 11 * 2500
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
