from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import ArchiveError
from jettison.fs.extract import Limits
from jettison.fs.layer import unpack_layer
from jettison.fs.tarwrite import write_layer
from tests.unit.fs.layertrees import DirTree, lines, make, make_deep, member, opaque, tar, whiteout

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
OPAQUE = "[trusted.overlay.opaque=y]"


def unpack(
    tmp_path: Path, data: bytes, below: Path | None = None, *, mtime: bool = False
) -> list[str]:
    dest = tmp_path / "layer"
    dest.mkdir()
    tree = DirTree(below) if below is not None else None
    unpack_layer(io.BytesIO(data), str(dest), tree)
    return lines(dest, mtime=mtime)


def test_everything_a_layer_can_hold(tmp_path: Path) -> None:
    data = tar(
        member("./", None),
        member("./etc/", None, mode=0o700, uid=5, gid=6, mtime=7),
        member("./etc/f", "x", mode=0o4711, uid=100, gid=200, mtime=5.5),
        member("/link", "-> ../../etc", mtime=3),
        member("hard", "= ./etc/f", mode=0o4711, uid=100, gid=200, mtime=5.5),
        member("pipe", type=tarfile.FIFOTYPE, mode=0o600),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        member("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=1),
        member("tmp", None, mode=0o1777),
    )
    assert unpack(tmp_path, data, mtime=True) == [
        "/disk: block 0644 0:0 @1000 8,1",
        "/etc: dir 0700 5:6 @7",
        "/etc/f: file 4711 100:200 @5.5 x",
        "/hard: file 4711 100:200 @5.5 x = /etc/f",
        "/link: link 0:0 @3 -> ../../etc",
        "/null: char 0666 0:0 @1000 1,3",
        "/pipe: fifo 0600 0:0 @1000",
        "/tmp: dir 1777 0:0 @1000",
    ]


def test_whiteouts_become_overlay_marks(tmp_path: Path) -> None:
    data = tar(
        member("etc/.wh.gone"),
        member("dir/", None),
        member("dir/.wh..wh..opq"),
        member("dir/new", "n"),
        member(".wh..wh.plnk", None),
        member(".wh..wh.aufs"),
    )
    assert unpack(tmp_path, data) == [
        f"/dir: dir 0755 0:0 {OPAQUE}",
        "/dir/new: file 0644 0:0 n",
        "/etc: dir 0755 0:0",
        "/etc/gone: whiteout",
    ]


@pytest.mark.parametrize("order", ["whiteout first", "whiteout last"])
def test_a_whiteout_spares_what_the_same_layer_brings(tmp_path: Path, order: str) -> None:
    # OCI image spec, layer.md "Whiteouts": only resources in lower layers are removed
    whiteouts = [member(".wh.file"), member(".wh.dir"), member(".wh.implied")]
    others = [member("file", "x"), member("dir/", None), member("implied/f", "y")]
    both = whiteouts + others if order == "whiteout first" else others + whiteouts
    assert unpack(tmp_path, tar(*both)) == [
        f"/dir: dir 0755 0:0 {OPAQUE}",
        "/file: file 0644 0:0 x",
        f"/implied: dir 0755 0:0 {OPAQUE}",
        "/implied/f: file 0644 0:0 y",
    ]


def test_whiteouts_of_nothing_are_left_out(tmp_path: Path) -> None:
    # overlayfs would list them in directories that it does not merge
    below = make(tmp_path / "below", {"d/old": "x", "o/x/y": "z"})
    data = tar(
        member("d/.wh.old"),
        member("d/.wh.never"),
        member("new/.wh.x"),
        member("o/x/.wh.y"),
        member("o/.wh..wh..opq"),
    )
    assert unpack(tmp_path, data, below) == [
        "/d: dir 0755 0:0",
        "/d/old: whiteout",
        "/new: dir 0755 0:0",
        f"/o: dir 0755 0:0 {OPAQUE}",
        "/o/x: dir 0755 0:0",
    ]


def test_an_opaque_mark_may_come_last(tmp_path: Path) -> None:
    data = tar(member("dir/f", "x"), member("dir/.wh..wh..opq"))
    assert unpack(tmp_path, data) == [
        f"/dir: dir 0755 0:0 {OPAQUE}",
        "/dir/f: file 0644 0:0 x",
    ]


def test_an_opaque_root_hides_each_name_below(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"a": "x", "d/f": "y", "e/f": "z"})
    data = tar(member(".wh..wh..opq"), member("a", "new"), member("d/g", "g"))
    assert unpack(tmp_path, data, below) == [
        "/a: file 0644 0:0 new",
        f"/d: dir 0755 0:0 {OPAQUE}",
        "/d/g: file 0644 0:0 g",
        "/e: whiteout",
    ]


