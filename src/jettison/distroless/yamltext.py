"""YAML as plain values, each of which knows where it stands.

Only the structure of YAML is used: every scalar is the text that was written, and becomes a
number where the spec has one. So ``no`` is a country, ``3.10`` a version, and ``022`` is not 18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jettison.errors import DistrolessError
from jettison.model.span import SourceText, Span

if TYPE_CHECKING:
    from yaml import Node

_MAX_TEXT = 1 << 20
_MAX_NODES = 100_000
_MAX_DEPTH = 50
_NULL = ("", "~", "null", "Null", "NULL")


class Located:
    """A value (mappings, lists, text or None) and the span of each of its parts.

    Paths are written as msgspec writes them: ``$.accounts.users[0]``. ``keys`` are the places of
    the keys of mappings, ``spans`` those of values.
    """

    def __init__(self, source: SourceText) -> None:
        self.value: Any = None
        self.spans: dict[str, Span] = {}
        self.keys: dict[str, Span] = {}
        self._source = source
        self._count = 0

    def at(self, path: str) -> Span:
        """The span of ``path``, or of the nearest thing around it."""
        while path not in self.spans and path != "$":
            path = path[: max(path.rfind("."), path.rfind("["))]
        return self.spans.get(path, Span(self._source, 1))

    def take(self, node: Node, path: str, depth: int = 0) -> Any:
        """The value of a node; raises DistrolessError for what a spec cannot have."""
        from yaml import MappingNode, ScalarNode, SequenceNode

        self._count += 1  # an alias counts wherever it is used
        span = self.spans[path] = self._span(node)
        if self._count > _MAX_NODES or depth > _MAX_DEPTH:
            raise DistrolessError("the text is too large or too deep", span=span)
        if isinstance(node, ScalarNode):
            plain = node.style is None
            return None if plain and node.value in _NULL else str(node.value)
        if isinstance(node, SequenceNode):
            return [
                self.take(item, f"{path}[{number}]", depth + 1)
                for number, item in enumerate(node.value)
            ]
        assert isinstance(node, MappingNode)
        found: dict[str, Any] = {}
        for key, item in node.value:
            place = self._span(key)
            if not isinstance(key, ScalarNode):
                raise DistrolessError("a key has to be a word", span=place)
            if key.value in found:
                raise DistrolessError(f"the key {key.value} is there twice", span=place)
            inner = f"{path}.{key.value}"
            self.keys[inner] = place
            found[key.value] = self.take(item, inner, depth + 1)
        return found

    def _span(self, node: Node) -> Span:
        mark = node.start_mark
        return Span(self._source, mark.line + 1, mark.column + 1)


def load_yaml(data: bytes, name: str) -> Located:
    """The one document of a text that errors call ``name``; tags mean nothing, nothing is made of
    them. Raises DistrolessError with the place of what is wrong.
    """
    import yaml

    if len(data) > _MAX_TEXT:
        raise DistrolessError(f"{name} is too large for a spec")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DistrolessError(f"{name} is not UTF-8 text") from None
    source = SourceText(name, text)
    located = Located(source)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            located.value = located.take(node, "$")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = Span(source, mark.line + 1, mark.column + 1) if mark else None
        raise DistrolessError(f"malformed YAML: {error.problem}", span=span) from None
    except yaml.YAMLError as error:
        raise DistrolessError(f"{name}: malformed YAML: {str(error)[:200]}") from None
    except RecursionError:
        raise DistrolessError(f"{name}: the text is too deep") from None
    return located


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` laid over ``below``: mappings are merged, lists are appended, the rest replaced."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            found[key] = merged(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            found[key] = [*old, *(item for item in value if item not in old)]
        else:
            found[key] = value
    return found
