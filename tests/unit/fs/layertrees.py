"""Making layer directories and tars to test with, and showing them as text lines."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KINDS = {stat.S_IFIFO: "fifo", stat.S_IFCHR: "char", stat.S_IFBLK: "block"}


@dataclass(frozen=True)
class Here:
    path: str
    real: str
    st: os.stat_result


class DirTree:
    """A plain directory as the tree below a layer."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)

    def lstat(self, path: str) -> Here | None:
        real = self.root + path
        try:
            return Here(path, real, os.lstat(real))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def children(self, path: str) -> list[Here]:
        base = path.rstrip("/")
        try:
            names = sorted(os.listdir(self.root + path))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [found for n in names if (found := self.lstat(f"{base}/{n}")) is not None]


def lines(root: Path, *, owner: bool = True, mtime: bool = False) -> list[str]:
    """``/bin/app: file 0755 0:0 hello`` for everything below ``root``, in overlay form.

    Whiteouts, opaque directories, capabilities and hard links (by the first name) are shown.
    """
    seen: dict[int, str] = {}
    return [_line(root, path, seen, owner=owner, mtime=mtime) for path in _below(root)]


def _below(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir(), key=os.fsencode):
        if not os.path.lexists(path):  # overlayfs lists whiteouts where it merges nothing
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _line(root: Path, path: Path, seen: dict[int, str], *, owner: bool, mtime: bool) -> str:
    st = path.lstat()
    name = str(path)[len(str(root)) :]
    kind = stat.S_IFMT(st.st_mode)
    words = []
    if kind == stat.S_IFCHR and st.st_rdev == 0:
        return f"{name}: whiteout"
    if kind == stat.S_IFLNK:
        words += ["link"]
    else:
        words += [{stat.S_IFDIR: "dir", stat.S_IFREG: "file"}.get(kind) or _KINDS[kind]]
        words += [f"{stat.S_IMODE(st.st_mode):04o}"]
    if owner:
        words += [f"{st.st_uid}:{st.st_gid}"]
    if mtime:
        words += [f"@{st.st_mtime_ns / 1e9:g}"]
    if kind == stat.S_IFLNK:
        words += [f"-> {os.readlink(path)}"]
    elif kind == stat.S_IFREG:
        data = path.read_bytes()
        short = data.isascii() and len(data) < 40
        words += [data.decode() if short else hashlib.sha256(data).hexdigest()[:8]]
    elif kind in _KINDS and kind != stat.S_IFIFO:
        words += [f"{os.major(st.st_rdev)},{os.minor(st.st_rdev)}"]
    for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
        value = os.getxattr(path, attribute, follow_symlinks=False)
        words += [f"[{attribute}={value.decode('latin-1')}]"]
    if kind != stat.S_IFDIR and st.st_nlink > 1:
        first = seen.setdefault(st.st_ino, name)
        if first != name:
            words += [f"= {first}"]
    return f"{name}: {' '.join(words)}".rstrip()


def member(
    name: str, content: str | bytes | None = b"", **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    """A tar member: ``content`` None is a directory, ``-> x`` a link, ``= x`` a hard link."""
    info = tarfile.TarInfo(name)
    info.mtime = 1000
    data = b""
    if content is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif isinstance(content, str) and content.startswith("-> "):
        info.type, info.linkname = tarfile.SYMTYPE, content[3:]
    elif isinstance(content, str) and content.startswith("= "):
        info.type, info.linkname = tarfile.LNKTYPE, content[2:]
    else:
        data = content.encode() if isinstance(content, str) else content
        info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members, written by Python's own tarfile."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def whiteout(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR, 0)


def opaque(path: Path) -> None:
    os.setxattr(path, "trusted.overlay.opaque", b"y")


def make(root: Path, files: dict[str, str | None], *, mtime: int = 1000) -> Path:
    """Files by path: None is a directory, ``-> x`` a link, ``= x`` a hard link, else content."""
    root.mkdir(parents=True, exist_ok=True)
    made = []
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif content.startswith("-> "):
            path.symlink_to(content[3:])
        elif content.startswith("= "):
            os.link(root / content[2:], path)
        elif content == "whiteout":
            whiteout(path)
        else:
            path.write_text(content)
            path.chmod(0o644)
        made.append(path)
    for path in sorted({p for m in made for p in (m, *m.parents) if p.is_relative_to(root)}):
        os.utime(path, (mtime, mtime), follow_symlinks=False)
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    return root


def make_deep(root: Path, depth: int) -> None:
    """``root/d/d/d…``; os.makedirs is recursive, so it cannot."""
    for level in range(1, depth + 1):
        os.mkdir(root / ("d/" * level))
