"""Making trees to test with, and showing them as text lines."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from jettison.fs.tree import Entry, Tree


def show(tree: Tree, path: str = "/", *, owner: bool = True) -> list[str]:
    """``/bin/app: file 0755 0:0 hello`` for everything below ``path``."""
    return [line(entry, owner=owner) for entry in tree.walk(path)]


def line(entry: Entry, *, owner: bool = True) -> str:
    who = f" {entry.uid}:{entry.gid}" if owner else ""
    mode = f"{entry.mode:04o}"
    if entry.is_link:
        return f"{entry.path}: link{who} -> {entry.target}"
    if entry.is_dir:
        return f"{entry.path}: dir {mode}{who}"
    if entry.is_file:
        data = Path(entry.real).read_bytes()
        text = data.decode() if len(data) < 40 else hashlib.sha256(data).hexdigest()[:8]
        return f"{entry.path}: file {mode}{who} {text}".rstrip()
    kind = {stat.S_IFIFO: "fifo", stat.S_IFCHR: "char", stat.S_IFBLK: "block"}[entry.kind]
    rdev = entry.st.st_rdev
    return f"{entry.path}: {kind} {mode}{who} {os.major(rdev)},{os.minor(rdev)}"


def make(root: Path, files: dict[str, str | None]) -> Path:
    """Files by path: None is a directory, ``-> x`` a link, anything else content."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_text(content)
    return root


def whiteout(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def opaque(path: Path) -> None:
    os.setxattr(path, "trusted.overlay.opaque", b"y")
