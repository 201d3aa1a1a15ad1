"""Paths as a process confined to a root would see them.

Links are followed component by component inside the root, so that neither an absolute link nor
``..`` leads out of it. Callers use it while no process of a container runs, hence without races.
"""

from __future__ import annotations

import os

from jettison.errors import SandboxError

_MAX_LINKS = 255
"""As the container runtimes bound it; Linux itself stops at 40."""


def resolve(root: str, path: str) -> str:
    """The host path of ``path`` in ``root``, free of links; missing components are kept as named.

    Raises SandboxError for a chain of links that does not end.
    """
    pending = path.split("/")[::-1]
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        try:
            target = os.readlink(os.path.join(root, *done, part))
        except OSError:
            done.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise SandboxError(f"too many symbolic links in {path}")
        if target.startswith("/"):
            done.clear()
        pending.extend(reversed(target.split("/")))
    return os.path.join(root, *done)


def make_directories(root: str, path: str, uid: int, gid: int) -> None:
    """Make ``path`` and its missing parents in ``root``, mode 0755, owned by ``uid``:``gid``.

    Raises SandboxError if a component exists and is no directory.
    """
    here = root
    for part in os.path.relpath(resolve(root, path), root).split("/"):
        here = os.path.join(here, part)
        try:
            os.mkdir(here)
        except FileExistsError:
            continue
        except NotADirectoryError:
            raise SandboxError(f"{path}: not a directory") from None
        own(here, uid, gid, 0o755)
    if not os.path.isdir(here):
        raise SandboxError(f"{path}: not a directory")


def own(path: str, uid: int, gid: int, mode: int) -> None:
    """Give ``path`` its owner and mode; SandboxError if the host has no such owner to give."""
    try:
        os.chown(path, uid, gid)
    except OSError as error:
        raise SandboxError(
            f"cannot give a mount the owner {uid}:{gid}: {error.strerror}",
            hint="not all ids are mapped without root: see /etc/subuid and jettison doctor",
        ) from error
    os.chmod(path, mode)
