"""Executing COPY, ADD and WORKDIR: straight into the directory of a new layer, without mounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from jettison.fs.archive import is_archive, unpack_archive
from jettison.fs.copy import copy_selection, merge_archive, put_file
from jettison.fs.modes import Mode, parse_mode
from jettison.fs.owners import resolve_chown, resolve_workdir_owner
from jettison.fs.select import Item, Selection
from jettison.fs.stack import Stack
from jettison.fs.tree import Subtree, Tree
from jettison.fs.upper import Upper
from jettison.plan.steps import (
    BindMount,
    CacheMount,
    Copy,
    FileSource,
    Local,
    Mkdir,
    PathSource,
    Run,
)
from jettison.solve.trees import Trees

if TYPE_CHECKING:
    from jettison.solve.solver import SnapshotOf
    from jettison.store.layers import Staging


def copy(
    step: Copy, trees: Trees, staging: Staging, snapshot_of: SnapshotOf, *, rootless: bool
) -> None:
    """Write what ``step`` adds to its root into ``staging.upper``."""
    below = trees.stack(snapshot_of(step.root)) if step.root is not None else Stack([])
    copier = _Copier(
        step,
        trees,
        staging,
        snapshot_of,
        Upper(below, str(staging.upper)),
        resolve_chown(below, step.chown) if step.chown is not None else None,
        parse_mode(step.chmod) if step.chmod is not None else None,
        rootless,
    )
    for source in step.sources:
        copier.add(source)


def mkdir(step: Mkdir, trees: Trees, staging: Staging, snapshot_of: SnapshotOf) -> None:
    """Make the directories of a WORKDIR in ``staging.upper``."""
    below = trees.stack(snapshot_of(step.root)) if step.root is not None else Stack([])
    owner = resolve_workdir_owner(below, step.user)
    upper = Upper(below, str(staging.upper))
    upper.make_dirs(step.path, owner=owner, mode=0o755, mtime=step.mtime)


def materialize(
    trees: Trees, step: Run, mount: BindMount | CacheMount, local: Local, directory: str
) -> None:
    """Copy what a mount reads of a build context into ``directory``, under the path it names (where
    the context may have links, there are directories).
    """
    tree = trees.context(local.name)
    selection = trees.selection(tree, step, mount)
    upper = Upper(Stack([]), directory)
    entry = tree.lstat(tree.resolve(mount.source))
    dest = mount.source if entry is not None and not entry.is_dir else mount.source + "/"
    copy_selection(tree, selection, upper, dest, reset_owner=not local.owners)


def copy_directory(tree: Tree, source: str, directory: str) -> None:
    """Copy the contents of ``source`` in ``tree`` into an empty directory of the host."""
    from jettison.fs.select import select

    upper = Upper(Stack([]), directory)
    copy_selection(tree, select(tree, source, wildcard=False), upper, "/")


class _Copier(Struct):
    step: Copy
    trees: Trees
    staging: Staging
    snapshot_of: SnapshotOf
    upper: Upper
    chown: tuple[int, int] | None
    chmod: Mode | None
    rootless: bool
    archives: int = 0

    def add(self, source: PathSource | FileSource) -> None:
        """Copy one source."""
        if isinstance(source, FileSource):
            put_file(
                self.upper,
                self.step.dest,
                source.name,
                source.content,
                source.mode,
                chown=self.chown,
                chmod=self.chmod,
            )
            return
        tree, immutable = self._tree(source)
        selection = self.trees.selection(tree, self.step, source)
        for part, archive in _parts(selection, unpack=source.unpack):
            if archive is not None:
                self._unpack(archive)
                continue
            copy_selection(
                tree,
                part,
                self.upper,
                self.step.dest,
                chown=self.chown,
                chmod=self.chmod,
                reset_owner=source.reset_owner,
                hardlink=immutable and not self.step.link,
            )

    def _tree(self, source: PathSource) -> tuple[Tree, bool]:
        """The tree a source names, and whether its files never change (so may be hard-linked)."""
        if source.step is None:
            return Stack([]), True
        if isinstance(source.step, Local):
            return self.trees.context(source.step.name), False
        return self.trees.stack(self.snapshot_of(source.step)), True

    def _unpack(self, archive: Item) -> None:
        """Unpack beside the layer, then move everything to its place in it."""
        self.archives += 1
        directory = self.staging.path / f"archive-{self.archives}"
        directory.mkdir(mode=0o755)
        unpacked = unpack_archive(
            archive.entry.real,
            str(directory),
            below=Subtree(self.upper, self.upper.resolve(self.step.dest)),
            in_user_namespace=self.rootless,
        )
        merge_archive(
            Stack([str(directory)]),
            self.upper,
            self.step.dest,
            chown=self.chown,
            implied=unpacked.implied,
        )


def _parts(selection: Selection, *, unpack: bool) -> Iterator[tuple[Selection, Item | None]]:
    """The selection in order, cut so that every archive that is to be unpacked stands alone."""
    if not unpack:
        yield selection, None
        return
    pending: list[Item] = []
    for item in selection.items:
        if item.entry.is_file and is_archive(item.entry.real):
            if pending:
                yield selection.only(*pending), None
                pending = []
            yield selection.only(item), item
        else:
            pending.append(item)
    if pending or not selection.items:
        yield selection.only(*pending), None