def test_the_attribute_in_a_user_namespace(tmp_path: Path) -> None:
    unpack_layer(io.BytesIO(tar(member("d/.wh..wh..opq"))), str(tmp_path), xattr_prefix="user")
    assert lines(tmp_path) == ["/d: dir 0755 0:0 [user.overlay.opaque=y]"]


def test_implied_parents_look_like_those_below(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"var/lib/f": "x", "lib": "-> usr/lib"})
    os.chmod(below / "var/lib", 0o1770)
    os.chown(below / "var/lib", 3, 4)
    os.setxattr(below / "var/lib", "user.note", b"n")
    os.setxattr(below / "var/lib", "trusted.overlay.opaque", b"y")
    os.utime(below / "var/lib", (55, 55))
    data = tar(member("var/lib/new/f", "n"), member("lib/g", "g"))
    assert unpack(tmp_path, data, below, mtime=True) == [
        "/lib: dir 0755 0:0 @1000",  # as containerd: the link below is replaced
        "/lib/g: file 0644 0:0 @1000 g",
        "/var: dir 0755 0:0 @1000",
        "/var/lib: dir 1770 3:4 @55 [user.note=n]",
        "/var/lib/new: dir 0755 0:0 @1000",
        "/var/lib/new/f: file 0644 0:0 @1000 n",
    ]


def test_hard_links_into_the_layers_below_are_copies(tmp_path: Path) -> None:
    below = make(tmp_path / "below", {"bin/a": "program", "l": "-> bin/a"})
    data = tar(
        member("b", "= bin/a", mode=0o755), member("c", "= bin/a", mode=0o755), member("m", "= l")
    )
    assert unpack(tmp_path, data, below) == [
        "/b: file 0755 0:0 program",
        "/c: file 0755 0:0 program = /b",
        "/m: link 0:0 -> bin/a",
    ]
    assert lines(below)[1] == "/bin/a: file 0644 0:0 program"


def test_a_hard_link_to_a_link_is_the_link(tmp_path: Path) -> None:
    data = tar(member("l", "-> /etc/passwd"), member("m", "= l"))
    assert unpack(tmp_path, data) == [
        "/l: link 0:0 -> /etc/passwd",
        "/m: link 0:0 -> /etc/passwd = /l",
    ]


def test_later_members_replace_earlier_ones(tmp_path: Path) -> None:
    data = tar(
        member("f", "one"),
        member("f", "two", mode=0o600),
        member("d/x/y", "x"),
        member("d", "now a file"),
        member("g", "file"),
        member("g/", None),
        member("g/h", "h"),
        member("l", "-> f"),
        member("l", "kept apart"),
        member("e/", None, mode=0o700),
        member("e/", None, mode=0o711, mtime=9),
    )
    assert unpack(tmp_path, data) == [
        "/d: file 0644 0:0 now a file",
        "/e: dir 0711 0:0",
        "/f: file 0600 0:0 two",
        f"/g: dir 0755 0:0 {OPAQUE}",  # the file has hidden what was below
        "/g/h: file 0644 0:0 h",
        "/l: file 0644 0:0 kept apart",
    ]


