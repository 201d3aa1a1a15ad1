"""Relations between Debian packages: Depends, Provides, Conflicts (Debian policy, chapter 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from jettison.errors import PackageError
from jettison.packages.debversion import compare_versions

_RELATION = re.compile(
    r"""([A-Za-z0-9][A-Za-z0-9+.-]*) (?: : ([a-z0-9-]+) )? \s*
        (?: \( \s* (<<|<=|=|>=|>>|<|>) \s* ([^\s()<>=]+) \s* \) )? \s*
        (?: \[ ([^\[\]]*) \] )? \s*
        ( (?: < [^<>]* > \s* )* )""",
    re.VERBOSE,
)
_OLD_OPERATORS = {"<": "<=", ">": ">="}
_MAX_LENGTH = 1 << 20


class Relation(Struct, frozen=True):
    """``name:qualifier (operator version) [architectures] <profiles>``, without a choice.

    ``operator`` is empty if any version will do. ``profiles`` are alternatives of terms that all
    have to hold; terms and architectures may begin with ``!``.
    """

    name: str
    operator: str = ""
    version: str = ""
    qualifier: str = ""
    architectures: tuple[str, ...] = ()
    profiles: tuple[tuple[str, ...], ...] = ()

    def admits(self, version: str) -> bool:
        """Whether ``version`` is one of those asked for."""
        if not self.operator:
            return True
        order = compare_versions(version, self.version)
        return {
            "<<": order < 0,
            "<=": order <= 0,
            "=": order == 0,
            ">=": order >= 0,
            ">>": order > 0,
        }[self.operator]

    def applies(self, architecture: str, profiles: frozenset[str] = frozenset()) -> bool:
        """Whether the relation is meant for ``architecture`` and these active build profiles."""
        return _listed(self.architectures, architecture) and (
            not self.profiles
            or any(
                all((t[1:] not in profiles) if t[:1] == "!" else t in profiles for t in terms)
                for terms in self.profiles
            )
        )

    def __str__(self) -> str:
        text = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        if self.operator:
            text += f" ({self.operator} {self.version})"
        if self.architectures:
            text += f" [{' '.join(self.architectures)}]"
        return text + "".join(f" <{' '.join(terms)}>" for terms in self.profiles)


Group = tuple[Relation, ...]
"""Alternatives, of which one is enough."""
Relations = tuple[Group, ...]
"""What has to hold all at once."""


@lru_cache(maxsize=4096)
def parse_relations(text: str) -> Relations:
    """``a (>= 1) | b, c``: groups of alternatives.

    Empty parts between commas are passed over, as dpkg does. Raises PackageError.
    """
    if len(text) > _MAX_LENGTH:
        raise PackageError("a list of relations is too long")
    groups = (part.strip() for part in text.split(","))
    return tuple(
        tuple(parse_relation(alternative) for alternative in group.split("|"))
        for group in groups
        if group
    )


def parse_relation(text: str) -> Relation:
    """One relation without alternatives. Raises PackageError."""
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        raise PackageError(f"no relation between packages: {text.strip()[:100]!r}")
    name, qualifier, operator, version, architectures, profiles = match.groups()
    return Relation(
        name,
        _OLD_OPERATORS.get(operator or "", operator or ""),
        version or "",
        qualifier or "",
        tuple((architectures or "").split()),
        tuple(tuple(terms.split()) for terms in re.findall(r"<([^<>]*)>", profiles or "")),
    )


def parse_provides(text: str) -> Group:
    """A Provides field: names, some with the exact version they stand for. Raises PackageError."""
    found = tuple(relation for group in parse_relations(text) for relation in group)
    for relation in found:
        if relation.operator not in ("", "="):
            raise PackageError(f"a package cannot provide {relation}")
    return found


def group_text(group: Iterable[Relation]) -> str:
    """A group as it is written: ``a (>= 1) | b``."""
    return " | ".join(map(str, group))


def _listed(listed: tuple[str, ...], architecture: str) -> bool:
    """``[amd64 arm64]`` is for those, ``[!i386]`` for all others; ``any`` and ``linux-any`` are
    for all, ``any-amd64`` for that processor (dpkg-architecture(1), wildcards).
    """
    if not listed:
        return True
    negated = listed[0].startswith("!")
    wild = (architecture, "any", "linux-any", f"any-{architecture}", f"linux-{architecture}")
    return any(name.lstrip("!") in wild for name in listed) != negated
