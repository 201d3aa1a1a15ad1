"""ELF files: made byte by byte, made by gcc, and damaged."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.binfmt.elf import DlopenNote, Elf, VersionNeed, is_elf, read_elf
from jettison.errors import BinaryError
from tests.unit.binfmt.elves import Spec, make_elf

NOTE = (
    b'[{"feature":"lz4","description":"compression","priority":"suggested",'
    b'"soname":["liblz4.so.1"]}]'
)
FULL = Spec(
    needed=("libssl.so.3", "libc.so.6"),
    soname="libfull.so.1",
    interpreter="/lib64/ld-linux-x86-64.so.2",
    rpath="/opt/a:$ORIGIN/../lib",
    runpath="/opt/b",
    needs={"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.34"), "libssl.so.3": ("OPENSSL_3.0.0?",)},
    defines=("FULL_1", "FULL_2"),
    imports=("getaddrinfo", "iconv_open"),
    exports=("full_start",),
    note=NOTE,
    flags_1=0x08000000,
)


def read(spec: Spec) -> Elf:
    return read_elf(io.BytesIO(make_elf(spec)))


@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
def test_everything_an_elf_file_says(wide: bool, big: bool) -> None:
    found = read(Spec(**{**FULL.__dict__, "wide": wide, "big": big}))
    assert found == Elf(
        bits=64 if wide else 32,
        big_endian=big,
        machine=62,
        type=3,
        dynamic=True,
        interpreter="/lib64/ld-linux-x86-64.so.2",
        soname="libfull.so.1",
        needed=("libssl.so.3", "libc.so.6"),
        rpath=("/opt/a", "$ORIGIN/../lib"),
        runpath=("/opt/b",),
        pie=True,
        needs=(
            VersionNeed("libc.so.6", ("GLIBC_2.2.5", "GLIBC_2.34")),
            VersionNeed("libssl.so.3", ("OPENSSL_3.0.0",), ("OPENSSL_3.0.0",)),
        ),
        defines=("FULL_1", "FULL_2"),
        dlopens=(DlopenNote(("liblz4.so.1",), "lz4", "suggested"),),
        imports=frozenset({"getaddrinfo", "iconv_open"}),
    )


@pytest.mark.parametrize("kind", ["gnu", "sysv", "none"])
@pytest.mark.parametrize("exports", [(), ("one", "two")])
def test_imports_are_found_with_any_hash_table(kind: str, exports: tuple[str, ...]) -> None:
    found = read(Spec(imports=("dlopen", "iconv"), exports=exports, hash=kind))
    assert found.imports == {"dlopen", "iconv"}


@pytest.mark.parametrize(
    ("machine", "wide", "big", "name"),
    [
        (62, True, False, "amd64"),
        (183, True, False, "arm64"),
        (40, False, False, "arm"),
        (3, False, False, "386"),
        (21, True, False, "ppc64le"),
        (21, True, True, "ppc64"),
        (22, True, True, "s390x"),
        (9999, True, False, "elf-9999"),
    ],
)
def test_architecture(machine: int, wide: bool, big: bool, name: str) -> None:
    assert read(Spec(machine=machine, wide=wide, big=big)).architecture == name


def test_programs_and_libraries() -> None:
    kinds = {
        "static": Spec(type=2, dynamic=False),
        "static pie": Spec(flags_1=0x08000000),
        "program": Spec(interpreter="/lib/ld.so", flags_1=0x08000000),
        "library": Spec(soname="libx.so"),
    }
    found = {name: read(spec) for name, spec in kinds.items()}
    assert {n: (e.is_program, e.is_static) for n, e in found.items()} == {
        "static": (True, True),
        "static pie": (True, True),
        "program": (True, False),
        "library": (False, False),
    }


def test_only_objects_of_one_kind_are_loaded_together() -> None:
    one = read(Spec())
    assert one.loads_with(read(Spec(soname="x")))
    assert not one.loads_with(read(Spec(machine=183)))
    assert not one.loads_with(read(Spec(wide=False)))


@pytest.mark.parametrize(
    "note", [b"{}", b"[1]", b'[{"soname":"x"}]', b'[{"soname":[]}]', b"[" * 9999]
)
def test_a_note_that_is_not_as_specified_says_nothing(note: bytes) -> None:
    assert read(Spec(note=note)).dlopens == ()


def test_is_elf() -> None:
    assert is_elf(b"\x7fELF\x02")
    assert not is_elf(b"\x7fEL")


GOOD = make_elf(FULL)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=12),
    st.integers(0, len(GOOD)),
)
def test_a_damaged_file_is_read_or_refused(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    for each in (bytes(data), bytes(data[:end])):
        try:
            assert isinstance(read_elf(io.BytesIO(each)), Elf)
        except BinaryError as error:
            assert error.message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_magic(tail: bytes) -> None:
    for head in (b"\x7fELF\x02\x01", b"\x7fELF\x01\x02", b""):
        try:
            assert isinstance(read_elf(io.BytesIO(head + tail)), Elf)
        except BinaryError as error:
            assert error.message


def test_sizes_that_cannot_be_true_are_refused() -> None:
    data = bytearray(GOOD)
    place = data.index((10).to_bytes(8, "little") + len(b"").to_bytes(0, "little"))
    data[place + 8 : place + 16] = (1 << 40).to_bytes(8, "little")  # DT_STRSZ
    with pytest.raises(BinaryError, match="strings"):
        read_elf(io.BytesIO(bytes(data)))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_what_gcc_links(tmp_path: Path) -> None:
    (tmp_path / "l.c").write_text("int answer(void) { return 42; }\n")
    (tmp_path / "m.c").write_text(
        '#include <stdio.h>\nint answer(void);\nint main(void) { return printf("%d", answer()); }\n'
    )
    for command in (
        "gcc -shared -fPIC -Wl,-soname,libanswer.so.4 -o libanswer.so l.c",
        "gcc -o main m.c -L. -lanswer -Wl,-rpath,$ORIGIN/lib -Wl,--disable-new-dtags",
        "gcc -o new m.c -L. -lanswer -Wl,-rpath,/opt/lib -Wl,--enable-new-dtags",
    ):
        subprocess.run(command.split(), cwd=tmp_path, check=True)
    with open(tmp_path / "libanswer.so", "rb") as file:
        library = read_elf(file)
    with open(tmp_path / "main", "rb") as file:
        main = read_elf(file)
    with open(tmp_path / "new", "rb") as file:
        new = read_elf(file)
    assert (library.soname, library.is_program) == ("libanswer.so.4", False)
    assert main.needed == ("libanswer.so.4", "libc.so.6")
    assert (main.rpath, main.runpath) == (("$ORIGIN/lib",), ())
    assert (new.rpath, new.runpath) == ((), ("/opt/lib",))
    assert {"answer", "printf"} <= main.imports
    assert [need.library for need in main.needs] == ["libc.so.6"]
    assert main.is_program and not main.is_static and "ld" in main.interpreter
