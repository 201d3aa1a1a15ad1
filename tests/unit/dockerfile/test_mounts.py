"""RUN --mount (checklist section M, syntax)."""

from __future__ import annotations

import pytest

from jettison.dockerfile.expand import Expander
from jettison.dockerfile.instructions import Mount
from jettison.dockerfile.mounts import parse_mount, parse_size
from jettison.errors import DockerfileError

ENV = {"t": "cache", "d": "/data", "n": "12", "no": "false", "s": "64M", "comma": "a,b"}


def expanded(text: str) -> Mount:
    return parse_mount(text, expand=lambda word: Expander().word(word, ENV))


def refused(text: str, *, expand: bool = True) -> str:
    with pytest.raises(DockerfileError) as caught:
        expanded(text) if expand else parse_mount(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/a", Mount(target="/a")),
        ("dst=/a,src=b", Mount(target="/a", source="b")),
        ("destination=/a,source=b,from=C", Mount(target="/a", source="b", from_="C")),
        ("TYPE=Bind,Target=/a", Mount(type="bind", target="/a")),
        ("target=/a,ro", Mount(target="/a", read_only=True)),
        ("target=/a,readonly=false", Mount(target="/a", read_only=False)),
        ("target=/a,rw", Mount(target="/a", read_only=False)),
        ("target=/a,readwrite=0", Mount(target="/a", read_only=True)),
        (
            "type=cache,id=x,target=/a,sharing=LOCKED,mode=0700,uid=1,gid=2",
            Mount(
                type="cache",
                id="x",
                target="/a",
                sharing="locked",
                mode="0700",
                uid="1",
                gid="2",
            ),
        ),
        ("type=tmpfs,target=/a,size=1k", Mount(type="tmpfs", target="/a", size="1024")),
        ("type=secret,id=x,required", Mount(type="secret", id="x", required=True)),
        ("type=secret,id=x,required=false,env=", Mount(type="secret", id="x", env="")),
        ("type=secret,target=/a/b,env=V", Mount(type="secret", target="/a/b", env="V")),
        ("type=ssh,required=1,mode=666", Mount(type="ssh", required=True, mode="666")),
        ('"target=/a,b",source=c', Mount(target="/a,b", source="c")),
        ('"target=/a""b"', Mount(target='/a"b')),
        ("target=", Mount(target="")),
        ("target=/a,target=/b", Mount(target="/b")),
    ],
)
def test_without_variables(text: str, expected: Mount) -> None:
    if '""' not in text:  # a quote is a matter of expansion, too
        assert expanded(text) == expected
    assert parse_mount(text) == expected


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (
            "type=$t,target=${d}/x",
            Mount(type="$t", target="${d}/x"),
            Mount(type="cache", target="/data/x"),
        ),
        (
            "type=tmpfs,size=$s,dst=/a",
            Mount(type="tmpfs", size="$s", target="/a"),
            Mount(type="tmpfs", size=str(64 << 20), target="/a"),
        ),
        (
            "type=cache,uid=$n,ro=$no,dst=/a",
            Mount(type="cache", uid="$n", target="/a"),
            Mount(type="cache", uid="12", read_only=False, target="/a"),
        ),
        (r"target='/a b'", Mount(target="'/a b'"), Mount(target="/a b")),
        (r"target=/\$a", Mount(target=r"/\$a"), Mount(target="/$a")),
        # an expanded value is not split again
        ("target=$comma", Mount(target="$comma"), Mount(target="a,b")),
        ("from=a$,target=/b", Mount(from_="a$", target="/b"), Mount(from_="a$", target="/b")),
    ],
)
def test_with_variables(text: str, before: Mount, after: Mount) -> None:
    assert parse_mount(text) == before
    assert expanded(text) == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("typ=tmpfs", "unexpected key 'typ' in 'typ=tmpfs' (did you mean type?)"),
        ("nonsense=1", "unexpected key 'nonsense' in 'nonsense=1'"),
        ("target", "invalid field 'target' must be a key=value pair"),
        ("nonsense", "invalid field 'nonsense' must be a key=value pair"),
        ("target=/a,", "invalid field '' must be a key=value pair"),
        ("type=tmp", 'unsupported mount type "tmp" (did you mean tmpfs?)'),
        ("type=", 'unsupported mount type ""'),
        ("type=cache,sharing=lock", 'unsupported sharing value "lock" (did you mean locked?)'),
        ("ro=maybe", "invalid value for ro: maybe"),
        ("rw=yes", "invalid value for rw: yes"),
        ("type=secret,id=a,required=y", "invalid value for required: y"),
        ("required", "unexpected key 'required' for mount type 'bind'"),
        ("required,type=secret,id=a", "unexpected key 'required' for mount type 'bind'"),
        ("type=cache,size=1", "unexpected key 'size' for mount type 'cache'"),
        ("type=tmpfs,size=1x", "invalid value for size: 1x"),
        ("type=tmpfs,size=8388608t", "invalid value for size: 8388608t"),  # 2**63
        ("type=tmpfs,size=" + "9" * 400, "invalid value for size: " + "9" * 400),
        ("type=cache,mode=8", "invalid value 8 for mode"),
        ("type=cache,uid=-1", "invalid value -1 for uid"),
        ("type=cache,gid=4294967296", "invalid value 4294967296 for gid"),
        ("mode=7", 'mode not allowed for "bind" type mounts'),
        ("type=tmpfs,uid=7", 'uid not allowed for "tmpfs" type mounts'),
        ("gid=7,type=tmpfs", 'gid not allowed for "tmpfs" type mounts'),
        ("type=bind,sharing=shared", "invalid cache sharing set for bind mount"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,from=a,id=b", "secret mount should not have a from"),
        ("type=secret,id=a,sharing=shared", "secret mount should not define sharing"),
        ("type=secret,id=a,src=b", "both source and id can't be set"),
        ("", "failed to parse csv mounts: the value is empty"),
        ('target=a"b', "failed to parse csv mounts: a quote is in the wrong place"),
        ('"target=a', "failed to parse csv mounts: a quote is in the wrong place"),
        ('"target=a"b', "failed to parse csv mounts: a quote is in the wrong place"),
    ],
)
def test_refused(text: str, message: str) -> None:
    assert refused(text) == message
    assert refused(text, expand=False) == message


def test_what_only_expansion_can_tell_is_checked_then() -> None:
    parse_mount("type=$t,mode=$mode,sharing=$d")
    assert refused("type=$d") == 'unsupported mount type "/data"'
    assert refused("type=cache,mode=$d") == "invalid value /data for mode"
    assert refused("type=$t,size=1") == "unexpected key 'size' for mount type 'cache'"


def test_variable_in_from() -> None:
    message = "'from' doesn't support variable expansion, define alias stage instead"
    assert refused("from=a$t,target=/a", expand=False) == message
    assert refused("from=${t},target=/a", expand=False) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("10", 10),
        ("10b", 10),
        ("1.5k", 1536),
        ("1K", 1024),
        ("1kb", 1024),
        ("64MiB", 64 << 20),
        ("4 g", 4 << 30),
        (".5t", 1 << 39),
        ("1p", 1 << 50),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "k", "-1", "1x", "1bb", "1ki", "1 ", "1  k", ".", "1.2.3"])
def test_not_sizes(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)
