"""Why packages cannot be had, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from jettison.distroless.candidates import Candidates, Node
from jettison.distroless.model import Link
from jettison.distroless.wishes import Wish
from jettison.errors import ResolutionError
from jettison.packages.relation import Group, Relation, group_text


class Decided(Protocol):
    """What was chosen so far, and what brought each in."""

    @property
    def chosen(self) -> Mapping[str, Node]: ...
    @property
    def brought(self) -> Mapping[str, Link]: ...
    def clash(self, node: Node) -> Node | None: ...


def no_such_package(wish: Wish, candidates: Candidates) -> ResolutionError:
    """The spec names what is not there, or is not one package."""
    versions = candidates.versions(wish.name)
    if versions:
        return ResolutionError(
            f"no version of {wish.name} is {wish.operator}{wish.version}",
            hint=f"there is {wish.name}={_listed(versions)}",
        )
    providers = [node.name for node in candidates.providers(wish.name)]
    if providers:
        return ResolutionError(
            f"{wish.name} is provided by {len(providers)} packages, and is none itself",
            hint=f"name one of them: {_listed(providers)}",
        )
    return ResolutionError(
        f"there is no package {wish.name} for {candidates.architecture}",
        hint=_suggestion(wish.name, candidates) or "is its suite and component among the archives?",
    )


def no_option(by: str, group: Group, state: Decided, candidates: Candidates) -> ResolutionError:
    """Nothing meets a dependency."""
    chain = _chain(by, state)
    what = f"{by} depends on {group_text(group)}" if by else group_text(group)
    lines = [f"the packages cannot be installed together: {what}"]
    hints: list[str] = []
    for relation in group:
        reason, hint = _reason(relation, state, candidates)
        lines.append(f"  {reason}")
        hints += [hint] if hint else []
    if len(chain) > 1:
        lines.append(f"  {by} is in through {' -> '.join(chain)}")
    return ResolutionError("\n".join(lines), hint=hints[0] if hints else None)


def _reason(relation: Relation, state: Decided, candidates: Candidates) -> tuple[str, str]:
    nodes = candidates.options((relation,))
    for node in nodes:
        other = state.clash(node)
        if other is not None:
            how = " -> ".join(_chain(other.name, state))
            return (
                f"{node.stanza.ref} cannot be beside {other.stanza.ref} (in through {how})",
                f"leave out what brings in {other.name}, or what brings in {node.name}",
            )
    versions = candidates.versions(relation.name)
    fitting = [version for version in versions if relation.admits(version)]
    if fitting:
        return (
            f"{relation.name} {fitting[0]} is there, but is not the version chosen",
            f"ask for it in the spec: {relation.name}={fitting[0]}",
        )
    if versions:
        return (
            f"{relation.name} is there in version {_listed(versions)} only",
            "is an archive missing, of updates for one?",
        )
    return (
        f"there is no package {relation.name} for {candidates.architecture}",
        _suggestion(relation.name, candidates) or "is an archive or a component missing?",
    )


def _chain(name: str, state: Decided) -> list[str]:
    """From the spec's package to ``name``."""
    found: list[str] = []
    while name and name not in found and name in state.brought:
        found.append(name)
        name = state.brought[name].wanted_by
    return found[::-1]


def _suggestion(name: str, candidates: Candidates) -> str:
    from difflib import get_close_matches

    near = [known for known in candidates.names() if abs(len(known) - len(name)) <= 3]
    found = get_close_matches(name, near, n=3, cutoff=0.75)
    return f"did you mean {' or '.join(found)}?" if found else ""


def _listed(words: Iterable[str]) -> str:
    every = list(words)
    text = ", ".join(every[:5])
    return f"{text} and {len(every) - 5} more" if len(every) > 5 else text