def test_a_directory_that_became_a_link_is_not_touched_through_it(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", {"keep": "x"})
    os.chmod(outside, 0o700)
    data = tar(
        member("d/", None, mode=0o777, mtime=5),
        member("d/sub/", None, mode=0o777, mtime=5),
        member("d", f"-> {outside}"),
    )
    unpack(tmp_path, data)
    assert oct(outside.stat().st_mode) == "0o40700"
    assert lines(outside) == ["/keep: file 0644 0:0 x"]


HOSTILE = {
    "dots": [member("../../x", "bad")],
    "absolute": [member("/x", "bad")],
    "relative link": [member("d", "-> ../.."), member("d/x", "bad")],
    "absolute link": [member("d", "-> /"), member("d/x", "bad")],
    "link to outside": [member("d", "-> {outside}"), member("d/x", "bad")],
    "link chain": [member("a", "-> .."), member("b", "-> a/.."), member("b/x", "bad")],
    "file over link": [member("x", "-> {outside}/keep"), member("x", "bad")],
    "hard link out": [member("x", "= ../../outside/keep")],
    "hard link through link": [member("d", "-> {outside}"), member("x", "= d/keep")],
    "directory over link": [member("d", "-> {outside}"), member("d/", None, mode=0o777)],
    "whiteout through link": [member("d", "-> {outside}"), member("d/.wh.keep")],
    "opaque through link": [member("d", "-> {outside}"), member("d/.wh..wh..opq")],
    "whiteout of parent": [member("d/.wh...")],
    "dotted whiteout": [member(".wh.")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_outside_is_touched(tmp_path: Path, name: str) -> None:
    outside = make(tmp_path / "outside", {"keep": "safe"})
    dest = tmp_path / "dest"
    dest.mkdir()
    members = [(info, data) for info, data in HOSTILE[name]]
    for info, _ in members:
        info.linkname = info.linkname.replace("{outside}", str(outside))
    before = lines(outside, mtime=True)
    names = set(os.listdir(tmp_path))
    try:
        unpack_layer(io.BytesIO(tar(*members)), str(dest))
    except ArchiveError as error:
        assert "hard link" in error.message or "whiteout of no file" in error.message
    assert lines(outside, mtime=True) == before
    assert outside.stat().st_mode & 0o777 == 0o755
    assert set(os.listdir(tmp_path)) == names
    assert not os.path.exists("/x")


def test_links_lead_inside_the_layer(tmp_path: Path) -> None:
    data = tar(member("lib", "-> /usr/lib"), member("lib/x", "x"), member("usr/bin", "-> ../../.."),
               member("usr/bin/y", "y"))  # fmt: skip
    assert [line.partition(" ")[0] for line in unpack(tmp_path, data)] == [
        "/lib:", "/usr:", "/usr/bin:", "/usr/lib:", "/usr/lib/x:", "/y:",
    ]  # fmt: skip


def test_odd_names(tmp_path: Path) -> None:
    names = ["é", "a\nb", "x\udcff", " ", "-rf", "\\", "n" * 255]
    unpack(tmp_path, tar(*(member(name, "x") for name in names)))
    assert sorted(os.listdir(tmp_path / "layer")) == sorted(names)


def test_attributes_that_are_kept_and_those_that_are_not(tmp_path: Path) -> None:
    info, data = member("f", "x")
    info.pax_headers = {
        "SCHILY.xattr.user.note": "n",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.trusted.x": "y",
    }
    link, _ = member("l", "-> f")
    link.pax_headers = {"SCHILY.xattr.user.note": "n"}  # links cannot have these
    result = unpack_layer(io.BytesIO(tar((info, data), (link, b""))), str(tmp_path))
    assert lines(tmp_path) == ["/f: file 0644 0:0 x [user.note=n]", "/l: link 0:0 -> f"]
    assert result.skipped == ["l: attribute user.note: Operation not permitted"]


def test_a_capability_survives(tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", {"ping": "p"})
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(upper / "ping", "security.capability", capability)
    out = io.BytesIO()
    write_layer(str(upper), out)
    unpack(tmp_path, out.getvalue())
    assert os.getxattr(tmp_path / "layer/ping", "security.capability") == capability


def test_sparse_files_stay_sparse(tmp_path: Path) -> None:
    with open(tmp_path / "s", "wb") as file:
        file.seek(5 << 20)
        file.write(b"end")
    data = subprocess.run(
        ["tar", "-S", "--format=posix", "-cf", "-", "s"],
        cwd=tmp_path, capture_output=True, check=True,
    ).stdout  # fmt: skip
    unpack(tmp_path, data)
    unpacked = tmp_path / "layer/s"
    assert unpacked.read_bytes() == bytes(5 << 20) + b"end"
    assert unpacked.stat().st_blocks * 512 < 1 << 20


def test_large_files_pass_through(tmp_path: Path) -> None:
    content = os.urandom(3_000_001)
    unpack(tmp_path, tar(member("big", content), member("after", "x")))
    assert (tmp_path / "layer/big").read_bytes() == content


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_entries=3), "more than 3 entries"),
        (Limits(max_bytes=2000), "more than 2000 bytes"),
    ],
)
def test_limits(tmp_path: Path, limits: Limits, message: str) -> None:
    data = tar(*(member(f"d/{n}", "x" * 600) for n in range(4)))
    with pytest.raises(ArchiveError, match=message):
        unpack_layer(io.BytesIO(data), str(tmp_path), limits=limits)


