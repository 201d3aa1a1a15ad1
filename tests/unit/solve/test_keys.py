"""Every field of every step is part of its cache key, but for what BuildKit leaves out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jettison.model.digest import sha256_digest
from jettison.model.platform import Platform, make_platform
from jettison.plan import steps
from jettison.solve.keys import Reader, describe, key_of

LOCAL = steps.Local(name="context")
OTHER = steps.Local(name="other")
LINUX = Platform(architecture="amd64", os="linux")
FILE = steps.FileSource(name="f", content=b"x")

# One example of each kind, and for each type of field a value that differs from any default.
EXAMPLES: list[Any] = [
    steps.Source(diff_ids=()),
    steps.Local(name="a"),
    steps.Http(url="http://h/f", filename="f"),
    steps.Git(url="u"),
    steps.Copy(root=None, sources=(), dest="/"),
    steps.Merge(root=None, upper=LOCAL),
    steps.Mkdir(root=None, path="/a"),
    steps.Run(root=None, argv=(), env=(), cwd="/", platform=LINUX),
]
PARTS: list[Any] = [
    steps.PathSource(step=None, path="a"),
    FILE,
    steps.BindMount(target="/t", step=None),
    steps.CacheMount(target="/t", id="i"),
    steps.TmpfsMount(target="/t"),
    steps.SecretMount(id="s", target="/t"),
    steps.SshMount(id="s", target="/t"),
    steps.Ulimit(name="nofile", soft=1, hard=1),
]


def reference(reader: Reader, step: steps.Step) -> str:
    assert isinstance(step, steps.Local)
    return step.name


def key(step: steps.Step) -> str:
    return key_of("definition", describe(step, reference))


def changed(name: str, value: Any) -> Any:
    """Another value that a field holding ``value`` could have."""
    special = {
        "diff_ids": (sha256_digest(b"d"),),
        "sources": (FILE,),
        "files": (FILE,),
        "mounts": (PARTS[2],),
        "ulimits": (PARTS[7],),
        "env": (("A", "b"),),
        "extra_hosts": (("h", "1.2.3.4"),),
        "checksum": "sha256:" + "0" * 64,
        "content": b"other",
        "mtime": 7,
        "platform": make_platform("linux", "arm64"),
        "root": OTHER,
        "step": OTHER,
        "upper": OTHER,
    }
    if name in special:
        return special[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "x")
    return "changed"


def cases() -> list[tuple[Any, str]]:
    return [
        (e, f)
        for e in [*EXAMPLES, *PARTS]
        for f in e.__struct_fields__
        if (type(e), f) not in ((steps.CacheMount, "id"), (steps.CacheMount, "sharing"))
    ]


@pytest.mark.parametrize(("example", "field"), cases(), ids=str)
def test_a_changed_field_changes_the_key(example: Any, field: str) -> None:
    other = msgspec.structs.replace(example, **{field: changed(field, getattr(example, field))})
    if isinstance(example, steps.Step):
        assert key(example) != key(other)
    else:  # a part of a step
        run = EXAMPLES[-1]
        assert key(msgspec.structs.replace(run, mounts=(example,))) != key(
            msgspec.structs.replace(run, mounts=(other,))
        )


def test_the_address_of_an_added_host_does_not_count() -> None:
    one, other, name = (
        key(msgspec.structs.replace(EXAMPLES[-1], extra_hosts=hosts))
        for hosts in ((("h", "1.1.1.1"),), (("h", "2.2.2.2"),), (("i", "1.1.1.1"),))
    )
    assert one == other
    assert one != name


def test_a_mode_is_a_number() -> None:
    keys = [
        key(steps.Copy(root=None, sources=(), dest="/", chmod=m)) for m in ("0711", "711", "0710")
    ]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_which_cache_a_mount_shows_does_not_count() -> None:
    """Only whether it is the default one: that of the target, shared."""
    default, one, other, locked = (
        key(msgspec.structs.replace(EXAMPLES[-1], mounts=(mount,)))
        for mount in (
            steps.CacheMount(target="/t", id="/t"),
            steps.CacheMount(target="/t", id="one"),
            steps.CacheMount(target="/t", id="two", sharing="private"),
            steps.CacheMount(target="/t", id="/t", sharing="locked"),
        )
    )
    assert one == other == locked
    assert default != one


def test_equal_steps_have_equal_keys() -> None:
    a, b = (steps.Mkdir(root=LOCAL, path="/a", user="app") for _ in range(2))
    assert a is not b
    assert key(a) == key(b)


def test_definition_and_content_keys_never_meet() -> None:
    description = describe(EXAMPLES[0], reference)
    assert key_of("definition", description) != key_of("content", description)


def test_kinds_with_equal_fields_differ() -> None:
    bind = msgspec.structs.replace(EXAMPLES[-1], mounts=(steps.SshMount(id="i", target="/t"),))
    secret = msgspec.structs.replace(EXAMPLES[-1], mounts=(steps.SecretMount(id="i", target="/t"),))
    assert key(bind) != key(secret)
