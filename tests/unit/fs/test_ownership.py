"""Owners that cannot be given: what one mapped id unpacks, copies and writes is what root does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.userns

START = """\
import io, os, stat, sys, tarfile
from jettison.fs import ownership
from jettison.fs.copy import copy_selection
from jettison.fs.layer import unpack_layer
from jettison.fs.ownership import Owners
from jettison.fs.select import select
from jettison.fs.stack import Stack
from jettison.fs.tarread import TarReader
from jettison.fs.tarwrite import add_tree, write_layer, TarWriter
from jettison.fs.upper import Upper
from jettison.fs.write import Attributes, apply

def member(name, uid, gid, kind=tarfile.REGTYPE, mode=0o644, data=b"", pax=None, target=""):
    info = tarfile.TarInfo(name)
    info.uid, info.gid, info.type, info.mode, info.linkname = uid, gid, kind, mode, target
    info.size, info.mtime, info.pax_headers = len(data), 1000, pax or {}
    return info, data

def unpack(directory, members, below=None):
    os.mkdir(directory)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    out.seek(0)
    return unpack_layer(out, directory, below, xattr_prefix="user")

def show(write):
    out = io.BytesIO()
    write(out)
    out.seek(0)
    reader = TarReader(out)
    while (m := reader.next()) is not None:
        names = " ".join(sorted(name.decode() for name in m.xattrs))
        print(f"{m.name.decode()} {m.mode:o} {m.uid}:{m.gid} {names}".rstrip())

