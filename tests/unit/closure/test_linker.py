"""What ld.so loads: search order, tokens, versions, musl; what is missing, and how it is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jettison.closure.engine import closure_of
from jettison.closure.linker import version_key
from jettison.closure.model import Launch
from jettison.fs.stack import Stack
from tests.unit.binfmt.elves import Spec
from tests.unit.binfmt.test_formats import cache
from tests.unit.closure.places import LIBC_PATHS, Root, paths, program


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path).libc()


def lib(name: str, **more: object) -> Spec:
    return Spec(soname=name, **more)  # type: ignore[arg-type]  # fields of one type each


def found(root: Root, name: str = "libx.so.1", **more: object) -> str:
    """Where /bin/app finds a library, given what else is in the tree."""
    closure = root.closure("/bin/app", **more)  # type: ignore[arg-type]
    return next((p for p in closure.items if p.endswith(name)), "")


def test_libraries_interpreter_and_every_link_on_the_way(root: Root) -> None:
    root.fill(
        {
            "/bin/app": program("libx.so.1"),
            "/usr/lib/x86_64-linux-gnu/libx.so.1": "-> libx.so.1.2",
            "/usr/lib/x86_64-linux-gnu/libx.so.1.2": lib("libx.so.1", needed=("liby.so.2",)),
            "/usr/lib/x86_64-linux-gnu/liby.so.2": lib("liby.so.2"),
            "/usr/lib/x86_64-linux-gnu/libunused.so.9": lib("libunused.so.9"),
        }
    )
    closure = root.closure("/bin/app")
    assert set(closure.items) == LIBC_PATHS | {
        "/bin/app",
        "/usr/lib/x86_64-linux-gnu/libx.so.1",
        "/usr/lib/x86_64-linux-gnu/libx.so.1.2",
        "/usr/lib/x86_64-linux-gnu/liby.so.2",
    }
    assert closure.gaps == ()
    chain = closure.chain("/usr/lib/x86_64-linux-gnu/liby.so.2")
    assert [(path, reason.text) for path, reason in chain] == [
        ("/usr/lib/x86_64-linux-gnu/liby.so.2", "NEEDED liby.so.2"),
        ("/usr/lib/x86_64-linux-gnu/libx.so.1.2", "NEEDED libx.so.1"),
        ("/bin/app", "the launch starts it"),
    ]


X = lib("libx.so.1")


@pytest.mark.parametrize(
    ("spec", "env", "places", "expected"),
    [
        ({"rpath": "/r"}, {"LD_LIBRARY_PATH": "/l"}, "/r /l /usr/lib", "/r"),
        ({"runpath": "/r"}, {"LD_LIBRARY_PATH": "/l"}, "/r /l /usr/lib", "/l"),
        ({"runpath": "/r"}, {}, "/r /usr/lib", "/r"),
        # RUNPATH makes ld.so pass over RPATH
        ({"rpath": "/r", "runpath": "/n"}, {}, "/r /usr/lib", "/usr/lib"),
        ({"runpath": "$ORIGIN/../priv"}, {}, "/priv", "/priv"),
        ({"runpath": "${ORIGIN}/x:/y"}, {}, "/y", "/y"),
        ({"runpath": "/o/$LIB"}, {}, "/o/lib/x86_64-linux-gnu", "/o/lib/x86_64-linux-gnu"),
        ({"runpath": "/o/$PLATFORM"}, {}, "/o/x86_64", "/o/x86_64"),
        ({}, {"LD_LIBRARY_PATH": "/a;/b:/c"}, "/b", "/b"),
        ({}, {}, "/usr/lib /usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"),
        ({}, {}, "/usr/local/lib", ""),
    ],
)
def test_search_order(
    root: Root, spec: dict[str, str], env: dict[str, str], places: str, expected: str
) -> None:
    root.add("/bin/app", program("libx.so.1", **spec))
    for place in places.split():
        root.add(f"{place}/libx.so.1", X)
    assert found(root, env=env).removesuffix("/libx.so.1") == expected


def test_rpath_of_the_program_counts_for_its_libraries_and_runpath_does_not(root: Root) -> None:
    root.add("/opt/liba.so", lib("liba.so", needed=("libx.so.1",)))
    root.add("/opt/libx.so.1", X)
    root.add("/bin/app", program("liba.so", rpath="/opt"))
    assert found(root) == "/opt/libx.so.1"
    root.add("/bin/app", program("liba.so", runpath="/opt"))
    closure = root.closure("/bin/app")
    assert [(gap.by, gap.what, gap.fatal) for gap in closure.gaps] == [
        ("/opt/liba.so", "libx.so.1", True)
    ]
    assert "loaded by /bin/app" in closure.gaps[0].message


def test_a_library_is_loaded_once_under_its_soname(root: Root) -> None:
    root.fill(
        {
            "/bin/app": program("liba.so", "libx.so.1", runpath="/one"),
            "/one/liba.so": lib("liba.so", needed=("libx.so.1",), runpath="/two"),
            "/one/libx.so.1": X,
            "/two/libx.so.1": X,
        }
    )
    assert paths(root.closure("/bin/app")) == {"/bin/app", "/one/liba.so", "/one/libx.so.1"}


def test_another_architecture_is_passed_over(root: Root) -> None:
    root.fill(
        {
            "/bin/app": program("libx.so.1", runpath="/arm:/mine"),
            "/arm/libx.so.1": lib("libx.so.1", machine=183),
            "/mine/libx.so.1": X,
        }
    )
    assert found(root) == "/mine/libx.so.1"


def test_variants_for_newer_processors_come_beside_the_common_one(root: Root) -> None:
    directory = "/usr/lib/x86_64-linux-gnu"
    root.fill(
        {
            "/bin/app": program("libx.so.1"),
            f"{directory}/libx.so.1": X,
            f"{directory}/glibc-hwcaps/x86-64-v3/libx.so.1": X,
            f"{directory}/glibc-hwcaps/x86-64-v2/libother.so": X,
        }
    )
    assert paths(root.closure("/bin/app")) == {
        "/bin/app",
        f"{directory}/libx.so.1",
        f"{directory}/glibc-hwcaps/x86-64-v3/libx.so.1",
    }


def test_libraries_that_only_the_cache_knows(root: Root) -> None:
    root.add("/bin/app", program("libx.so.1"))
    root.add("/usr/local/lib/libx.so.1", X)
    root.add("/etc/ld.so.cache", cache([("libx.so.1", "/usr/local/lib/libx.so.1")]))
    closure = root.closure("/bin/app")
    assert "/usr/local/lib/libx.so.1" in closure.items
    assert closure.needs_cache == ("/usr/local/lib/libx.so.1",)


def test_without_a_cache_what_ldconfig_would_find(root: Root) -> None:
    root.add("/bin/app", program("libx.so.1"))
    root.add("/usr/local/lib/libx.so.1", X)
    root.add("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n")
    root.add("/etc/ld.so.conf.d/local.conf", "/usr/local/lib\n")
    root.add("/etc/ld.so.cache", b"damaged")
    assert root.closure("/bin/app").needs_cache == ("/usr/local/lib/libx.so.1",)


def test_symbol_versions_that_are_too_new_say_how_to_mend_it(root: Root) -> None:
    root.add("/bin/app", program(needs={"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.38")}))
    (gap,) = root.closure("/bin/app").gaps
    assert gap.fatal
    assert gap.message == (
        "/bin/app: /usr/lib/x86_64-linux-gnu/libc.so.6 has no version GLIBC_2.38; "
        "it has them up to GLIBC_2.36"
    )
    assert "built with glibc 2.38 or newer and this tree has 2.36" in gap.hint


def test_weak_versions_and_libraries_without_versions_are_no_matter(root: Root) -> None:
    needs = {"libc.so.6": ("GLIBC_9.9?",), "libx.so.1": ("X_1",)}
    root.add("/bin/app", program("libx.so.1", needs=needs))
    root.add("/usr/lib/libx.so.1", X)
    assert root.closure("/bin/app").gaps == ()


def test_versions_are_compared_as_numbers() -> None:
    versions = ["GLIBC_2.34", "GLIBC_2.4", "GLIBC_2.4.1", "GLIBC_PRIVATE", "GLIBC_2.36"]
    assert sorted(versions, key=version_key) == [
        "GLIBC_PRIVATE", "GLIBC_2.4", "GLIBC_2.4.1", "GLIBC_2.34", "GLIBC_2.36"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("interpreter", "hint"),
    [("/lib/ld-musl-x86_64.so.1", "musl"), ("/lib64/ld-gone.so", "C library is missing")],
)
def test_a_missing_interpreter(root: Root, interpreter: str, hint: str) -> None:
    root.add("/bin/app", Spec(interpreter=interpreter, flags_1=0x08000000))
    gaps = root.closure("/bin/app").errors
    assert [gap.what for gap in gaps] == [interpreter]
    assert hint in gaps[0].hint


def test_musl(tmp_path: Path) -> None:
    ld = "/lib/ld-musl-x86_64.so.1"
    root = Root(tmp_path).fill(
        {
            ld: Spec(soname="libc.musl-x86_64.so.1"),
            "/bin/app": Spec(
                interpreter=ld,
                needed=("liba.so.1", "libc.musl-x86_64.so.1", "libpthread.so.0"),
                flags_1=0x08000000,
                runpath="/priv",
            ),
            # musl looks in the RUNPATH of those above, too
            "/usr/lib/liba.so.1": lib("liba.so.1", needed=("libx.so.1",)),
            "/priv/libx.so.1": X,
        }
    )
    closure = root.closure("/bin/app")
    assert set(closure.items) == {"/bin/app", ld, "/usr/lib/liba.so.1", "/priv/libx.so.1"}
    assert closure.gaps == ()


def test_a_static_program_needs_nothing(root: Root) -> None:
    root.add("/app", Spec(type=2, dynamic=False))
    assert set(root.closure("/app").items) == {"/app"}


def test_a_plug_in_finds_what_its_program_has_loaded(root: Root) -> None:
    """As libjava.so does libjvm.so, which lies where nobody looks."""
    root.fill(
        {
            "/opt/rt/bin/app": program(),
            "/opt/rt/plugins/p.so": lib("p.so", needed=("libcore.so",)),
            "/opt/rt/plugins/core/libcore.so": lib("libcore.so"),
        }
    )
    closure = root.closure("/opt/rt/bin/app", "--plugins=/opt/rt/plugins")
    assert "/opt/rt/plugins/p.so" in closure.items
    assert closure.gaps == ()


def test_what_a_plug_in_misses_is_a_note(root: Root) -> None:
    root.add("/opt/bin/app", program())
    root.add("/opt/plugins/p.so", lib("p.so", needed=("libgone.so",)))
    closure = root.closure("/opt/bin/app", "/opt/plugins")
    assert [(gap.what, gap.fatal) for gap in closure.gaps] == [("libgone.so", False)]


def test_damaged_and_looping_files_are_notes(root: Root) -> None:
    root.fill({"/bin/app": program("libx.so.1"), "/usr/lib/libx.so.1": b"\x7fELF\x02\x01 damaged"})
    root.add("/loop", "-> /loop")
    closure = root.closure("/bin/app", "/loop")
    assert [gap.what for gap in closure.errors] == ["libx.so.1"]


def test_the_package_that_would_have_it_is_named(root: Root) -> None:
    root.add("/bin/app", program("libgone.so.3"))
    closure = closure_of(
        root.tree(), Launch(argv=("/bin/app",)), owner=lambda name: "libgone3" * (name != "")
    )
    assert closure.gaps[0].hint.startswith("the package libgone3 has it; ")


@pytest.mark.skipif(shutil.which("ldd") is None, reason="needs ldd")
@pytest.mark.parametrize("name", ["sh", "git", "ls", "tar", "python"])
def test_the_same_libraries_as_ldd(name: str) -> None:
    path = sys.executable if name == "python" else shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} here")
    path = str(Path(path).resolve())
    done = subprocess.run(["ldd", path], capture_output=True, text=True, env={"LC_ALL": "C"})
    if done.returncode:
        pytest.skip(f"{name} is linked statically")
    expected = set()
    for line in done.stdout.splitlines():
        words = line.split("=>")[-1].split()
        if words[0].startswith("/"):
            expected.add(str(Path(words[0]).resolve()))
    closure = closure_of(Stack(["/"]), Launch(), [path])
    loaded = {p for p, r in closure.items.items() if any(each.rule == "elf" for each in r)}
    loaded = {p for p in loaded if not Path(p).is_dir()}  # /lib, where it is a link
    ours = {str(Path(p).resolve()) for p in loaded if closure_reaches_by_linking(closure.items, p)}
    assert ours == expected


def closure_reaches_by_linking(items: object, path: str) -> bool:
    """Whether only the linker's reasons lead from a file to the program."""
    assert isinstance(items, dict)
    seen, pending = set[str](), [path]
    while pending:
        for reason in items[pending.pop()]:
            if reason.rule == "launch":
                return True
            if reason.rule == "elf" and reason.by not in seen:
                seen.add(reason.by)
                pending.append(reason.by)
    return False
