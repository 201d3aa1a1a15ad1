"""What of a build context a build sees: only what its instructions name.

BuildKit's client sends those files alone (fsutil's ``FollowPaths``), which shows where patterns
have to look: a directory in which a pattern matches nothing is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jettison.errors import PathError
from jettison.fs import tree as trees
from jettison.fs.patterns import BadPatternError, PatternList, compile_glob, has_wildcards
from jettison.fs.tree import Entry, Tree, clean, join, parent_of


def followed(tree: Tree, paths: Iterable[str]) -> Tree:
    """``tree`` as a build sees it whose instructions name ``paths``, patterns among them.

    That is ``tree`` itself if they name all of it, or hold no pattern: then nobody can tell.
    """
    named = {clean(path) for path in paths}
    if "/" in named or not any(has_wildcards(path) for path in named):
        return tree
    found: dict[str, None] = {}
    for path in sorted(named):
        _follow(tree, path, found)
    if "/" in found:
        return tree
    return _Followed(tree, PatternList.parse(path[1:] for path in found))


def _follow(tree: Tree, path: str, found: dict[str, None]) -> None:
    """Note ``path``, and where the links on the way lead; patterns are matched with links only."""
    current, *rest = "/", *path[1:].split("/")
    while rest:
        current = join(current, rest.pop(0))
        targets = _links(tree, current)
        if (targets or not rest) and current in found:
            return
        if targets or not rest:
            found[current] = None
        if targets:
            for target in targets:
                _follow(tree, clean("/".join([target, *rest])), found)
            return


def _links(tree: Tree, path: str) -> list[str]:
    """Where the links lead that ``path`` names, or its last component matches."""
    above = parent_of(path)
    name = path.rpartition("/")[2]
    entries: list[Entry | None] = [tree.lstat(path)]
    if has_wildcards(name):
        try:
            glob = compile_glob(name)
        except BadPatternError:
            return []
        entries = [each for each in tree.children(above) if glob.fullmatch(each.name)]
    links = (each for each in entries if each is not None and each.is_link)
    return [
        clean(link.target if link.target.startswith("/") else f"{above}/{link.target}")
        for link in links
    ]


class _Followed:
    """A tree of which only what ``only`` matches is there, and the directories above it."""

    def __init__(self, tree: Tree, only: PatternList) -> None:
        self._tree = tree
        self._only = only
        self._listed: dict[str, list[Entry]] = {}

    def lstat(self, path: str) -> Entry | None:
        entry = self._tree.lstat(path)
        return entry if entry is not None and self._shows(entry) else None

    def children(self, path: str) -> list[Entry]:
        listed = self._listed.get(path)
        if listed is None:
            listed = self._tree.children(path)
            if not self._only.matches(path[1:]):
                listed = [entry for entry in listed if self._shows(entry)]
            self._listed[path] = listed
        return listed

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        return trees.resolve(self.lstat, path, follow_last=follow_last)

    def walk(self, path: str = "/") -> Iterator[Entry]:
        return trees.walk(self, path)

    def explain_missing(self, path: str) -> str | None:
        try:
            there = self._tree.lstat(path) is not None
        except PathError:
            there = False
        if there and self.lstat(path) is None:
            return f"{path} is there, but nothing in it matches, and no instruction names it"
        return self._tree.explain_missing(path)

    def _shows(self, entry: Entry) -> bool:
        path = entry.path
        if path == "/" or self._only.matches(path[1:]):
            return True
        if not entry.is_dir or not self._only.may_match_below(path[1:], negated=False):
            return False
        return bool(self.children(path))
