"""What a cache record keeps of how its result came to be, so that a later miss can be explained."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

Description = list[Any]
"""As `keys.describe` makes it: the kind of a step, then a pair of name and value for each field."""


class Recorded(msgspec.Struct, frozen=True):
    """A step's description by content, the listings (`fs.contenthash`) behind its digests, and the
    Dockerfile it was made for.
    """

    description: Description
    listings: dict[str, str]
    origin: str = ""


def dump(
    description: Description, listing: Callable[[str], str | None], *, origin: str = ""
) -> bytes:
    """As the store keeps it: compressed JSON. ``listing`` gives the files behind a digest."""
    listings = {}
    for digest in _digests(description):
        files = listing(digest)
        if files is not None:
            listings[digest] = files
    document = _encode(Recorded(description, listings, origin))
    return zlib.compress(document, level=1)


def load(data: bytes) -> Recorded | None:
    """What `dump` made; None for anything else (a record of another version, say)."""
    import json

    try:
        document = json.loads(zlib.decompress(data))  # msgspec refuses lone surrogates
        return msgspec.convert(document, Recorded)
    except (zlib.error, ValueError):
        return None


def _encode(recorded: Recorded) -> bytes:
    try:
        return msgspec.json.encode(recorded)
    except UnicodeEncodeError:  # a file name that is not UTF-8: its bytes stand as surrogates
        import json

        return json.dumps(msgspec.to_builtins(recorded)).encode()


def _digests(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _digests(item)
    elif isinstance(value, str) and value.startswith("sha256:"):
        yield value
