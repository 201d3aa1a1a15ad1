"""Each way of making a root file system leaves the same layer."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import snapshots
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab

pytestmark = pytest.mark.root


def tree(directory: str) -> None:
    """The lower layers ``one`` and ``two`` and the directories of a mount."""
    for name in ("one", "two", "upper", "work", "root"):
        os.mkdir(os.path.join(directory, name), 0o755)
    one, two = Path(directory, "one"), Path(directory, "two")
    for name in ("dir", "replaced", "moved", "emptied", "kept/inner", "file-below"):
        (one / name).mkdir(parents=True)
    for name in ("dir/a", "dir/b", "replaced/old", "moved/m", "emptied/e", "kept/inner/k", "top"):
        (one / name).write_text(name)
    (one / "kept/link").symlink_to("inner")
    os.mkfifo(one / "kept/pipe")
    os.link(one / "dir/a", one / "dir/hard")
    (two / "dir").mkdir()
    (two / "dir/c").write_text("c")
    (two / "to-dir").write_text("x")


def change(root: str) -> None:
    """What a command might do."""
    at = Path(root)
    (at / "dir/a").write_text("changed")
    (at / "dir/c").unlink()
    (at / "dir/new").write_text("new")
    os.chmod(at / "kept/inner", 0o700)
    (at / "replaced/old").unlink()
    (at / "replaced").rmdir()
    (at / "replaced").mkdir()
    (at / "replaced/fresh").write_text("f")
    (at / "emptied/e").unlink()
    (at / "to-dir").unlink()
    (at / "to-dir").mkdir()
    (at / "file-below").rmdir()
    (at / "file-below").write_text("now a file")
    os.rename(at / "kept/link", at / "kept/renamed")
    os.link(at / "top", at / "other-top")
    os.setxattr(at / "dir/b", "user.note", b"y")
    (at / "deep/er").mkdir(parents=True)
    (at / "deep/er/pipe").unlink(missing_ok=True)
    os.mkfifo(at / "deep/er/pipe")
    os.chmod(at, 0o711)


def lines(layer: str, lowers: list[str]) -> list[str]:
    """The members of the layer's tar."""
    import io
    import tarfile

    from jettison.fs.stack import Stack
    from jettison.fs.tarwrite import write_layer

    out = io.BytesIO()
    write_layer(layer, out, below=Stack(lowers))
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        return [
            f"{m.name} {m.type.decode()} {m.mode:o} {m.uid}:{m.gid} {m.size} {m.linkname}".rstrip()
            for m in tar
        ]


def outcome(lab: Lab, isolation: Isolation, name: str) -> list[str]:
    with tempfile.TemporaryDirectory(dir=lab.directory) as place:
        os.chmod(place, 0o755)
        tree(place)
        with snapshots.mounted(
            name,
            os.path.join(place, "root"),
            base=place,
            lowers=["one", "two"],
            upper=os.path.join(place, "upper"),
            work=os.path.join(place, "work"),
            userxattr=isolation.rootless,
        ) as root:
            change(root)
        return lines(os.path.join(place, "upper"), [os.path.join(place, n) for n in ("one", "two")])


WANTED = [
    "deep 5 755 0:0 0",
    "deep/er 5 755 0:0 0",
    "deep/er/pipe 6 644 0:0 0",
    "dir 5 755 0:0 0",
    "dir/a 0 644 0:0 7",
    "dir/.wh.c 0 0 0:0 0",
    "dir/new 0 644 0:0 3",
    "emptied 5 755 0:0 0",
    "emptied/.wh.e 0 0 0:0 0",
    "file-below 0 644 0:0 10",
    "kept 5 755 0:0 0",
    "kept/inner 5 700 0:0 0",
    "kept/.wh.link 0 0 0:0 0",
    "kept/renamed 2 777 0:0 0 inner",
    "other-top 0 644 0:0 3",
    "replaced 5 755 0:0 0",
    "replaced/.wh..wh..opq 0 0 0:0 0",
    "replaced/fresh 0 644 0:0 1",
    "to-dir 5 755 0:0 0",
    "top 1 644 0:0 0 other-top",
]
"""What overlayfs' rules make of `change` (Documentation/filesystems/overlayfs.rst)."""


@pytest.mark.parametrize("name", snapshots.SNAPSHOTTERS)
def test_the_layer_is_the_same(lab: Lab, name: str) -> None:
    lack = lab.isolated(lambda _: snapshots.fuse_lack())
    if name == snapshots.FUSE and lack is not None:
        pytest.skip(f"fuse-overlayfs: {lack}")
    assert lab.isolated(lambda isolation: outcome(lab, isolation, name)) == WANTED


def test_a_second_command_goes_on_where_the_first_one_stopped(lab: Lab) -> None:
    def work(isolation: Isolation) -> list[str]:
        with tempfile.TemporaryDirectory(dir=lab.directory) as place:
            tree(place)
            for step in (1, 2):
                work = os.path.join(place, f"work{step}")
                os.mkdir(work)
                with snapshots.mounted(
                    snapshots.COPY,
                    os.path.join(place, "root"),
                    base=place,
                    lowers=["one", "two"],
                    upper=os.path.join(place, "upper"),
                    work=work,
                    userxattr=isolation.rootless,
                ) as root:
                    Path(root, f"made-{step}").write_text(str(sorted(os.listdir(root))))
                    if step == 1:
                        os.unlink(os.path.join(root, "top"))
            assert "top" not in Path(place, "upper/made-2").read_text()
            return sorted(os.listdir(os.path.join(place, "upper")))

    assert lab.isolated(work) == ["made-1", "made-2", "top"]


def test_what_is_wanted_must_work_and_be_known(lab: Lab) -> None:
    def work(isolation: Isolation) -> list[str]:
        said = []
        for wanted in ("copy", "zfs"):
            try:
                said.append(
                    snapshots.choose(lab.directory, userxattr=isolation.rootless, wanted=wanted)[0]
                )
            except SandboxError as error:
                said.append(f"{error.message} ({error.hint})")
        return said

    assert lab.isolated(work) == [
        "copy",
        "JETTISON_SNAPSHOTTER is 'zfs' (one of overlay, fuse-overlayfs, copy, or unset it)",
    ]
