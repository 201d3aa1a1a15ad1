"""Users and groups by name, from the /etc/passwd and /etc/group of the stage being built.

--chown and WORKDIR follow BuildKit's ``readUser`` (solver/llbsolver/ops/user_linux.go): unknown
names are no error. RUN follows moby/sys/user's ``GetExecUser``: they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from jettison.errors import PathError, StepError
from jettison.fs.stack import Stack, read_bytes
from jettison.fs.tree import Tree

_LIMIT = 10 << 20
_MAX_ID = (1 << 31) - 1


class UserIds(Struct, frozen=True):
    """Who a RUN runs as. ``groups`` begin with ``gid`` and hold the supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class _User(Struct, frozen=True):
    name: str
    uid: int
    gid: int
    home: str


class _Group(Struct, frozen=True):
    name: str
    gid: int
    members: tuple[str, ...]


def resolve_chown(tree: Tree, text: str) -> tuple[int, int]:
    """Uid and gid of ``--chown=text``: ``user``, ``user:group``, each a name or a number.

    A number alone is the group's as well; a name brings its primary group. An unknown user is 0:0,
    an unknown group leaves the group as it is, a colon without one makes it 0. Raises StepError
    for a name if ``tree`` is a stack without layers (a stage FROM scratch, or --link), where no
    name can ever be known.
    """
    user, colon, group = text.partition(":")
    uid = gid = _number(user)
    if uid is None or gid is None:
        _refuse_scratch(tree, user, text)
        found = next((u for u in _users(tree) if u.name == user), None)
        uid, gid = (found.uid, found.gid) if found else (0, 0)
    if colon:
        number = _number(group)
        if number is None:
            _refuse_scratch(tree, group, text)
            number = next((g.gid for g in _groups(tree) if g.name == group), gid)
        gid = number
    return uid, gid


def resolve_workdir_owner(tree: Tree, user: str) -> tuple[int, int]:
    """The owner of directories that WORKDIR makes while USER is ``user`` (empty: root)."""
    return resolve_chown(tree, user) if user else (0, 0)


def resolve_user(tree: Tree, text: str) -> UserIds:
    """Who RUN runs as while USER is ``text`` (empty: root).

    Without a group, the primary and supplementary groups of the user are looked up (also for a
    number); with one, there is only that. Raises StepError for an unknown name, or a number that
    is no id.
    """
    name, _, group = text.partition(":")
    uid = _checked(name) if name else 0
    users = list(_users(tree))
    if uid is None:
        user = next((u for u in users if u.name == name), None)
        if user is None:
            if name != "root":
                raise _unknown("user", name, [u.name for u in users])
            user = _User("root", 0, 0, "/")
    else:
        user = next((u for u in users if u.uid == uid), None) or _User("", uid, 0, "/")
    gid = user.gid
    extra: tuple[int, ...] = ()
    if group:
        gid = _group_id(tree, group)
    elif user.name:
        extra = tuple(g.gid for g in _groups(tree) if user.name in g.members)
    groups = extra if gid in extra else (gid, *extra)
    return UserIds(user.uid, gid, groups, user.home or "/")


def _group_id(tree: Tree, name: str) -> int:
    number = _checked(name)
    if number is not None:
        return number
    groups = list(_groups(tree))
    for group in groups:
        if group.name == name:
            return group.gid
    if name == "root":
        return 0
    raise _unknown("group", name, [g.name for g in groups])


def _unknown(kind: str, name: str, known: list[str]) -> StepError:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    database = "passwd" if kind == "user" else "group"
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"create it in an earlier RUN, or name the {kind} by number"
    )
    return StepError(
        f"unable to find {kind} {name}: no matching entries in /etc/{database} of the stage",
        hint=hint,
    )


def _refuse_scratch(tree: Tree, name: str, text: str) -> None:
    if isinstance(tree, Stack) and not tree.layers:
        raise StepError(
            f"cannot look up {name!r} (of {text!r}): there are no files below this step",
            hint="give the owner by numbers; names need the /etc/passwd of an earlier layer, "
            "which neither a stage FROM scratch nor --link has",
        )


def _number(text: str) -> int | None:
    """An id, 0 for ``root`` and for nothing, or None for what can only be a name."""
    if text in ("", "root"):
        return 0
    if re.fullmatch(r"\+?[0-9]+", text) and int(text) <= _MAX_ID:
        return int(text)
    return None


def _checked(text: str) -> int | None:
    """Like `_number`, without ``root``; raises StepError for a number that is no id."""
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        return None
    if not 0 <= int(text) <= _MAX_ID:
        raise StepError(f"uids and gids must be in range 0-{_MAX_ID}, not {text}")
    return int(text)


def _users(tree: Tree) -> Iterator[_User]:
    for fields in _lines(tree, "/etc/passwd", 7):
        yield _User(fields[0], _lenient(fields[2]), _lenient(fields[3]), fields[5])


def _groups(tree: Tree) -> Iterator[_Group]:
    for fields in _lines(tree, "/etc/group", 4):
        members = tuple(name for name in fields[3].split(",") if name)
        yield _Group(fields[0], _lenient(fields[2]), members)


def _lines(tree: Tree, path: str, count: int) -> Iterator[list[str]]:
    """The fields of each line, padded to ``count``; nothing if there is no such file."""
    try:
        data = read_bytes(tree, path, _LIMIT) or b""
    except PathError as error:
        raise StepError(f"cannot read users: {error.message}", hint=error.hint) from None
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        text = line.strip()
        if text and not text.startswith("#"):
            fields = text.split(":")
            yield fields + [""] * (count - len(fields))


def _lenient(text: str) -> int:
    """A number of a user database; 0 for what is none, as moby/sys/user reads it."""
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= _MAX_ID else 0