def test_implied_directories_count_as_entries(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="more than 100 entries"):
        unpack_layer(
            io.BytesIO(tar(member("d/" * 101 + "f"))), str(tmp_path), limits=Limits(max_entries=100)
        )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("x", "= missing")], "hard link to 'missing', which is not there"),
        ([member("d/", None), member("x", "= d")], "is a hard link to no file"),
        ([member("d/f", "x"), member("d", "= d/f")], "is a hard link to what is inside it"),
        ([member(".wh.x"), member("y", "= x")], "is a hard link to no file"),
        ([member("f", "x"), member("f/g", "y")], "'f' is not a directory"),
        ([member("l", "-> l"), member("l/g", "y")], "too many symbolic links"),
        ([member("x", type=b"Q")], "is of a type"),
        ([member("n" * 256)], "cannot unpack"),
        ([member("d/" * 3000)], "cannot unpack"),
        ([member("x", uid=2**33)], "impossible owner"),
    ],
)
def test_malformed_layers(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    try:
        with pytest.raises(ArchiveError, match=message):
            unpack_layer(io.BytesIO(tar(*members)), str(tmp_path))
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_a_hard_link_to_itself_is_nothing(tmp_path: Path) -> None:
    assert unpack(tmp_path, tar(member("a", "x"), member("a", "= a"))) == ["/a: file 0644 0:0 x"]


def test_a_truncated_layer_is_an_error(tmp_path: Path) -> None:
    data = tar(member("a", "x" * 5000))
    with pytest.raises(ArchiveError, match="truncated"):
        unpack_layer(io.BytesIO(data[:3000]), str(tmp_path))


def test_the_stream_is_read_to_its_end(tmp_path: Path) -> None:
    stream = io.BytesIO(tar(member("a", "x")) + bytes(100_000))
    unpack_layer(stream, str(tmp_path))
    assert stream.read() == b""


def test_no_depth_is_too_deep_for_the_interpreter(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    make_deep(upper, 1200)
    try:
        out = io.BytesIO()
        write_layer(str(upper), out)
        (tmp_path / "l").mkdir()
        unpack_layer(
            io.BytesIO(out.getvalue()[:-1024] + tar(member("d", "x"))), str(tmp_path / "l")
        )
        assert lines(tmp_path / "l") == ["/d: file 0644 0:0 x"]
    finally:
        subprocess.run(["rm", "-rf", upper], check=True)


# -- what is written is what is read back --

_names = st.sampled_from(["a", "b", "c", "é", "x\udcff", "n" * 101, ".w", "sp ace", "new\nline"])
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)
_things = st.one_of(
    st.none(),
    st.text("xyz", max_size=5),
    st.sampled_from(["-> a", "-> ../b", "-> /" + "l" * 120, "-> é", "whiteout", "fifo", "device"]),
)
_trees = st.dictionaries(_paths, st.tuples(_things, st.integers(0, 0o7777), st.integers(0, 2**33)),
                         max_size=10)  # fmt: skip


def _grow(root: Path, spec: dict[str, tuple[str | None, int, int]]) -> None:
    """Make what fits: a path through something that is no directory is left out."""
    root.mkdir()
    made: list[Path] = []
    for name, (thing, mode, mtime) in sorted(spec.items()):
        path = root / name
        if os.path.lexists(path):
            continue
        above = [p for p in path.parents if p != root and p.is_relative_to(root)]
        if any(os.path.lexists(p) and (p.is_symlink() or not p.is_dir()) for p in above):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if thing is None:
            path.mkdir()
        elif thing == "whiteout":
            whiteout(path)
        elif thing == "fifo":
            os.mkfifo(path)
        elif thing == "device":
            os.mknod(path, 0o060600, os.makedev(7, 300))
        elif thing.startswith("-> "):
            path.symlink_to(thing[3:])
        elif made and made[-1].is_file() and not made[-1].is_symlink() and mode % 3 == 0:
            os.link(made[-1], path)
        else:
            path.write_text(thing)
        if not path.is_symlink() and thing != "whiteout":
            os.chown(path, mode % 7, mtime % 5_000_000)
            os.chmod(path, mode)
            if thing is None and mode % 2:
                opaque(path)
        made.append(path)
    for path in reversed(list(root.rglob("*"))):
        os.utime(path, (len(str(path)) * 7, len(str(path)) * 7), follow_symlinks=False)


@given(_trees, _trees)
@settings(max_examples=50, deadline=None)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    lower: dict[str, tuple[str | None, int, int]],
    spec: dict[str, tuple[str | None, int, int]],
) -> None:
    """A layer that was written and unpacked makes the same file system as before, says the kernel;
    and writing it again makes the same bytes."""
    base = tmp_path_factory.mktemp("trip")
    _grow(base / "below", {k: v for k, v in lower.items() if v[0] != "whiteout"})
    _grow(base / "upper", spec)
    below = DirTree(base / "below")
    first, second = io.BytesIO(), io.BytesIO()
    write_layer(str(base / "upper"), first, below=below)
    (base / "again").mkdir()
    unpack_layer(io.BytesIO(first.getvalue()), str(base / "again"), below)
    write_layer(str(base / "again"), second, below=below)

    assert overlay(base, "upper") == overlay(base, "again")
    assert first.getvalue() == second.getvalue()
    with tarfile.open(fileobj=io.BytesIO(first.getvalue())) as archive:
        members = archive.getnames()
    assert len(members) == len(set(members))


