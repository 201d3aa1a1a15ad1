"""What a Python source imports, without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from msgspec import Struct

from jettison.errors import BinaryError

_ATTRIBUTE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+):[A-Za-z_]\w*")
MAX_SOURCE = 8 << 20


class Import(Struct, frozen=True, order=True):
    """``module`` as written (empty for ``from . import x``), from ``level`` packages up (0:
    absolute), and the ``names`` taken from it, which may be modules themselves.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()


def imports_of(source: bytes) -> tuple[Import, ...]:
    """All imports of a module, also those in functions and branches, and those by literal name
    (``importlib.import_module("x")``, ``__import__("x")``).

    Texts like ``package.module:attribute``, as tables of plug-ins have them, count as well.
    Raises BinaryError if it is no Python this interpreter understands.
    """
    if len(source) > MAX_SOURCE:
        raise BinaryError(f"a Python source of more than {MAX_SOURCE >> 20} MiB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BinaryError(f"no Python source: {error}") from None
    found: dict[Import, None] = {}
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            found.update((Import(alias.name), None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            found[Import(node.module or "", node.level, names)] = None
        elif isinstance(node, ast.Call):
            name = _by_name(node)
            if name:
                found[Import(name)] = None
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = _ATTRIBUTE.fullmatch(node.value)
            if match:
                found[Import(match[1])] = None
    return tuple(found)


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, as ast.walk gives them in three times the time."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        for value in node.__dict__.values():
            if isinstance(value, list):
                pending += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                pending.append(value)


def _by_name(call: ast.Call) -> str:
    function = call.func
    called = function.attr if isinstance(function, ast.Attribute) else ""
    called = called or (function.id if isinstance(function, ast.Name) else "")
    if called not in ("import_module", "__import__") or not call.args:
        return ""
    value = call.args[0]
    text = value.value if isinstance(value, ast.Constant) else None
    return text if isinstance(text, str) and not text.startswith(".") else ""
