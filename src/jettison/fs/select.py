"""What one source of COPY or ADD selects from a tree.

Follows BuildKit (dockerfile2llb/convert_copy.go, fsutil/copy ``ResolveWildcards``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from jettison.errors import PathError
from jettison.fs.patterns import (
    BadPatternError,
    MatchState,
    PatternList,
    compile_glob,
    has_wildcards,
)
from jettison.fs.tree import Entry, Tree, clean, join, parent_of

_REQUIRED = (
    "--parents needs the name of something below the root (or the pivot /./), to which no link "
    "leads, and of which --exclude leaves something; a pattern such as * need not match"
)


class Item(Struct, frozen=True):
    """One thing to copy: where the source's links lead to, and the name it has at a destination
    directory, which is the link's own. Of a directory the contents are copied, without a name.
    """

    entry: Entry
    name: str


class Selection(Struct, frozen=True):
    """Items in the order they are copied.

    ``exclude`` and ``include`` (of --parents) are matched against paths relative to each copied
    directory; items themselves are not subject to them.
    """

    items: tuple[Item, ...]
    exclude: PatternList | None = None
    include: PatternList | None = None

    def only(self, *items: Item) -> Selection:
        """The same selection with some of its items."""
        return Selection(items, self.exclude, self.include)


def select(
    tree: Tree,
    pattern: str,
    *,
    wildcard: bool = True,
    parents: bool = False,
    exclude: Sequence[str] = (),
) -> Selection:
    """What ``pattern`` selects from ``tree``.

    With ``parents`` the pattern may hold a pivot, ``/./``: what is left of it is not copied (of a
    file that matches it, nothing is right of it: it is copied whole).
    Raises PathError if something named without wildcards (or the directories before the first
    wildcard) does not exist or the pattern is malformed; DockerfileError for a malformed
    ``exclude``.
    """
    excluded = PatternList.parse(exclude) if exclude else None
    included = None
    if parents:
        base, pivot, rest = pattern.partition("/./")
        if not pivot:
            base, rest = "/", pattern
        included = PatternList.parse([clean(rest)[1:]])
        if not has_wildcards(base) and not has_wildcards(rest):
            _require(tree, clean(base), clean(rest), Selection((), excluded, included))
        pattern = base
    paths = _matches(tree, clean(pattern)) if wildcard else [clean(pattern)]
    items = tuple(Item(_existing(tree, path), path.rpartition("/")[2]) for path in paths)
    return Selection(items, excluded, included)


def _require(tree: Tree, base: str, rest: str, selection: Selection) -> None:
    """Raise PathError unless something of ``rest`` below ``base`` is selected.

    Links are followed only on the way to ``base``; what is excluded, and ``base`` itself, does not
    count (BuildKit's ``RequiredPaths``).
    """
    path = clean(f"{base}/{rest}")
    where = tree.resolve(base, follow_last=False)
    entry = tree.lstat(where)
    if entry is None or not entry.is_dir:
        _existing(tree, path)
    elif any(not implied for _, _, implied in _filtered(tree, where, selection)):
        return
    elif rest != "/":
        _existing(tree, path)
    raise PathError(f'"{path}": not found', hint=_REQUIRED)


def _matches(tree: Tree, pattern: str) -> list[str]:
    """The paths a pattern matches in walk order; links are followed only before its wildcards."""
    parts = pattern[1:].split("/")
    fixed = 0
    while fixed < len(parts) and not has_wildcards(parts[fixed]):
        fixed += 1
    if fixed == len(parts):
        return [pattern]
    start = _existing(tree, "/" + "/".join(parts[:fixed]))
    try:
        globs = [compile_glob(part) for part in parts[fixed:]]
    except BadPatternError as error:
        raise PathError(
            f'"{pattern}": syntax error in pattern', hint="a literal [ is written [[]"
        ) from error
    found = [start]
    for glob in globs:
        found = [
            child
            for directory in found
            if directory.is_dir
            for child in tree.children(directory.path)
            if glob.fullmatch(child.name)
        ]
    return [entry.path for entry in found]


def _existing(tree: Tree, path: str) -> Entry:
    where = tree.resolve(path)
    entry = tree.lstat(where)
    if entry is None:
        raise PathError(f'"{path}": not found', hint=_hint(tree, path, where))
    return entry


def _hint(tree: Tree, path: str, where: str) -> str | None:
    """Why ``path`` is missing: ignored, a broken link, or a slip of the pen."""
    for place in dict.fromkeys((where, path)):
        reason = tree.explain_missing(place)
        if reason is not None:
            return reason
    link = tree.lstat(path)
    if link is not None and link.is_link:
        return f"it is a symbolic link to {link.target}, which does not exist"
    while where != "/":
        above, name = parent_of(where), where.rpartition("/")[2]
        names = [entry.name for entry in tree.children(above)]
        if names or tree.lstat(above) is not None:
            return _did_you_mean(above, name, names)
        where = above
    return None


def _did_you_mean(directory: str, name: str, names: list[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1, cutoff=0.7)
    same = [other for other in names if other.lower() == name.lower()]
    for other in same + near:
        return f"did you mean {join(directory, other)}?"
    return None


def contents(tree: Tree, item: Item, selection: Selection) -> Iterator[tuple[str, Entry, bool]]:
    """What is copied of a directory: relative path, entry, and whether it is *implied*.

    Parents come before their children, names are in order. A directory that patterns leave out is
    implied when something below it is copied, and comes right before that.
    """
    if selection.include is None and selection.exclude is None:
        skip = len(item.entry.path.rstrip("/")) + 1
        return ((entry.path[skip:], entry, False) for entry in tree.walk(item.entry.path))
    return _filtered(tree, item.entry.path, selection)


_Frame = tuple[Iterator[Entry], str, MatchState, MatchState]
"""A directory being read: what is left of it, the prefix of its names, and its match states."""


def _filtered(tree: Tree, top: str, selection: Selection) -> Iterator[tuple[str, Entry, bool]]:
    include, exclude = selection.include, selection.exclude
    frames: list[_Frame] = [
        (
            iter(tree.children(top)),
            "",
            include.start if include else (),
            exclude.start if exclude else (),
        )
    ]
    implied: list[tuple[int, str, Entry]] = []  # directories not copied yet, with their depth
    while frames:
        entries, prefix, included, excluded = frames[-1]
        entry = next(entries, None)
        if entry is None:
            frames.pop()
            continue
        while implied and implied[-1][0] >= len(frames):
            implied.pop()
        name = prefix + entry.name
        taken, left_out = True, False
        if include is not None:
            taken, included = include.match(name, included)
        if exclude is not None:
            left_out, excluded = exclude.match(name, excluded)
        if taken and not left_out:
            for _, parent_name, parent in implied:
                yield parent_name, parent, True
            implied.clear()
            yield name, entry, False
        elif entry.is_dir and _may_take_below(name, left_out, selection):
            implied.append((len(frames), name, entry))
        else:
            continue
        if entry.is_dir:
            frames.append((iter(tree.children(entry.path)), f"{name}/", included, excluded))


def _may_take_below(name: str, left_out: bool, selection: Selection) -> bool:
    """Whether it is worth looking into a directory that is not taken itself."""
    if left_out:
        return selection.exclude is not None and selection.exclude.may_match_below(
            name, negated=True
        )
    return selection.include is None or selection.include.may_match_below(name, negated=False)
