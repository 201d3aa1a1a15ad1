"""Hostile archives: what each holds, and what is to become of it as a layer and in ADD.

An archive is laid on the tree LOWER. ``layer`` and ``add`` are either the words of the refusal
(a string), or the lines that come to the tree, those that go with a leading ``-``. ``add`` of None
is the same as ``layer``. What is accepted is what containerd (layers) and BuildKit with moby's
go-archive (ADD) accept, but for what would be dropped in silence there.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from dataclasses import dataclass

import zstandard

from tests.integration.hostile.rawtar import (
    END,
    directory,
    gnu,
    link,
    member,
    named,
    old_sparse,
    pax,
    record,
    symlink,
)

Lines = tuple[str, ...]


def lower(mtime: int = 0) -> bytes:
    """What archives are laid on; with another time it is another layer."""
    keep = directory("keep") + member("keep/a", b"a") + member("keep/b", b"b")
    return keep + member("file", b"f", mtime=mtime) + END


TREE = {
    "/keep: dir 0755 0:0",
    "/keep/a: file 0644 0:0 'a'",
    "/keep/b: file 0644 0:0 'b'",
    "/file: file 0644 0:0 'f'",
}
_ALL_GONE = tuple(sorted("-" + line for line in TREE))


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    layer: str | Lines
    add: str | Lines | None = None

    @property
    def added(self) -> str | Lines:
        return self.layer if self.add is None else self.add


def plain(path: str, content: str = "x", mode: str = "0644", owner: str = "0:0") -> str:
    """The line of a file."""
    return f"{path}: file {mode} {owner} {content!r}"


def folder(path: str) -> str:
    return f"{path}: dir 0755 0:0"


def _tar(*members: bytes) -> bytes:
    return b"".join(members) + END


def _x(name: str) -> bytes:
    return member(name, b"x")


_CHAIN = [symlink(f"l{n}", f"l{n + 1}") for n in range(60)]

PATHS = (
    Case("dot-dot", _tar(_x("../../canary/x")), (folder("/canary"), plain("/canary/x"))),
    Case("dot-dot inside", _tar(_x("keep/../../../y")), (plain("/y"),)),
    Case("absolute", _tar(_x("/abs/x")), (folder("/abs"), plain("/abs/x"))),
    Case("only dots", _tar(directory("./"), directory(".."), directory("/")), ()),
    Case(
        "through an absolute link",
        _tar(symlink("esc", "/canary"), _x("esc/x")),
        ("/esc: link /canary", folder("/canary"), plain("/canary/x")),
    ),
    Case(
        "through a relative link",
        _tar(symlink("esc", "../../../../.."), _x("esc/x")),
        ("/esc: link ../../../../..", plain("/x")),
    ),
    Case(
        "through a link to what lies below",
        _tar(symlink("esc", "/keep"), _x("esc/a")),
        ("/esc: link /keep", "-" + plain("/keep/a", "a"), plain("/keep/a")),
    ),
    Case(
        "through two links",
        _tar(symlink("one", "two/in"), symlink("two", "/"), _x("one/x")),
        ("/one: link two/in", "/two: link /", folder("/in"), plain("/in/x")),
    ),
    Case(
        "a file over a link",
        _tar(symlink("esc", "/canary"), _x("esc")),
        (plain("/esc"),),
    ),
    Case(
        "a directory over a link",
        _tar(symlink("esc", "/canary"), directory("esc"), _x("esc/x")),
        (folder("/esc"), plain("/esc/x")),
    ),
    Case("a cycle", _tar(symlink("a", "b"), symlink("b", "a"), _x("a/x")), "too many symbolic"),
    Case("a link to itself", _tar(symlink("a", "a"), _x("a/x")), "too many symbolic"),
    Case("sixty links", _tar(*_CHAIN, _x("l0/x")), "too many symbolic"),
    Case("an empty link", _tar(symlink("a", "")), "cannot unpack 'a'"),
    Case("below a file", _tar(_x("f"), _x("f/x")), "'f' is not a directory"),
    Case("below a device", _tar(member("n", kind=b"6"), _x("n/x")), "'n' is not a directory"),
    Case("a directory over a file", _tar(_x("d"), directory("d")), (folder("/d"),)),
    Case(
        "a file over a directory",
        _tar(directory("d"), _x("d/x"), member("d", b"f")),
        (plain("/d", "f"),),
    ),
    Case("twice", _tar(member("f", b"1"), member("./f", b"2")), (plain("/f", "2"),)),
    Case("two cases", _tar(member("A", b"1"), member("a", b"2")),
         (plain("/A", "1"), plain("/a", "2"))),
    Case("255 bytes", _tar(named("n" * 255), _x("n")), (plain("/" + "n" * 255),)),
    Case("256 bytes", _tar(named("n" * 256), _x("n")), "File name too long"),
    Case("a path of 5000 bytes", _tar(named("d/" * 2500 + "x"), _x("n")), "File name too long"),
    Case("a newline", _tar(_x("a\nb")), (plain("/a\\nb"),)),
    Case("control characters", _tar(_x("\x1b[2J\x07")), (plain("/\\x1b[2J\\x07"),)),
    Case("no UTF-8", _tar(member(b"\xff\xfe", b"x")), (plain("/\\xff\\xfe"),)),
    Case("control characters in an error", _tar(link("h", "\x1b[2Jgone\n")), "gone"),
    Case("a NUL", _tar(_x("f"), named("a\0b"), _x("n")), "NUL"),
)  # fmt: skip

LINKS = (
    Case("out of the root", _tar(link("h", "../../../../etc/passwd")), "is not there"),
    Case("absolute link", _tar(link("h", "/etc/passwd")), "is not there"),
    Case(
        "to a symbolic link",
        _tar(symlink("s", "/etc/passwd"), link("h", "s")),
        ("/h: link /etc/passwd", "/s: link /etc/passwd"),
    ),
    Case("through a symbolic link", _tar(symlink("s", "/etc"), link("h", "s/passwd")), "not there"),
    Case("to nothing", _tar(link("h", "nothing")), "is not there"),
    Case("without a target", _tar(link("h", "")), "is not there"),
    Case("to the root", _tar(link("h", "/")), "is not there"),
    Case("to a directory", _tar(directory("d"), link("h", "d")), "hard link to no file"),
    Case("to a directory below", _tar(link("h", "keep")), "hard link to no file"),
    Case("to a file below", _tar(link("h", "file")), (plain("/h", "f"),)),
    Case("to itself", _tar(_x("a"), link("a", "a")), (plain("/a"),)),
    Case("to what is inside it", _tar(directory("d"), _x("d/x"), link("d", "d/x")), "inside it"),
    Case(
        "over a directory",
        _tar(_x("f"), directory("d"), _x("d/x"), link("d", "f")),
        (plain("/d"), plain("/f")),
    ),
)  # fmt: skip

WHITEOUTS = (
    Case("of a file", _tar(member("keep/.wh.a")), ("-" + plain("/keep/a", "a"),),
         (plain("/keep/.wh.a", ""),)),
    Case("of nothing", _tar(member(".wh.")), "whiteout of no file", (plain("/.wh.", ""),)),
    Case("of dot", _tar(member(".wh..")), "whiteout of no file", (plain("/.wh..", ""),)),
    Case("of dot-dot", _tar(member("keep/.wh...")), "whiteout of no file",
         (plain("/keep/.wh...", ""),)),
    Case("through a link", _tar(symlink("esc", "/"), member("esc/.wh.file")),
         ("/esc: link /", "-" + plain("/file", "f")), ("/esc: link /", plain("/.wh.file", ""))),
    Case("out of the root", _tar(member("../../.wh.file")), ("-" + plain("/file", "f"),),
         (plain("/.wh.file", ""),)),
    Case("opaque root", _tar(member(".wh..wh..opq")), _ALL_GONE, (plain("/.wh..wh..opq", ""),)),
    Case("opaque in a directory", _tar(member("keep/.wh..wh..opq")),
         ("-" + plain("/keep/a", "a"), "-" + plain("/keep/b", "b")),
         (plain("/keep/.wh..wh..opq", ""),)),
    Case("opaque nowhere", _tar(member("new/.wh..wh..opq")), (folder("/new"),),
         (folder("/new"), plain("/new/.wh..wh..opq", ""))),
    Case("opaque below a file", _tar(_x("f"), member("f/.wh..wh..opq")), "'f' is not a directory"),
    Case("aufs' notes", _tar(directory(".wh..wh.plnk"), member(".wh..wh.aufs", b"x")), (),
         (folder("/.wh..wh.plnk"), plain("/.wh..wh.aufs"))),
    Case("a device 0:0", _tar(member("file", kind=b"3")), ("-" + plain("/file", "f"),),
         "character device 0:0"),
    Case("a device 0:0 for a parent", _tar(member("file", kind=b"3"), _x("file/x")),
         ("-" + plain("/file", "f"), folder("/file"), plain("/file/x")), "character device 0:0"),
)  # fmt: skip


def _xattr(name: str, value: bytes | str) -> bytes:
    return pax(record("SCHILY.xattr." + name, value))


_CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)

KINDS = (
    Case("a character device", _tar(member("null", kind=b"3", device=(1, 3), mode=0o666)),
         ("/null: char 0666 0:0 1:3",)),
    Case("a block device", _tar(member("sda", kind=b"4", device=(8, 0), mode=0o660)),
         ("/sda: block 0660 0:0 8:0",)),
    Case("a device of impossible numbers",
         _tar(member("d", kind=b"3", device=(0o7777777, 0o7777777))), "impossible device"),
    Case("a device of negative numbers",
         _tar(member("d", kind=b"3", device=(b"\xff" * 8, b"\xff" * 8))), "impossible device"),
    Case("a FIFO", _tar(member("fifo", kind=b"6", mode=0o600)), ("/fifo: fifo 0600 0:0",)),
    Case("an unknown type", _tar(member("s", kind=b"s")), "that is not supported"),
    Case("set-user-ID", _tar(member("su", b"x", mode=0o6755)), (plain("/su", mode="6755"),)),
    Case("types in the mode", _tar(member("f", b"x", mode=0o120777)), (plain("/f", mode="0777"),)),
    Case("an owner of 2^31", _tar(pax(record("uid", "2147483648")), _x("f")),
         (plain("/f"),)),
    Case("an owner of 2^32 - 1", _tar(pax(record("uid", "4294967295")), _x("f")),
         "impossible owner"),
    Case("an owner of 2^63", _tar(pax(record("gid", str(1 << 63))), _x("f")), "impossible owner"),
    Case("a negative owner", _tar(member("f", b"x", uid=b"\xff" * 8)), "impossible owner"),
    Case("overlay's attributes",
         _tar(_xattr("trusted.overlay.opaque", "y"), directory("keep"),
              _xattr("user.overlay.opaque", "y"), directory("keep"),
              _xattr("trusted.overlay.redirect", "/etc"), directory("moved"),
              _xattr("trusted.overlay.overlay.opaque", "y"), directory("nested"),
              _xattr("user.overlay.whiteout", "y"), member("file"),
              _xattr("trusted.overlay.metacopy", ""), member("meta")),
         (folder("/moved"), folder("/nested"), "-" + plain("/file", "f"), plain("/file", ""),
          plain("/meta", ""))),
    Case("a capability", _tar(_xattr("security.capability", _CAPABILITY), _x("f")),
         (plain("/f") + " security.capability",)),
    Case("an attribute of 70 KB", _tar(_xattr("user.big", "v" * 70_000), _x("f")),
         "cannot unpack 'f': Argument list too long"),
    Case("an attribute with a name of 300 bytes", _tar(_xattr("user." + "n" * 300, "v"), _x("f")),
         "cannot unpack 'f'"),
    Case("an attribute without a name", _tar(_xattr("", "v"), _x("f")), "cannot unpack 'f'"),
    Case("an ACL that is none", _tar(_xattr("system.posix_acl_access", "junk"), _x("f")),
         (plain("/f"),)),
)  # fmt: skip

_BIG = b"\x80" + (1 << 60).to_bytes(11, "big")
_MALFORMED = "malformed pax header"

HEADERS = (
    Case("no tar", b"not a tar " * 100, "not a tar", ("/it: file 0644 0:0 1000 bytes",)),
    Case("zeros only", END, (), ("/it: file 0644 0:0 1024 bytes",)),
    Case("nothing at all", b"", (), (plain("/it", ""),)),
    Case("a wrong checksum", _tar(member("f", b"x", checksum=1)), "wrong header checksum",
         ("/it: file 0644 0:0 2048 bytes",)),
    Case("a wrong checksum later", _tar(_x("f"), member("g", b"x", checksum=1)), "wrong header"),
    Case("letters in a number", _tar(_x("f"), member("g", size=b"12z")), "malformed number"),
    Case("a negative size", _tar(_x("f"), member("g", size=b"\xff" * 12)), "negative size"),
    Case("a size of 2^60", _tar(_x("f"), member("g", size=_BIG)), "holds more than"),
    Case("a negative time", _tar(member("f", b"x", mtime=b"\xff" * 12)), (plain("/f"),)),
    Case("a time of 2^60", _tar(member("f", b"x", mtime=_BIG)), (plain("/f"),)),
    Case("truncated in a header", _tar(_x("f"))[:1200], "truncated"),
    Case("truncated in data", _tar(_x("f"), member("g", b"y" * 512))[:1600], "truncated"),
    Case("truncated in padding", _tar(_x("f"))[:600], (plain("/f"),)),
    Case("without an end", _x("f"), (plain("/f"),)),
    Case("followed by anything", _tar(_x("f")) + b"garbage" * 99, (plain("/f"),)),
    Case("followed by another", _tar(_x("f")) + _tar(_x("g")), (plain("/f"),)),
    Case("a zero block inside", _x("f") + bytes(512) + _x("g"), "zero block"),
    Case("pax: the size counts", _tar(pax(record("size", "3")), member("f", b"abc", size=0)),
         (plain("/f", "abc"),)),
    Case("pax: a size beyond the end", _tar(_x("f"), pax(record("size", "999999")), _x("g")),
         "truncated"),
    Case("pax: a negative size", _tar(_x("f"), pax(record("size", "-1")), _x("g")),
         "malformed number"),
    Case("pax: a size of 10^30", _tar(_x("f"), pax(record("size", "1" + "0" * 30)), _x("g")),
         "malformed number"),
    Case("pax: a path that leads out", _tar(named("../../canary/x"), _x("n")),
         (folder("/canary"), plain("/canary/x"))),
    Case("pax: a path that is no UTF-8", _tar(named(b"\xff"), _x("n")), (plain("/\\xff"),)),
    Case("pax: a time that is none", _tar(_x("f"), pax(record("mtime", "nan")), _x("g")),
         "malformed time"),
    Case("pax: a time of 10^20", _tar(pax(record("mtime", "9" * 20)), _x("f")), (plain("/f"),)),
    Case("pax: no newline", _tar(_x("f"), pax(b"9 path=ab"), _x("g")), _MALFORMED),
    Case("pax: length 0", _tar(_x("f"), pax(b"0 path=ab\n"), _x("g")), _MALFORMED),
    Case("pax: a length beyond", _tar(_x("f"), pax(b"99 path=ab\n"), _x("g")), _MALFORMED),
    Case("pax: a length of 10^10", _tar(_x("f"), pax(b"9999999999 path=ab\n"), _x("g")),
         _MALFORMED),
    Case("pax: no key", _tar(_x("f"), pax(b"6 =ab\n"), _x("g")), _MALFORMED),
    Case("pax: a header of 1 GB", _tar(_x("f"), pax(size=1 << 30), _x("g")), "more than 1 MiB"),
    Case("pax: nothing after it", _tar(_x("f"), named("g")), "ends after an extended header"),
    Case("pax: global", _tar(pax(record("path", "evil"), kind=b"g"), _x("f")), (plain("/f"),)),
    Case("pax: the last of two counts", _tar(named("a"), named("b"), _x("n")), (plain("/b"),)),
    Case("GNU: a long name", _tar(gnu(b"L", b"d/" + b"n" * 200), _x("n")),
         (folder("/d"), plain("/d/" + "n" * 200))),
    Case("GNU: a name of 1 GB", _tar(_x("f"), member("L", kind=b"L", size=1 << 30), _x("g")),
         "more than 1 MiB"),
    Case("GNU: a long target", _tar(gnu(b"K", b"/canary/" + b"n" * 200), symlink("s", "n")),
         ("/s: link /canary/" + "n" * 200,)),
    Case("GNU: nothing after it", _tar(_x("f"), gnu(b"L", b"n")), "ends after an extended header"),
)  # fmt: skip


def _sparse(*records: tuple[str, str]) -> bytes:
    return pax(*(record("GNU.sparse." + key, value) for key, value in records))


_HOLES = repr("\0\0ab\0\0")
_V1 = (("major", "1"), ("minor", "0"), ("name", "s"))
_MAP = b"1\n2\n2\n".ljust(512, b"\0")
_WRONG = "malformed sparse file"

SPARSE = (
    Case("old GNU", _tar(old_sparse("s", b"6", [(b"2", b"2")], b"ab")),
         (f"/s: file 0644 0:0 {_HOLES}",)),
    Case("old GNU: overlapping", _tar(_x("f"), old_sparse("s", b"6", [(b"2", b"2"), (b"1", b"1")],
         b"abc")), _WRONG),
    Case("old GNU: beyond its end", _tar(_x("f"), old_sparse("s", b"3", [(b"2", b"2")], b"ab")),
         _WRONG),
    Case("old GNU: of 2^60 bytes", _tar(_x("f"), old_sparse("s", _BIG, [], b"")),
         "holds more than"),
    Case("old GNU: of negative size", _tar(_x("f"), old_sparse("s", b"\xff" * 12, [], b"")),
         _WRONG),
    Case("0.0", _tar(_sparse(("size", "6"), ("numblocks", "1"), ("offset", "2"), ("numbytes", "2")),
         member("s", b"ab")), (f"/s: file 0644 0:0 {_HOLES}",)),
    Case("0.1", _tar(_sparse(("name", "s"), ("size", "6"), ("map", "2,2")), member("n", b"ab")),
         (f"/s: file 0644 0:0 {_HOLES}",)),
    Case("0.1: an odd map", _tar(_x("f"), _sparse(("size", "6"), ("map", "2,2,2")),
         member("s", b"ab")), _WRONG),
    Case("0.1: a map of nonsense", _tar(_x("f"), _sparse(("size", "6"), ("map", "2,x")),
         member("s", b"ab")), "malformed number"),
    Case("1.0", _tar(_sparse(*_V1, ("realsize", "6")), member("n", _MAP + b"ab")),
         (f"/s: file 0644 0:0 {_HOLES}",)),
    Case("1.0: a name that leads out", _tar(_sparse(*_V1[:2], ("name", "../../canary/s"),
         ("realsize", "6")), member("n", _MAP + b"ab")),
         (folder("/canary"), f"/canary/s: file 0644 0:0 {_HOLES}")),
    Case("1.0: 8 EB", _tar(_x("f"), _sparse(*_V1, ("realsize", str((1 << 63) - 1))),
         member("n", _MAP + b"ab")), "holds more than"),
    Case("1.0: a map without end", _tar(_x("f"), _sparse(*_V1, ("realsize", "6")),
         member("n", b"1" * 4096)), _WRONG),
    Case("1.0: too many pieces", _tar(_x("f"), _sparse(*_V1, ("realsize", "6")),
         member("n", b"9999999\n".ljust(512, b"\0"))), "too many pieces"),
    Case("1.0: more pieces than there are", _tar(_x("f"), _sparse(*_V1, ("realsize", "6")),
         member("n", b"9\n".ljust(512, b"\0"))), _WRONG),
)  # fmt: skip

_GOOD = _tar(_x("f"))
_F = (plain("/f"),)


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("f", "x" * 2000)
    return out.getvalue()


def _it(data: bytes) -> Lines:
    """The line of an archive that is none, and so is copied."""
    shown = repr(data.decode("latin-1")) if len(data) < 100 else f"{len(data)} bytes"
    return (f"/it: file 0644 0:0 {shown}",)


def _refused_or_copied(name: str, data: bytes, words: str) -> Case:
    return Case(name, data, words, _it(data))


def _members(data: bytes, size: int) -> bytes:
    pieces = (data[n : n + size] for n in range(0, len(data), size))
    return b"".join(gzip.compress(piece, 1) for piece in pieces)


def _flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 0xFF
    return bytes(changed)


_GZIP = gzip.compress(_GOOD, mtime=0)
_EMPTY_MEMBER = gzip.compress(b"", 1, mtime=0)
_ZSTD = zstandard.ZstdCompressor().compress(_GOOD)
_EMPTY_FRAME = zstandard.ZstdCompressor().compress(b"")
_SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00junk"
# A frame whose header asks for a window of 2 GiB (RFC 8878, section 3.1.1.1.2).
_WINDOW = b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\x00\x00"
_XZ_DICTIONARY = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]

COMPRESSED = (
    _refused_or_copied("a zip", _zip(), "not a tar"),
    Case("gzip", _GZIP, _F),
    Case("bzip2", bz2.compress(_GOOD), _F),
    Case("xz", lzma.compress(_GOOD), _F),
    Case("zstd", _ZSTD, _F),
    Case("gzip in many members", _members(_GOOD, 7), _F),
    Case("gzip with 100,000 empty members", _EMPTY_MEMBER * 100_000 + _GZIP, _F),
    Case("gzip followed by zeros", _GZIP + bytes(10_000), _F),
    _refused_or_copied("gzip with a wrong sum", _flipped(_GZIP, -5), "the gzip stream is damaged"),
    Case("gzip cut off", _GZIP[:-9], "the gzip stream"),
    Case("gzip followed by anything", _GZIP + b"anything", "the gzip stream"),
    _refused_or_copied("gzip in gzip", gzip.compress(_GZIP, mtime=0), "truncated"),
    Case("zstd with skippable frames", _SKIPPABLE * 1000 + _ZSTD + _SKIPPABLE * 1000, _F),
    Case("zstd with empty frames", _EMPTY_FRAME * 20_000 + _ZSTD + _EMPTY_FRAME, _F),
    _refused_or_copied("zstd cut off", _ZSTD[:-2], "the zstd stream"),
    _refused_or_copied("zstd with a window of 2 GiB", _WINDOW, "the zstd stream is damaged"),
    _refused_or_copied("a skippable frame of 4 GB", b"\x50\x2a\x4d\x18\xff\xff\xff\xffjunk",
                       "the zstd stream is truncated"),
    _refused_or_copied("xz that needs 512 MiB", lzma.compress(_GOOD, filters=_XZ_DICTIONARY),
                       "the xz stream"),
    Case("xz cut off", lzma.compress(_GOOD)[:-12], "the xz stream is truncated"),
    _refused_or_copied("bzip2 with a wrong sum", _flipped(bz2.compress(_GOOD), -8),
                       "the bzip2 stream"),
)  # fmt: skip

GROUPS = {
    "paths": PATHS,
    "links": LINKS,
    "whiteouts": WHITEOUTS,
    "kinds": KINDS,
    "headers": HEADERS,
    "sparse": SPARSE,
    "compressed": COMPRESSED,
}
CASES = {f"{group}: {case.name}": case for group, cases in GROUPS.items() for case in cases}
