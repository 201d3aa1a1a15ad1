"""Executing COPY, ADD and WORKDIR: straight into the directory of a new layer, without mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jettison.fs.copy import copy_selection, put_file
from jettison.fs.modes import parse_mode
from jettison.fs.owners import resolve_chown
from jettison.fs.stack import Stack
from jettison.fs.tree import Tree
from jettison.fs.upper import Upper
from jettison.plan.steps import Copy, FileSource, Local, Mkdir, PathSource
from jettison.solve.trees import Trees

if TYPE_CHECKING:
    from jettison.fs.modes import Mode
    from jettison.solve.solver import SnapshotOf
    from jettison.store.layers import Staging


def copy(step: Copy, trees: Trees, staging: Staging, snapshot_of: SnapshotOf) -> None:
    """Write what ``step`` adds to its root into ``staging.upper``."""
    below = trees.stack(snapshot_of(step.root)) if step.root else Stack([])
    upper = Upper(below, str(staging.upper))
    chown = resolve_chown(below, step.chown) if step.chown is not None else None
    chmod = parse_mode(step.chmod) if step.chmod is not None else None
    for source in step.sources:
        if isinstance(source, FileSource):
            put_file(upper, step.dest, source.name, source.content, source.mode, chown, chmod)
        else:
            _copy_paths(step, source, trees, upper, staging, snapshot_of, chown, chmod)


def _copy_paths(
    step: Copy,
    source: PathSource,
    trees: Trees,
    upper: Upper,
    staging: Staging,
    snapshot_of: SnapshotOf,
    chown: tuple[int, int] | None,
    chmod: Mode | None,
) -> None:
    tree, immutable = _tree_of(source, trees, snapshot_of)
    selection = trees.selection(tree, step, source)
    for part, archive in _split(selection, unpack=source.unpack):
        if archive is not None:
            _unpack(archive, upper, step.dest, staging, chown)
        else:
            copy_selection(
                tree,
                part,
                upper,
                step.dest,
                chown=chown,
                chmod=chmod,
                reset_owner=source.reset_owner,
                parents=step.parents,
                hardlink=immutable,
            )


def _tree_of(source: PathSource, trees: Trees, snapshot_of: SnapshotOf) -> tuple[Tree, bool]:
    """The tree a source names, and whether its files never change (so may be hard-linked)."""
    if source.step is None:
        return Stack([]), True
    if isinstance(source.step, Local):
        return trees.context(source.step.name), False
    return trees.stack(snapshot_of(source.step)), True


def mkdir(step: Mkdir, trees: Trees, staging: Staging, snapshot_of: SnapshotOf) -> None:
    """Make the directories of a WORKDIR in ``staging.upper``."""
    from jettison.fs.owners import resolve_workdir_owner

    below = trees.stack(snapshot_of(step.root)) if step.root else Stack([])
    upper = Upper(below, str(staging.upper))
    owner = resolve_workdir_owner(below, step.user)
    upper.make_dirs(step.path, owner=owner, mode=0o755, mtime=step.mtime)