def overlay(base: Path, upper: str) -> list[str]:
    """What the kernel's overlayfs shows of a layer on ``below``."""
    merged = base / "merged"
    merged.mkdir(exist_ok=True)
    layers = f"lowerdir={base / upper}:{base / 'below'}"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", merged], check=True)
    try:
        return lines(merged)
    finally:
        subprocess.run(["umount", merged], check=True)


@pytest.mark.userns
def test_in_a_user_namespace(tmp_path: Path) -> None:
    """What only real root may make is skipped and told; whiteouts and marks can be made."""
    make(tmp_path / "below", {"gone": "x"})
    (tmp_path / "layer").mkdir()
    (tmp_path / "tar").write_bytes(
        tar(
            member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            member("pipe", type=tarfile.FIFOTYPE),
            member(".wh.gone"),
            member("d/.wh..wh..opq"),
            member("f", "x", mode=0o4755),
        )
    )
    program = (
        "import sys; from jettison.fs.stack import Stack\n"
        "from jettison.fs.layer import unpack_layer\n"
        "data, dest, below = sys.argv[1:]\n"
        "done = unpack_layer(open(data, 'rb'), dest, Stack([below]), xattr_prefix='user')\n"
        "print(done.skipped)"
    )
    names = [str(tmp_path / name) for name in ("tar", "layer", "below")]
    result = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c", program, *names],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stdout == "['null: device nodes need real root']\n"
    assert lines(tmp_path / "layer") == [
        "/d: dir 0755 0:0 [user.overlay.opaque=y]",
        "/f: file 4755 0:0 x",
        "/gone: whiteout",
        "/pipe: fifo 0644 0:0",
    ]


@pytest.mark.parametrize("kind", ["directories", "whiteouts", "parents"])
def test_names_kept_to_the_end_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("jettison.fs.extract._MAX_NAMES", 4000)
    make = {"directories": "{}/", "whiteouts": ".wh.{}", "parents": "{}/f"}[kind]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for n in range(20):
            info = tarfile.TarInfo(make.format(n))
            info.type = tarfile.DIRTYPE if kind == "directories" else tarfile.REGTYPE
            tar.addfile(info)
    out.seek(0)
    with pytest.raises(ArchiveError, match="more directories"):
        unpack_layer(out, str(tmp_path))