BASE = [
    member("d", 7, 8, tarfile.DIRTYPE, 0o2750),
    member("d/f", 1000, 4000000000, data=b"text", mode=0o4600),
    member("d/h", 1000, 4000000000, tarfile.LNKTYPE, mode=0o4600, target="d/f"),
    member("d/l", 5, 6, tarfile.SYMTYPE, mode=0o777, target="f"),
    member("d/p", 9, 0, tarfile.FIFOTYPE),
    member("root", 0, 0, data=b"r"),
]
"""
BASE = """\
d/ 2750 7:8
d/f 4600 1000:4000000000
d/h 4600 1000:4000000000
d/l 777 5:6
d/p 644 9:0
root 644 0:0
"""


def single(program: str, where: Path) -> str:
    """What ``program`` prints, run in ``where`` in a user namespace that maps one id."""
    done = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c", START + program],
        cwd=where,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_layer_is_written_with_the_owners_it_was_unpacked_with(tmp_path: Path) -> None:
    program = "unpack('a', BASE)\nshow(lambda out: write_layer('a', out))"
    assert single(program, tmp_path) == BASE


def test_a_whole_tree_has_the_owners_and_no_trace_of_how_they_are_kept(tmp_path: Path) -> None:
    program = (
        "unpack('a', BASE)\n"
        "def write(out):\n"
        "    tar = TarWriter(out); add_tree(tar, Stack(['a'])); tar.close()\n"
        "show(write)"
    )
    assert single(program, tmp_path) == BASE


def test_copies_keep_or_change_owners(tmp_path: Path) -> None:
    program = (
        "unpack('a', BASE)\n"
        "ways = {'kept': {}, 'changed': {'chown': (3, 4)}, 'roots': {'chown': (0, 0)}}\n"
        "for name, how in ways.items():\n"
        "    os.mkdir(name)\n"
        "    tree = Stack(['a'])\n"
        "    upper = Upper(tree, name)\n"
        "    copy_selection(tree, select(tree, '/d', wildcard=False), upper, '/d', **how)\n"
        "    copy_selection(tree, select(tree, '/d', wildcard=False), upper, '/e', **how)\n"
        "    print(name, sorted((e.path, e.uid, e.gid) for e in upper.walk('/e')))\n"
    )

    def lines(f: str, link: str, pipe: str) -> str:
        owners = {"f": f, "h": f, "l": link, "p": pipe}
        return "[" + ", ".join(f"('/e/{n}', {o})" for n, o in owners.items()) + "]\n"

    assert single(program, tmp_path) == (
        "kept " + lines("1000, 4000000000", "5, 6", "9, 0")
        + "changed " + lines("3, 4", "3, 4", "3, 4")
        + "roots " + lines("0, 0", "0, 0", "0, 0")
    )  # fmt: skip


def test_an_owner_that_can_be_given_replaces_the_one_that_was_kept(tmp_path: Path) -> None:
    program = (
        "os.mkdir('t'); owners = Owners('t')\n"
        "open('t/f', 'w'); os.mkdir('t/d'); os.symlink('x', 't/l'); os.mkfifo('t/p')\n"
        "names = 't/f', 't/d', 't/l', 't/p'\n"
        "ids = lambda: [ownership.owned(n, os.lstat(n))[4:6] for n in names]\n"
        "for uid, gid in (0, 0), (1, 2), (0, 5), (0, 0):\n"
        "    for n in names: owners.give(n, uid, gid)\n"
        "    print(ids(), owners.kept)\n"
    )
    assert single(program, tmp_path).splitlines() == [
        f"{[(0, 0)] * 4} False",
        f"{[(1, 2)] * 4} True",
        f"{[(0, 5)] * 4} True",
        f"{[(0, 0)] * 4} True",
    ]


def test_an_image_cannot_say_whose_its_files_are_by_attributes(tmp_path: Path) -> None:
    forged = "\\x00\\x00\\x00\\x02\\x01\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00tteJ"
    program = (
        f"cap = {{'SCHILY.xattr.security.capability': '{forged}'}}\n"
        "own = {'SCHILY.xattr.user.jettison.owner': '1:1'}\n"
        "unpack('a', [member('own', 0, 0, pax=own), member('cap', 0, 0, tarfile.SYMTYPE, "
        "pax=cap, target='x'), member('other', 5, 5)])\n"
        "print(sorted((e.path, e.uid) for e in Stack(['a']).walk()))"
    )
    assert single(program, tmp_path) == "[('/cap', 0), ('/other', 5), ('/own', 0)]\n"


def test_what_a_command_wrote_into_the_attributes_is_not_believed(tmp_path: Path) -> None:
    program = (
        "unpack('a', [member('f', 5, 5), member('g', 5, 5), member('h', 5, 5)])\n"
        "os.setxattr('a/f', 'user.jettison.owner', b'x:y')\n"
        "os.setxattr('a/g', 'user.jettison.owner', b'4294967295:0')\n"
        "print([(e.path, e.uid) for e in Stack(['a']).walk()])"
    )
    assert single(program, tmp_path) == "[('/f', 0), ('/g', 0), ('/h', 5)]\n"


def test_overlayfs_copies_up_what_is_beside_files(tmp_path: Path) -> None:
    program = (
        "from jettison.sandbox import mounts, syscalls\n"
        "syscalls.unshare(syscalls.CLONE_NEWNS)\n"
        "unpack('a', BASE)\n"
        "os.mkdir('u'); os.mkdir('w'); os.mkdir('m')\n"
        "Upper(Stack(['a']), 'u')\n"
        "here = os.getcwd()\n"
        "with mounts.stack(here + '/m', base=here, lowers=['a'], upper=here + '/u', "
        "work=here + '/w', userxattr=True):\n"
        "    os.unlink('m/d/h')\n"
        "    open('m/d/f', 'a').write('more')\n"
        "    os.rename('m/d/l', 'm/d/k')\n"
        "    open('m/d/new', 'w')\n"
        "show(lambda out: write_layer('u', out, below=Stack(['a'])))"
    )
    assert single(program, tmp_path) == (
        "d/ 2750 7:8\nd/f 600 1000:4000000000\nd/.wh.h 0 0:0\n"
        "d/k 777 5:6\nd/.wh.l 0 0:0\nd/new 644 0:0\n"
    )


def test_a_tree_whose_owners_were_all_given_is_not_marked(tmp_path: Path) -> None:
    program = "unpack('a', [member('f', 0, 0)])\nprint(os.listxattr('a'), os.listxattr('a/f'))"
    assert single(program, tmp_path) == "[] []\n"
