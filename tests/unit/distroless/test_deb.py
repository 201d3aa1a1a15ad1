"""Package files: deb(5), made by hand, so that each part may be wrong."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.distroless.deb import open_deb
from jettison.errors import ArchiveError, JettisonError, PackageError

CONTROL = "Package: app\nVersion: 1.0\nArchitecture: amd64\nDescription: x\n more\n"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def tar_of(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"./{name.replace('__', '/')}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def ar_of(*members: tuple[str, bytes]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def deb_of(control: str = CONTROL, kind: str = ".xz", version: bytes = b"2.0\n") -> bytes:
    return ar_of(
        ("debian-binary", version),
        (f"control.tar{kind}", PACK[kind](tar_of(control=control, md5sums="x  usr/bin/app\n"))),
        (f"data.tar{kind}", PACK[kind](tar_of(usr__bin__app="program"))),
    )


def read(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "x.deb"
    path.write_bytes(data)
    with open_deb(path) as deb:
        texts = []
        for _ in range(2):  # the data can be read again
            reader = deb.data()
            while (member := reader.next()) is not None:
                texts.append(f"{member.name.decode()} {b''.join(reader.chunks()).decode()}")
        assert deb.control["description"] == "x\nmore"
        assert deb.files["md5sums"] == b"x  usr/bin/app\n"
        return " ".join([deb.control["package"], deb.control["version"], *texts])


@pytest.mark.parametrize("kind", PACK)
def test_every_compression(tmp_path: Path, kind: str) -> None:
    file = "./usr/bin/app program"
    assert read(tmp_path, deb_of(kind=kind)) == f"app 1.0 {file} {file}"


def test_members_with_an_underscore_may_be_added(tmp_path: Path) -> None:
    data = deb_of()
    at = data.index(b"control.tar")
    extra = ar_of(("_gpgorigin", b"odd"))[8:]
    assert read(tmp_path, data[:at] + extra + data[at:]).startswith("app 1.0")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no Debian package"),
        (b"PK\x03\x04 something else", "no Debian package"),
        (deb_of(version=b"3.0\n"), "other than 2"),
        (deb_of()[:-20], "truncated"),
        (ar_of(("debian-binary", b"2.0\n")), "ends before its control.tar"),
        (ar_of(("debian-binary", b"2.0\n"), ("data.tar", b"")), "stands where control.tar"),
        (ar_of(("debian-binary", b"2.0\n"), ("control.tar.lz", b"")), "stands where control.tar"),
        (b"!<arch>\n" + b"x" * 60, "damaged header"),
        (ar_of(*[("debian-binary", b"2.0\n")], *[("_x", b"")] * 40), "too many members"),
        (deb_of().replace(b"\xfd7zXZ\0", b"\xfd7zXZ\1", 1), "x.deb"),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        read(tmp_path, data)


@pytest.mark.parametrize(
    "control", ["", "Package: app\n", "Package: a\nVersion: 1\n\nPackage: b\n"]
)
def test_a_control_file_describes_one_package(tmp_path: Path, control: str) -> None:
    with pytest.raises(PackageError, match="does not describe a package"):
        read(tmp_path, deb_of(control=control))


def test_a_bomb_in_the_control_archive_is_refused(tmp_path: Path) -> None:
    big = lzma.compress(tar_of(control=CONTROL + "X: " + "x" * (33 << 20)), preset=0)
    data = ar_of(("debian-binary", b"2.0\n"), ("control.tar.xz", big), ("data.tar", tar_of()))
    with pytest.raises(ArchiveError, match="control archive is too large"):
        read(tmp_path, data)


DEB = deb_of(kind="")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(DEB) - 1), st.binary(min_size=1, max_size=4))
def test_damage_is_an_error_that_tells(position: int, change: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".deb") as file:
        file.write(DEB[:position] + change + DEB[position + len(change) :])
        file.flush()
        try:
            with open_deb(file.name) as deb:
                reader = deb.data()
                while reader.next() is not None:
                    sum(map(len, reader.chunks()))
        except JettisonError as error:
            assert error.message
