"""Why a step ran: what differs from the last time a step like it was made.

Works on what cache records keep (`recorded.Recorded`), never on what is on disk now.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jettison.solve.recorded import Description, Recorded, load

FILES_SHOWN = 20
"""Changed files that are named; the rest is counted."""

_LABELS = {
    "argv": "command",
    "cwd": "working directory",
    "env": "environment",
    "dest": "destination",
    "path": "source path",
    "extra_hosts": "hosts",
    "pinned": "what lies there",
    "diff_ids": "layers of the base image",
}
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "pipe",
}


def why(
    description: Description,
    known: bool,
    earlier: Iterable[bytes],
    *,
    listing: Callable[[str], str | None],
    origin: str,
    below: str,
    ignored: bool,
) -> tuple[str, ...]:
    """Why a step of this description is not taken from the cache, a line for each reason.

    ``known``: it was made before, just so. ``earlier`` is what is remembered of steps like it,
    newest first (`recorded.dump`), ``origin`` the Dockerfile. ``ignored``: the cache is not to be
    used for it.
    """
    if ignored:
        return ("the cache is not to be used for it (--no-cache)",)
    if known:
        return ("it was made before, and its layers have been removed since",)
    before = closest(description, origin, filter(None, map(load, earlier)))
    if before is None:
        return ("no step like it is remembered",)
    return reasons(description, before, listing, below) or ("what it reads changed",)


def closest(
    description: Description, origin: str, candidates: Iterable[Recorded]
) -> Recorded | None:
    """The candidate that shares most with ``description``; among equals the first.

    What a step is built on counts as much as all its fields, and the Dockerfile it stands in more
    than that: the same instruction elsewhere is only taken for want of a better one.
    """
    wanted = dict(_fields(description))
    best, best_score = None, -1
    for candidate in candidates:
        if candidate.description[:1] != description[:1]:
            continue
        had = dict(_fields(candidate.description))
        score = sum(had.get(name) == value for name, value in wanted.items())
        score += len(wanted) if had.get("root") == wanted.get("root") else 0
        score += 3 * len(wanted) if candidate.origin == origin else 0
        if score > best_score:
            best, best_score = candidate, score
    return best


def reasons(
    description: Description,
    before: Recorded,
    listing: Callable[[str], str | None],
    below: str,
) -> tuple[str, ...]:
    """What is other now than it was ``before``, a line for each; empty if nothing is.

    ``below`` says what the step is built on (its name), ``listing`` gives the files behind a
    digest of ``description``.
    """
    had = dict(_fields(before.description))
    found: list[str] = []
    for name, value in _fields(description):
        if name not in had or had[name] == value:
            continue
        if name == "root":
            found.append(f"what it is built on changed: {below}" if below else "its base changed")
            continue
        found += _differences(name, had[name], value, before.listings, listing)
    return tuple(dict.fromkeys(found))


def _fields(description: Description) -> Iterator[tuple[str, Any]]:
    for item in description[1:]:
        if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
            yield item[0], item[1]


def _differences(
    name: str,
    old: Any,
    new: Any,
    old_listings: Mapping[str, str],
    listing: Callable[[str], str | None],
) -> Iterator[str]:
    """The differences of one field; of structs in it, those of their fields."""
    if old == new:
        return
    if _is_digest(old) and _is_digest(new):
        yield from _files(old_listings.get(old), listing(new))
    elif name == "env":
        yield from _variables(old, new)
    elif _is_struct(old) and _is_struct(new) and old[0] == new[0]:
        had = dict(_fields(old))
        for inner, value in _fields(new):
            yield from _differences(inner, had.get(inner), value, old_listings, listing)
    elif _holds_structs(old) and _holds_structs(new) and len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            yield from _differences(name, before, after, old_listings, listing)
    else:
        yield f"{_LABELS.get(name, name)}: {_shown(name, old)} -> {_shown(name, new)}"


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")


def _is_struct(value: object) -> bool:
    """A kind and its fields, as `keys.describe` writes them (and no list of texts)."""
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], str):
        return False
    return len(list(_fields(value))) == len(value) - 1


def _holds_structs(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_struct, value))


def _variables(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> Iterator[str]:
    had, has = ({pair[0]: pair[1] for pair in pairs} for pairs in (old, new))
    for name in sorted({*had, *has}):
        if name not in has:
            yield f"variable {name}: no longer set (was {had[name]!r})"
        elif name not in had:
            yield f"variable {name}: new, {has[name]!r}"
        elif had[name] != has[name]:
            yield f"variable {name}: {had[name]!r} -> {has[name]!r}"


def _shown(name: str, value: object) -> str:
    if name == "argv" and isinstance(value, list):
        return shlex.join(map(str, value[2:] if value[1:2] == ["-c"] else value))
    if isinstance(value, list):
        return "(" + ", ".join(_shown("", item) for item in value) + ")"
    return "none" if value in (None, "") else str(value)


def _files(old: str | None, new: str | None) -> Iterator[str]:
    """The files that differ between two listings."""
    if old is None or new is None:
        yield "the files it reads changed"
        return
    had, has = _parsed(old), _parsed(new)
    changes = [f"{name}: removed" for name in had if name not in has]
    changes += [f"{name}: new" for name in has if name not in had]
    for name, now in has.items():
        if name in had and had[name] != now:
            changes.append(f"{name}: {', '.join(_attributes(had[name], now))}")
    changes.sort()
    yield from changes[:FILES_SHOWN]
    if len(changes) > FILES_SHOWN:
        yield f"and {len(changes) - FILES_SHOWN} more files"


File = tuple[int, str, str]
"""Mode with the type of file, owner, and what it holds (a digest, a link's target ...)."""


def _parsed(listing: str) -> dict[str, File]:
    fields = listing.split("\0")
    files: dict[str, File] = {}
    for name, mode, owner, rest in zip(*(iter(fields[:-1]),) * 4, strict=True):
        files[name.removeprefix("./")] = (int(mode, 8), owner, rest)
    return files


def _attributes(old: File, new: File) -> Iterator[str]:
    kinds = [_KINDS.get(stat.S_IFMT(file[0]), "something else") for file in (old, new)]
    if kinds[0] != kinds[1]:
        yield f"{kinds[0]} -> {kinds[1]}"
        return
    modes = [stat.S_IMODE(file[0]) for file in (old, new)]
    if modes[0] != modes[1]:
        yield f"mode {modes[0]:04o} -> {modes[1]:04o}"
    if old[1] != new[1]:
        yield f"owner {old[1] or 'any'} -> {new[1] or 'any'}"
    if old[2] != new[2]:
        yield f"{old[2]} -> {new[2]}" if kinds[0] == "link" else "content"
