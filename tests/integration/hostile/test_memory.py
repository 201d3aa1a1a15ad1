"""Peaks of memory: of bombs, of a great many files, and of everything done with a large layer."""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hostile.corpus import lower
from tests.integration.hostile.lab import Lab, digest, image
from tests.integration.hostile.rawtar import END, directory, member, named, pax, record, symlink
from tests.integration.support.layouts import Layout
from tests.integration.support.server import Registry

pytestmark = pytest.mark.root

PEAK = 200
"""MiB for anything done with a large layer."""
SIZE = int(os.environ.get("HOSTILE_LAYER_MIB", "300")) << 20
"""Bytes of the large layer: what takes memory by its size shows at 300 MiB."""
FILES = int(os.environ.get("HOSTILE_FILES", "10000"))


def _headers() -> Iterator[bytes]:
    """400 extended headers of 1 MiB each, one after the other."""
    one = pax(record("comment", "x" * (1000 << 10)))
    yield from [one] * 400
    yield member("f", b"x")


def _longs() -> Iterator[bytes]:
    one = member("L", b"n" * (1000 << 10), kind=b"L")
    yield from [one] * 400
    yield member("f", b"x")


def _globals() -> Iterator[bytes]:
    yield from [pax(record("comment", "x" * (1000 << 10)), kind=b"g")] * 400
    yield member("f", b"x")


def _whiteouts() -> Iterator[bytes]:
    yield from (member(f".wh.{n}") for n in range(50_000))


def _directories() -> Iterator[bytes]:
    yield from (directory(f"{n}") for n in range(10_000))


def _sparse() -> Iterator[bytes]:
    """A sparse file of 250,000 pieces of no bytes."""
    numbers = b"250000\n" + b"0\n0\n" * 250_000
    head = (("major", "1"), ("minor", "0"), ("name", "s"), ("realsize", "6"))
    yield pax(*(record("GNU.sparse." + key, value) for key, value in head))
    yield member("n", numbers + bytes(-len(numbers) % 512))


def _attributes() -> Iterator[bytes]:
    """Attributes that are left out with a note, a thousand in each of 50 headers."""
    for n in range(50):
        yield pax(*(record(f"SCHILY.xattr.none.{n}.{m}", "v") for m in range(1000)))
        yield symlink(f"l{n}", "x")


BOMBS = {
    "pax headers": _headers,
    "long names": _longs,
    "global headers": _globals,
    "whiteouts": _whiteouts,
    "directories": _directories,
    "a sparse map": _sparse,
    "attributes": _attributes,
}


def _packed(make: Iterator[bytes]) -> tuple[bytes, str]:
    """A gzip of a tar that is never in memory as a whole, and its diff ID."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    hashed = hashlib.sha256()
    parts = []
    for piece in (*make, END):
        hashed.update(piece)
        parts.append(packer.compress(piece))
    return b"".join((*parts, packer.flush())), "sha256:" + hashed.hexdigest()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(lab: Lab, name: str) -> None:
    """Taken or refused, in 256 MiB (Lab.run sees to that) and 20 seconds."""
    place = lab.out()
    layout = Layout(place)
    layout.tag("it", image(layout, [(lower(), digest(lower())), _packed(BOMBS[name]())]))
    file = lab.root / "work/Dockerfile"
    file.write_text("FROM base\nWORKDIR /w\nCOPY --from=base /file /w/\n")
    flags = ("--build-context", f"base=oci-layout://{place}:it")
    outcome = lab.run(
        "build", "-f", file, *flags, "-o", f"type=oci,dest={lab.out()}", lab.root / "work/context",
        keeps=2,
    )  # fmt: skip
    assert outcome.seconds < 20


def test_names_of_a_loaded_archive_are_bounded(lab: Lab) -> None:
    archive = lab.out()
    with open(archive, "wb") as out:
        for n in range(100):
            out.write(named(f"{n}" + "n" * 1_000_000) + member("n"))
    outcome = lab.run("load", "-i", archive, fails=True)
    assert "bytes of names" in outcome.err


def test_a_bomb_that_is_loaded(lab: Lab) -> None:
    """200 MiB of zeros, of which zstd makes a few KB."""
    import zstandard

    archive = lab.out()
    with (
        open(archive, "wb") as out,
        zstandard.ZstdCompressor().stream_writer(out) as packed,
    ):
        for _ in range(200):
            packed.write(bytes(1 << 20))
    outcome = lab.run("load", "-i", archive, fails=True)
    assert "bomb" in outcome.err


def test_a_great_many_files(lab: Lab) -> None:
    """Unpacked, built on, found in the cache, written out."""
    place, context = lab.out(), lab.out()
    layout = Layout(place)
    files = (member(f"d{n % 100}/f{n}", b"x") for n in range(FILES))
    layout.tag("it", image(layout, [_packed(files)]))
    context.mkdir()
    for n in range(FILES // 10):
        (context / f"f{n}").write_text("x")
    file = lab.root / "work/Dockerfile"
    file.write_text("FROM base\nCOPY . /copied/\nCOPY --from=base / /again/\n")
    flags = ("--build-context", f"base=oci-layout://{place}:it", "-f", file)
    told = []
    for output in (f"type=oci,dest={lab.out()}", f"type=oci,dest={lab.out()}",
                   f"type=local,dest={lab.out()}"):  # fmt: skip
        outcome = lab.run("build", *flags, "-o", output, context, fails=False)
        told.append(f"{outcome.seconds:.1f} s, {outcome.peak} MiB")
        assert outcome.peak < PEAK
        assert outcome.seconds < 20 * max(1, FILES / 20_000)
    print(f"{FILES} files:", *told, sep="\n  ")


def _large(path: Path) -> None:
    """A file of SIZE bytes, all but 8 MiB of each 64 a hole."""
    with open(path, "wb") as out:
        for start in range(0, SIZE, 64 << 20):
            out.seek(start)
            out.write(os.urandom(8 << 20))
        out.truncate(SIZE)


def test_a_large_layer(lab: Lab, registry: Registry) -> None:
    context = lab.out()
    context.mkdir()
    _large(context / "large")
    file = lab.root / "work/Dockerfile"
    file.write_text("FROM scratch\nCOPY large /large\n")
    name = registry.name("large:1")
    archive, other = lab.out(), lab.root / "store2"
    outputs = [
        "type=image,name=large:1",
        f"type=oci,dest={archive}",
        f"type=oci,compression=zstd,force-compression=true,dest={lab.out()}",
        f"type=docker,dest={lab.out()}",
        f"type=tar,dest={lab.out()}",
        f"type=local,dest={lab.out()}",
    ]
    told = []

    def run(*words: str | Path, store: Path = lab.store) -> None:
        outcome = lab.zygote.run(*words, store=store)
        assert outcome.status == 0, outcome
        figures = f"{outcome.peak} MiB, {outcome.seconds:.1f} s"
        told.append(f"{words[0]} {str(words[-2])[:30]}: {figures}")
        assert outcome.peak < PEAK, told

    for output in outputs:
        run("build", "-f", file, "-o", output, context)
        for place in output.split("dest=")[1:]:
            if place != str(archive):
                shutil.rmtree(place) if Path(place).is_dir() else Path(place).unlink()
    run("tag", "large:1", name)
    run("push", name)
    run("save", "-o", lab.out(), name)
    run("load", "-i", archive, store=other)
    shutil.rmtree(other)
    run("pull", name, store=other)
    file.write_text(f"FROM {name}\nWORKDIR /w\n")
    run("build", "-f", file, "-o", f"type=oci,dest={lab.out()}", context, store=other)
    print(*told, sep="\n")
