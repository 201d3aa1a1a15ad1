"""--cache-from and --cache-to: the values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.app.request import CacheFrom, CacheTo
from jettison.cli.cache_values import cache_from, cache_to
from jettison.errors import UsageError

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("reg.io/a:c", [CacheFrom("registry", "reg.io/a:c")]),
        (
            "reg.io/a,reg.io/b",
            [CacheFrom("registry", "reg.io/a"), CacheFrom("registry", "reg.io/b")],
        ),
        ("type=registry,ref=reg.io/a:c", [CacheFrom("registry", "reg.io/a:c")]),
        ("type=local,src=/c", [CacheFrom("local", "/c")]),
        ("type=local,src=/c,tag=main", [CacheFrom("local", "/c", "main")]),
        (f"type=local,src=/c,digest={DIGEST}", [CacheFrom("local", "/c", "latest", DIGEST)]),
        ('"type=local","src=/a,b"', [CacheFrom("local", "/a,b")]),
    ],
)
def test_from(text: str, wanted: list[CacheFrom]) -> None:
    assert cache_from([text]) == tuple(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("reg.io/a:c", CacheTo(type="registry", where="reg.io/a:c")),
        ("type=inline", CacheTo(type="inline")),
        ("type=inline,mode=min", CacheTo(type="inline")),
        (
            "type=registry,ref=reg.io/a:c,mode=max,oci-mediatypes=true,image-manifest=true",
            CacheTo(type="registry", where="reg.io/a:c", mode="max"),
        ),
        (
            "type=local,dest=d,tag=x,compression=zstd,compression-level=22,force-compression=true,"
            "ignore-error=true",
            CacheTo(
                type="local",
                where="d",
                tag="x",
                compression="zstd",
                level=22,
                force=True,
                ignore_error=True,
            ),
        ),
    ],
)
def test_to(text: str, wanted: CacheTo) -> None:
    assert cache_to([text]) == (wanted,)


def test_several_of_each() -> None:
    assert [c.where for c in cache_from(["a", "type=local,src=b", "a"])] == ["a", "b"]
    assert [c.type for c in cache_to(["a", "type=local,dest=b", "type=inline"])] == [
        "registry",
        "local",
        "inline",
    ]


@pytest.mark.parametrize("kind", ["gha", "s3", "azblob"])
@pytest.mark.parametrize("parse", [cache_from, cache_to])
def test_services_are_refused_by_name(parse: object, kind: str) -> None:
    assert callable(parse)
    with pytest.raises(UsageError, match=f"type={kind} is not supported") as caught:
        parse([f"type={kind},scope=x"])
    assert "type=registry" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (cache_from, "type=inline", "type=registry"),
        (cache_from, "type=registri,ref=a", "did you mean registry"),
        (cache_from, "src=/c", "type is required"),
        (cache_from, "type=local", "src is required"),
        (cache_from, "type=local,dest=x", "unexpected key 'dest'"),
        (cache_from, "type=local,src=x,digest=y", "invalid digest"),
        (cache_from, "type=registry,ref=UPPER", "UPPER"),
        (cache_from, "", "must be key=value"),
        (cache_to, "type=local,dest=x,mode=mid", "mode"),
        (cache_to, "type=inline,mode=max", "mode=min only"),
        (cache_to, f"type=registry,ref=a@{DIGEST}", "digest"),
        (cache_to, "type=registry,ref=a,image-manifest=false", "image-manifest=false"),
        (cache_to, "type=registry,ref=a,oci-mediatypes=false", "oci-mediatypes=false"),
        (cache_to, "type=registry,ref=a,compression=lz4", "lz4"),
        (cache_to, "type=registry,ref=a,compression-level=x", "number"),
        (cache_to, "type=registry,ref=a,compression-level=10", "10"),
        (cache_to, "type=registry,ref=a,ignore-error=maybe", "true or false"),
    ],
)
def test_what_is_wrong_is_said(parse: object, text: str, said: str) -> None:
    assert callable(parse)
    with pytest.raises(UsageError) as caught:
        parse([text])
    assert said in f"{caught.value.message} {caught.value.hint}"


@given(st.text())
def test_no_value_does_more_than_raise(text: str) -> None:
    for parse in (cache_from, cache_to):
        try:
            parse([text])
        except UsageError as error:
            assert error.message
