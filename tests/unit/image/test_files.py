import gzip
import io
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.image.imagetools import tar_of, write_directory, write_tar

from jettison.errors import ArchiveError, ImageError, NotFoundError
from jettison.image.files import open_files, read_files

FILES = {"a": b"one", "dir/b": b"x" * 100_000, "empty": b""}


def in_directory(tmp_path: Path) -> str:
    return str(write_directory(tmp_path / "d", FILES))


def in_tar(tmp_path: Path) -> str:
    return str(write_tar(tmp_path / "t.tar", FILES))


def in_gzipped_tar(tmp_path: Path) -> str:
    path = tmp_path / "t.tgz"
    path.write_bytes(gzip.compress(tar_of(FILES)))
    return str(path)


@pytest.mark.parametrize("kind", [in_directory, in_tar, in_gzipped_tar])
def test_files_are_read_in_any_order(kind: Callable[[Path], str], tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    files = open_files(kind(tmp_path), scratch=str(scratch))
    for name in ("dir/b", "a", "empty", "./a", "dir/../a", "/a"):
        content = FILES[os.path.normpath(name).lstrip("/")]
        with files.open(name) as stream:
            assert stream.read() == content
        assert files.size(name) == len(content)
    assert files.size("missing") is None
    with pytest.raises(NotFoundError):
        files.open("missing")
    assert list(scratch.iterdir()) == []
    files.close()


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    content = {f"f{n}": bytes([n]) * 300_000 for n in range(8)}
    files = open_files(str(write_tar(tmp_path / "t", content)))

    def read(name: str) -> bool:
        with files.open(name) as stream:
            return b"".join(iter(lambda: stream.read(1000), b"")) == content[name]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, list(content) * 3))


def test_an_open_file_outlives_the_archive(tmp_path: Path) -> None:
    files = open_files(in_tar(tmp_path))
    stream = files.open("a")
    files.close()
    with stream:
        assert stream.read() == b"one"


def test_links_within_a_tar(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, target in (
            ("x/real", tarfile.REGTYPE, ""),
            ("y/link", tarfile.SYMTYPE, "../x/real"),
            ("hard", tarfile.LNKTYPE, "x/real"),
            ("twice", tarfile.SYMTYPE, "y/link"),
            ("loop", tarfile.SYMTYPE, "loop"),
            ("out", tarfile.SYMTYPE, "../../../../etc/passwd"),
            ("absolute", tarfile.SYMTYPE, "/etc/passwd"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"data"))
    (tmp_path / "t").write_bytes(out.getvalue())
    files = open_files(str(tmp_path / "t"))
    for name in ("x/real", "y/link", "hard", "twice"):
        with files.open(name) as stream:
            assert stream.read() == b"data"
    for name in ("loop", "out", "absolute"):
        with pytest.raises(NotFoundError):
            files.open(name)


def test_the_later_of_two_members_counts(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for content in (b"old", b"newer"):
            info = tarfile.TarInfo("f")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (tmp_path / "t").write_bytes(out.getvalue())
    with open_files(str(tmp_path / "t")).open("f") as stream:
        assert stream.read() == b"newer"


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names(tmp_path: Path, kind: int) -> None:
    name = "d" * 90 + "/" + "f" * 90
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    (tmp_path / "t").write_bytes(out.getvalue())
    assert open_files(str(tmp_path / "t")).size(name) == 1


def test_a_directory_lets_nothing_out_but_regular_files(tmp_path: Path) -> None:
    root = write_directory(tmp_path / "d", FILES)
    (tmp_path / "secret").write_bytes(b"")
    os.mkfifo(root / "fifo")
    (root / "device").symlink_to("/dev/zero")
    (root / "link").symlink_to("a")
    files = open_files(str(root))
    for name in ("../secret", "/etc/passwd", "nul\0"):
        with pytest.raises(NotFoundError):
            files.open(name)
    for name in ("fifo", "device", "dir"):
        with pytest.raises(ImageError, match="no regular file"):
            files.open(name)
        assert files.size(name) is None
    with files.open("link") as stream:
        assert stream.read() == b"one"


def test_from_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as pool:
        with os.fdopen(writing, "wb") as out:
            future = pool.submit(read_files, os.fdopen(reading, "rb"), "stdin")
            out.write(gzip.compress(tar_of(FILES)))
        files = future.result()
    assert files.size("a") == 3


def test_what_is_no_tar(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No such file"):
        open_files(str(tmp_path / "missing"))
    (tmp_path / "text").write_text("This is a letter.\n" * 100)
    with pytest.raises(ArchiveError, match="text: this is not a tar"):
        open_files(str(tmp_path / "text"))
    whole = tar_of(FILES)
    (tmp_path / "cut").write_bytes(whole[:60_000])
    with pytest.raises(ArchiveError, match="truncated"):
        open_files(str(tmp_path / "cut"))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(os.urandom(5000) + whole)[:3000])
    with pytest.raises(ArchiveError, match="truncated"):
        open_files(str(tmp_path / "cut.gz"))


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jettison.image.files._MAX_MEMBERS", 3)
    path = write_tar(tmp_path / "t", {str(n): b"" for n in range(4)})
    with pytest.raises(ArchiveError, match="more than 3 members"):
        open_files(str(path))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_tars_are_archive_errors_or_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(tar_of({"a": b"one", "d/" * 60 + "b": b"y" * 700}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(whole[:end])
    try:
        files = open_files(str(path))
    except ArchiveError:
        return
    assert (files.size("a") or 0) <= end
    files.close()
