"""Cache keys, derived from the fields of a step: all but those that BuildKit leaves out too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import msgspec

from jettison.model.platform import Platform
from jettison.plan.steps import BindMount, CacheMount, Copy, PathSource, Run, Step

Reader = PathSource | BindMount | CacheMount | None
"""Through what a step reads another: a copy source, a mount, or None for its root."""

Reference = Callable[[Reader, Step], str]
"""What stands in the key for an input step that is read through the given reader."""

_VERSION = 1  # raised when the meaning of a step changes, so that older records are not found


def describe(step: Step, reference: Reference) -> list[object]:
    """Everything that identifies ``step``, as JSON-able data: its kind and each of its fields.

    As in BuildKit (solver/llbsolver/ops: ExecOp.CacheMap) the address of an added host does not
    count, nor which cache a cache mount shows and how it shares it, unless that is as by default.
    A step in a field is replaced by what ``reference`` gives for it. The description is what a
    cache record keeps, so that a miss can be explained field by field.
    """
    return [
        type(step).__name__,
        *([name, _plain(value, None, reference)] for name, value in _fields(step)),
    ]


def _fields(value: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """The fields that count, with what counts of them."""
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if isinstance(value, Run) and name == "extra_hosts":
            field = tuple(host for host, _ in field)
        elif isinstance(value, CacheMount) and name in ("id", "sharing") and not _default(value):
            field = ""
        elif isinstance(value, Copy) and name == "chmod" and field and field.isdigit():
            field = int(field, 8)  # however many digits it is written with
        yield name, field


def _default(mount: CacheMount) -> bool:
    return mount.id == mount.target and mount.sharing == "shared"


def key_of(kind: str, description: list[object]) -> str:
    """The key of a description; ``kind`` keeps definition and content keys apart."""
    return hashlib.sha256(encode([_VERSION, kind, description])).hexdigest()


def encode(description: list[object]) -> bytes:
    """A description as JSON, always the same for the same one."""
    try:
        return msgspec.json.encode(description)
    except UnicodeEncodeError:  # a file name that is not UTF-8: its bytes stand as surrogates
        import json

        return json.dumps(description, separators=(",", ":")).encode()


def _plain(value: object, reader: Reader, reference: Reference) -> object:
    if isinstance(value, Step):
        return reference(reader, value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        return ["bytes", hashlib.sha256(value).hexdigest()]
    if isinstance(value, tuple):
        return [_plain(item, reader, reference) for item in value]
    if isinstance(value, Platform):
        return str(value)
    if isinstance(value, msgspec.Struct):
        through = value if isinstance(value, PathSource | BindMount | CacheMount) else reader
        return [
            type(value).__name__,
            *([name, _plain(field, through, reference)] for name, field in _fields(value)),
        ]
    raise TypeError(f"{type(value).__name__} in a step has no canonical form")
