"""Which packages there are to choose from, and what each of them needs, gives and bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jettison.distroless.model import PackageIndex, Stanza
from jettison.distroless.wishes import Wish
from jettison.errors import PackageError
from jettison.packages.relation import Group, Relation, Relations, parse_relations

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


class Node:
    """A package with its relations parsed, those for other architectures left away."""

    def __init__(self, stanza: Stanza, architecture: str, *, recommends: bool) -> None:
        """Raises PackageError, which names the package."""
        self.stanza = stanza
        self.name = stanza.name
        self._architecture = architecture
        try:
            self.needs = self._applying(stanza.needs())
            wished = parse_relations(stanza.recommends) if recommends else ()
            self.wishes = self._applying(wished)
            self._barred = tuple(r for r in stanza.excludes() if r.applies(architecture))
            self.provided: dict[str, list[str]] = {}
            for relation in stanza.gives():
                self.provided.setdefault(relation.name, []).append(relation.version)
            self.names = frozenset({self.name, *self.provided})
            self.barred_names = frozenset(relation.name for relation in self._barred)
        except PackageError as error:
            raise PackageError(f"{stanza.ref}: {error.message}") from None

    @property
    def itself(self) -> Group:
        """The relation that only this version of it meets."""
        return (Relation(self.name, "=", self.stanza.version),)

    def is_one(self, relation: Relation) -> bool:
        """Whether it is what ``relation`` asks for. An unversioned Provides has no version that
        could be right (Debian policy 7.5); ``name:any`` is met by the one architecture there is.
        """
        if relation.qualifier not in ("", "any", "native", self._architecture):
            return False
        if relation.name == self.name and relation.admits(self.stanza.version):
            return True
        return any(
            not relation.operator or (version and relation.admits(version))
            for version in self.provided.get(relation.name, ())
        )

    def bars(self, other: Node) -> bool:
        """Whether its Conflicts or Breaks name ``other``, which is not itself."""
        return self.name != other.name and any(
            (relation.name == other.name or relation.name in other.provided)
            and other.is_one(relation)
            for relation in self._barred
        )

    def _applying(self, groups: Relations) -> Relations:
        kept = (tuple(r for r in group if r.applies(self._architecture)) for group in groups)
        return tuple(group for group in kept if group)


class Candidates:
    """The one version of each package that may be chosen: what the spec asks for, or the newest.

    Older versions are never taken to make ends meet; a spec that wants one names it.
    """

    def __init__(
        self, index: PackageIndex, wishes: Mapping[str, Wish], *, recommends: bool = False
    ) -> None:
        self._index = index
        self._wishes = wishes
        self._recommends = recommends
        self._nodes: dict[str, Node | None] = {}
        self._options: dict[Group, tuple[Node, ...]] = {}

    @property
    def architecture(self) -> str:
        return self._index.architecture

    def names(self) -> Iterable[str]:
        return self._index.names()

    def versions(self, name: str) -> tuple[str, ...]:
        """All versions there are of ``name``, newest first."""
        return tuple(dict.fromkeys(stanza.version for stanza in self._index.versions(name)))

    def named(self, name: str) -> Node | None:
        """The package called so; None if there is none, or none of the version wished."""
        if name not in self._nodes:
            wish = self._wishes.get(name)
            self._nodes[name] = next(
                (
                    Node(stanza, self.architecture, recommends=self._recommends)
                    for stanza in self._index.versions(name)
                    if wish is None or wish.admits(stanza.version)
                ),
                None,
            )
        return self._nodes[name]

    def wished(self, wish: Wish) -> Node | None:
        """What a spec's line stands for: the package, or the only one that provides the name."""
        node = self.named(wish.name)
        if node is None and not wish.operator and not self.versions(wish.name):
            providers = self.providers(wish.name)
            return providers[0] if len(providers) == 1 else None
        return node

    def providers(self, name: str) -> tuple[Node, ...]:
        """The packages that provide ``name``, best first."""
        names = {stanza.name for stanza in self._index.providers(name)}
        nodes = (self.named(provider) for provider in names)
        return tuple(sorted((n for n in nodes if n and name in n.provided), key=_preference))

    def options(self, group: Group) -> tuple[Node, ...]:
        """What meets a group, in the order of preference."""
        found = self._options.get(group)
        if found is None:
            nodes: dict[str, Node] = {}
            for relation in group:
                real = self.named(relation.name)
                for node in (*((real,) if real else ()), *self.providers(relation.name)):
                    if node.is_one(relation):
                        nodes.setdefault(node.name, node)
            found = self._options[group] = tuple(nodes.values())
        return found


def _preference(node: Node) -> tuple[bool, int, str]:
    priority = node.stanza.priority
    rank = _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)
    return not node.stanza.essential, rank, node.name
