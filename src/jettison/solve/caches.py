"""The directories behind cache mounts: what a new one looks like, and which part of it is shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jettison.errors import StepError
from jettison.fs.stack import Stack
from jettison.plan.steps import CacheMount
from jettison.sandbox.inroot import resolve
from jettison.solve.copying import copy_directory
from jettison.solve.lookup import Snapshot

if TYPE_CHECKING:
    from jettison.store.mounts import CacheMounts

_PLAIN = (0, 0, 0o755)


@contextmanager
def cache_directory(
    mounts: CacheMounts,
    mount: CacheMount,
    layers: Snapshot,
    stack: Stack,
    waiting: Callable[[], None],
) -> Iterator[str]:
    """The host directory that ``mount`` shows, locked as it wants while the context lasts.

    ``layers`` (``stack`` reads them) are what ``from=`` names. As in BuildKit
    (dockerfile2llb/convert_runmount.go) a new cache is a copy of what ``source=`` names there,
    with its owner and mode; those that the mount asks for count only without ``source=``, for a
    directory that is then empty. Without ``from=``, ``source=`` names a directory in the cache.

    Raises StepError if ``source=`` is not there, or no directory.
    """
    owner = (mount.uid, mount.gid, mount.mode) if mount.source == "/" else _PLAIN
    seed = None
    if mount.step is not None and owner == _PLAIN:
        found = _directory(stack, mount.source)
        owner = (found.st_uid, found.st_gid, found.st_mode & 0o7777)

        def seed(directory: Path) -> None:
            copy_directory(stack, mount.source, str(directory))

    with mounts.acquire(
        mount.id,
        mount.sharing,
        base=_beginning(mount, layers),
        uid=owner[0],
        gid=owner[1],
        mode=owner[2],
        seed=seed,
        waiting=waiting,
    ) as directory:
        yield str(directory) if mount.step is not None else _inside(str(directory), mount.source)


def _directory(stack: Stack, source: str) -> os.stat_result:
    found = stack.lstat(stack.resolve(source))
    if found is None:
        raise _missing(source)
    if not found.is_dir:
        raise StepError(
            f"{source} is no directory, so that a cache cannot begin with it",
            hint="name the directory that holds it",
        )
    return found.st


def _inside(directory: str, source: str) -> str:
    path = resolve(directory, source)
    if not os.path.isdir(path):
        raise _missing(source)
    return path


def _missing(source: str) -> StepError:
    return StepError(f"open {source}: no such file or directory")


def _beginning(mount: CacheMount, layers: Snapshot) -> str:
    """What a new cache directory looks like; one that began otherwise is another cache.

    As in BuildKit (solver/llbsolver/mounts: the key of a cache is its id and what it began with).
    """
    parts = [*layers, mount.source] if mount.step is not None else []
    if mount.source == "/" and (mount.uid, mount.gid, mount.mode) != _PLAIN:
        parts.append(f"{mount.uid}:{mount.gid}:{mount.mode:o}")
    return " ".join(parts)
