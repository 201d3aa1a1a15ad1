"""The packages a spec needs: the closure of Pre-Depends and Depends.

Alternatives are decided as apt does: what is in already is enough, else the first that can be
installed; real packages go before those that only provide a name, of these essential ones and
such of higher priority first, then by name. Unlike apt's, the result does not depend on the order
in which dependencies are met: everything that leaves no choice is settled before any choice is
made, and a choice that turns out impossible is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from jettison.distroless.candidates import Candidates, Node
from jettison.distroless.explain import no_option, no_such_package
from jettison.distroless.model import (
    Dropped,
    Exclusion,
    Link,
    PackageIndex,
    Resolution,
)
from jettison.distroless.wishes import Wish, parse_wish
from jettison.errors import ResolutionError
from jettison.packages.relation import Group, group_text

_MAX_TURNS = 2_000
"""Choices taken back before giving up: real archives need none or a few."""


def resolve(
    wanted: Sequence[str],
    index: PackageIndex,
    *,
    exclude: Iterable[Exclusion] = (),
    recommends: bool = False,
    essential: bool = False,
) -> Resolution:
    """The closure of ``wanted`` (see `wishes`), for the architecture of ``index``.

    With ``recommends`` recommended packages are in if they can be; with ``essential`` all
    essential ones. Packages of ``exclude`` are left out with the dependencies that would bring
    them, which are listed. Raises ResolutionError, PackageError if the index is malformed.
    """
    wishes = {wish.name: wish for wish in map(parse_wish, wanted)}
    excluded = {exclusion.name: exclusion.reason for exclusion in exclude}
    for name in wishes:
        if name in excluded:
            raise ResolutionError(f"{name} is both wanted and excluded")
    if essential:
        for name in index.essential():
            if name not in excluded:
                wishes.setdefault(name, Wish(name))
    solver = _Solver(Candidates(index, wishes, recommends=recommends), excluded)
    return solver.run(wishes)


class _Need(Struct, frozen=True):
    """A group that ``by`` depends on; nothing is wrong if an ``optional`` one is not met."""

    by: str
    group: Group
    optional: bool = False


class _State(Struct):
    """What is decided. ``brought`` says by whom first; ``open`` needs are not met yet.

    ``giving`` and ``barring`` find what is chosen by the names it has, provides or may not be
    beside.
    """

    chosen: dict[str, Node] = field(default_factory=dict)
    brought: dict[str, Link] = field(default_factory=dict)
    giving: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    barring: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    open: list[_Need] = field(default_factory=list)
    dropped: list[tuple[_Need, str]] = field(default_factory=list)

    def copy(self) -> _State:
        return _State(
            dict(self.chosen),
            dict(self.brought),
            dict(self.giving),
            dict(self.barring),
            list(self.open),
            list(self.dropped),
        )

    def add(self, node: Node, link: Link) -> None:
        self.chosen[node.name] = node
        self.brought[node.name] = link
        for name in node.names:
            self.giving[name] = (*self.giving.get(name, ()), node)
        for name in node.barred_names:
            self.barring[name] = (*self.barring.get(name, ()), node)
        self.open += [_Need(node.name, group) for group in node.needs]
        self.open += [_Need(node.name, group, optional=True) for group in node.wishes]

    def meeting(self, group: Group) -> Iterator[Node]:
        """What is chosen and meets the group; some more than once."""
        for relation in group:
            for node in self.giving.get(relation.name, ()):
                if node.is_one(relation):
                    yield node

    def meets(self, group: Group) -> bool:
        return next(self.meeting(group), None) is not None

    def clash(self, node: Node) -> Node | None:
        """Something chosen that cannot be installed beside ``node``, another version too."""
        same = self.chosen.get(node.name)
        if same is not None and same is not node:
            return same
        for name in sorted(node.names):
            for other in self.barring.get(name, ()):
                if other.bars(node):
                    return other
        for name in sorted(node.barred_names):
            for other in self.giving.get(name, ()):
                if node.bars(other):
                    return other
        return None


class _Choice(Struct):
    """A point to return to: the state there, and what was not tried yet (None: nothing)."""

    state: _State
    need: _Need
    left: list[Node | None]


class _Solver:
    def __init__(self, candidates: Candidates, excluded: Mapping[str, str]) -> None:
        self._candidates = candidates
        self._excluded = excluded
        self._choices: list[_Choice] = []
        self._failure: ResolutionError | None = None

    def run(self, wishes: Mapping[str, Wish]) -> Resolution:
        state = self._begin(wishes)
        turns = 0
        while True:
            try:
                self._settle(state)
                ambiguous = self._next(state)
                if ambiguous is None:
                    return self._result(state, wishes)
                need, options = ambiguous
                self._choices.append(_Choice(state, need, [*options, *_or_none(need)]))
            except ResolutionError as error:
                # The first failure is that of the alternatives preferred, so it is what to tell.
                self._failure = self._failure or error
                turns += 1
                if not self._choices or turns > _MAX_TURNS:
                    raise self._failure from None
            state = self._decide()

    def _begin(self, wishes: Mapping[str, Wish]) -> _State:
        """Everything the spec names, before anything that it needs."""
        state = _State()
        for wish in wishes.values():
            node = self._candidates.wished(wish)
            if node is None:
                raise no_such_package(wish, self._candidates)
            if node.name in state.chosen:
                continue
            if state.clash(node) is not None:
                raise no_option("", node.itself, state, self._candidates)
            state.add(node, Link("", str(wish)))
        return state

    def _settle(self, state: _State) -> None:
        """Meet all needs that leave no choice, until only such are open that do."""
        again = True
        while again:
            again = False
            pending, state.open = state.open, []
            left: list[_Need] = []
            for need in pending:
                if state.meets(need.group):
                    continue
                options = self._options(state, need)
                if options is None:
                    continue
                if len(options) == 1 and not need.optional:
                    self._choose(state, need, options[0])
                    again = True
                else:
                    left.append(need)
            state.open = left + state.open

    def _next(self, state: _State) -> tuple[_Need, list[Node]] | None:
        """The first open need, with more than one way to meet it."""
        while state.open:
            need = state.open.pop(0)
            if not state.meets(need.group):
                options = self._options(state, need)
                if options:
                    return need, options
        return None

    def _options(self, state: _State, need: _Need) -> list[Node] | None:
        """What may be chosen to meet ``need``, best first; None if it is dropped.

        Raises ResolutionError if there is nothing.
        """
        every = self._candidates.options(need.group)
        possible = [node for node in every if state.clash(node) is None]
        if possible and possible[0].name in self._excluded:
            state.dropped.append((need, possible[0].name))
            return None
        possible = [node for node in possible if node.name not in self._excluded]
        if possible:
            return possible
        if need.optional:
            return None
        raise no_option(need.by, need.group, state, self._candidates)

    def _choose(self, state: _State, need: _Need, node: Node | None) -> None:
        if node is not None:
            state.add(node, Link(need.by, group_text(need.group)))

    def _decide(self) -> _State:
        """At the last choice, what was not tried there yet."""
        choice = self._choices[-1]
        node = choice.left.pop(0)
        if not choice.left:
            self._choices.pop()
        state = choice.state.copy()
        self._choose(state, choice.need, node)
        return state

    def _result(self, state: _State, wishes: Mapping[str, Wish]) -> Resolution:
        names = sorted(state.chosen)
        why: dict[str, list[Link]] = {name: [state.brought[name]] for name in names}
        for name in names:
            if name in wishes:
                _note(why[name], Link("", str(wishes[name])))
            node = state.chosen[name]
            for group in (*node.needs, *node.wishes):
                for other in state.meeting(group):
                    if other is not node:
                        _note(why[other.name], Link(name, group_text(group)))
        dropped = {
            Dropped(name, need.by, group_text(need.group), self._excluded[name])
            for need, name in state.dropped
            if not state.meets(need.group)
        }
        return Resolution(
            architecture=self._candidates.architecture,
            packages=tuple(state.chosen[name].stanza.ref for name in names),
            why={name: tuple(links) for name, links in why.items()},
            dropped=tuple(sorted(dropped, key=lambda d: (d.name, d.wanted_by, d.relation))),
        )


def _note(links: list[Link], link: Link) -> None:
    if link not in links:
        links.append(link)


def _or_none(need: _Need) -> list[Node | None]:
    return [None] if need.optional else []
