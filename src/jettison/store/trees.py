"""Deleting and measuring directory trees that hostile images filled."""

from __future__ import annotations

import contextlib
import os
from itertools import count
from pathlib import Path

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Delete ``path`` and everything below it; fine if it is not there.

    Follows no link, needs two file descriptors at most and no recursion: a directory found inside
    another one is moved up before it is emptied, so neither depth nor path length matter.
    Directories without permissions are given some. Raises OSError.
    """
    try:
        top = os.open(path, _OPEN_DIRECTORY)
    except FileNotFoundError:
        return
    except PermissionError:
        os.chmod(path, 0o700)
        top = os.open(path, _OPEN_DIRECTORY)
    except OSError:
        os.unlink(path)
        return
    try:
        os.fchmod(top, 0o700)
        prefix = os.urandom(6).hex()
        numbers = count()
        while entries := _list(top):
            for name, is_directory in entries:
                if is_directory:
                    _dissolve(top, name, prefix, numbers)
                else:
                    os.unlink(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _list(fd: int) -> list[tuple[str, bool]]:
    with os.scandir(fd) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _dissolve(top: int, name: str, prefix: str, numbers: count[int]) -> None:
    """Empty directory ``name`` of ``top``, moving its directories up into ``top``; remove it."""
    try:
        os.rmdir(name, dir_fd=top)
        return
    except OSError:
        pass
    with contextlib.suppress(PermissionError):
        os.chmod(name, 0o700, dir_fd=top)
    inner = os.open(name, _OPEN_DIRECTORY, dir_fd=top)
    try:
        for child, is_directory in _list(inner):
            if is_directory:
                _move_up(inner, child, top, f"{prefix}-{next(numbers)}")
            else:
                os.unlink(child, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)


def _move_up(inner: int, child: str, top: int, name: str) -> None:
    try:
        os.rename(child, name, src_dir_fd=inner, dst_dir_fd=top)
    except PermissionError:
        # Moving a directory writes its "..": without being root, that takes write permission.
        os.chmod(child, 0o700, dir_fd=inner)
        os.rename(child, name, src_dir_fd=inner, dst_dir_fd=top)


def tree_size(path: Path) -> int:
    """Bytes on disk below ``path``; a file with several names in the tree counts once."""
    total = 0
    linked: set[int] = set()
    pending = [os.fspath(path)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif status.st_nlink > 1:
                    if status.st_ino in linked:
                        continue
                    linked.add(status.st_ino)
                total += status.st_blocks * 512
    return total
