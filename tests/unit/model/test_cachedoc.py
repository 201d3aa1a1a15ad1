"""The document of an exported cache."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.errors import ImageError
from jettison.model.cachedoc import (
    MAX_DEPTH,
    CachedLayer,
    CacheDocument,
    CachedResult,
    decode_cache,
)
from jettison.model.digest import sha256_digest
from jettison.model.oci import encode

A, B = sha256_digest(b"a"), sha256_digest(b"b")
KEY = "0" * 64
DOCUMENT = CacheDocument(
    version=1,
    layers=(CachedLayer(A, 1700000000.123456, B), CachedLayer(B, 0.0, A, alone=True)),
    results=(CachedResult((KEY,), (0, 1), 0), CachedResult((KEY[1:] + "f",), ())),
    bases=((A, B),),
)


def test_what_is_written_is_read_to_the_microsecond() -> None:
    assert decode_cache(encode(DOCUMENT), "it") == DOCUMENT


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": "1"},
        {"layers": 5},
        {"results": [{"keys": [KEY], "layers": [2]}]},
        {"results": [{"keys": [KEY], "layers": [-1]}]},
        {"results": [{"keys": [KEY], "layers": [], "base": 1}]},
        {"results": [{"keys": [KEY], "layers": [], "base": -2}]},
        {"results": [{"keys": [KEY], "layers": [0] * (MAX_DEPTH + 1)}]},
        {"results": [{"keys": ["../" + KEY[3:]], "layers": []}]},
        {"results": [{"keys": [KEY.replace("0", "X")], "layers": []}]},
        {"results": [{"keys": [KEY + "\n"], "layers": []}]},
        {"bases": [[]]},
        {"bases": [["sha256:../../etc/passwd"]]},
        {"bases": [[A] * (MAX_DEPTH + 1)]},
        {"layers": [{"diff_id": "md5:1", "created": 0}] * 2},
        {"layers": [{"diff_id": A, "created": 0, "blob": "../x"}] * 2},
        {"layers": [{"diff_id": A, "created": -1}] * 2},
        {"layers": [{"diff_id": A, "created": 1e300}] * 2},
        {"layers": [{"diff_id": A, "created": "now"}] * 2},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    document = {**json.loads(encode(DOCUMENT)), **change}
    with pytest.raises(ImageError):
        decode_cache(json.dumps(document).encode(), "it")


@given(st.binary() | st.text().map(str.encode) | st.just(b"[" * 100_000))
def test_nonsense_is_no_more_than_an_error(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode_cache(data, "it")
