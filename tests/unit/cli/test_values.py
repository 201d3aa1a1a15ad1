"""Values of flags, as buildx, docker/cli and go-units read them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.app.request import Output, SecretSpec, SshSpec
from jettison.cli import values
from jettison.cli.ages import age
from jettison.errors import UsageError
from jettison.model.platform import Platform
from jettison.plan.steps import Ulimit

HOST = Platform(os="linux", architecture="arm64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out", Output("local", "out")),
        ("-", Output("tar", "-")),
        ("type=local,dest=out", Output("local", "out")),
        ("type=tar", Output("tar", "-")),
        ("type=oci,dest=a.tar", Output("oci", "a.tar")),
        ("type=oci", Output("oci", "-")),
        ("type=docker", Output("image", None)),
        ("type=docker,dest=-", Output("docker", "-")),
        ("TYPE=oci,dest=x,Compression=zstd", Output("oci", "x", {"compression": "zstd"})),
        ('type=image,"name=a,b",push=true', Output("image", None, {"name": "a,b", "push": "true"})),
        ("type=registry,name=r/x", Output("registry", None, {"name": "r/x"})),
    ],
)
def test_output(text: str, expected: Output) -> None:
    assert values.output(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dest=x", "type is required"),
        ("type=ocii,dest=x", "unsupported type 'ocii'"),
        ("type=local", "dest is required"),
        ("type=local,dest=-", "dest is required"),
        ("type=image,dest=x", "dest cannot be used"),
        ("type=oci,dest", "invalid field 'dest'"),
        ('type=oci,"dest=x', "invalid value"),
    ],
)
def test_wrong_output(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        values.output(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id=a,src=/f", SecretSpec("a", "/f")),
        ("id=a,source=/f", SecretSpec("a", "/f")),
        ("id=a,type=file,src=/f", SecretSpec("a", "/f")),
        ("id=a,env=V", SecretSpec("a", None, "V")),
        ("type=env,id=a,src=V", SecretSpec("a", None, "V")),  # buildx: src is the variable then
        ("id=SET", SecretSpec("SET", None, "SET")),
        ("id=absent", SecretSpec("absent", "absent")),
        ("type=env,id=absent", SecretSpec("absent", None, "absent")),
        ('id=a,"src=/x,y"', SecretSpec("a", "/x,y")),
    ],
)
def test_secret(text: str, expected: SecretSpec) -> None:
    assert values.secret(text, {"SET": "1"}) == expected


@pytest.mark.parametrize(
    "text", ["id=", "src=/f", "mysecret", "id=a,type=vault", "id=a,scr=/f", ""]
)
def test_wrong_secret(text: str) -> None:
    with pytest.raises(UsageError, match="--secret"):
        values.secret(text, {})


def test_ssh() -> None:
    assert values.ssh("default") == SshSpec("default")
    assert values.ssh("git=/a.sock") == SshSpec("git", ("/a.sock",))
    assert values.ssh("git=/k1,/k2") == SshSpec("git", ("/k1", "/k2"))
    for wrong in ("", "=x", "git="):
        with pytest.raises(UsageError, match="--ssh"):
            values.ssh(wrong)


def test_variables_without_a_value_come_from_the_environment_or_not_at_all() -> None:
    items = ["A=1", "B", "C", "D=", "E=x=y", "A=2"]
    assert values.variables("--build-arg", items, {"B": "b"}) == {
        "A": "2",
        "B": "b",
        "D": "",
        "E": "x=y",
    }


def test_labels_without_a_value_are_empty() -> None:
    assert values.pairs("--label", ["a", "b=c=d"]) == {"a": "", "b": "c=d"}
    with pytest.raises(UsageError, match="--label"):
        values.pairs("--label", ["=x"])


def test_named_contexts_need_both() -> None:
    assert values.named("--build-context", ["a=b"]) == {"a": "b"}
    for wrong in ("a", "a=", "=b"):
        with pytest.raises(UsageError, match="--build-context"):
            values.named("--build-context", [wrong])


def test_platforms_are_listed_once_in_order() -> None:
    found = values.platforms(["linux/amd64,linux/x86_64", "local", "linux/arm/v7", ""], HOST)
    assert [str(p) for p in found] == ["linux/amd64", "linux/arm64", "linux/arm/v7"]


@pytest.mark.parametrize("text", ["toaster", "linux/amd64,", ",", "linux/amd64 ,linux/arm64"])
def test_no_platform(text: str) -> None:
    with pytest.raises(UsageError, match=r"platform|architecture"):
        values.platforms([text], HOST)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024", 1024), ("64m", 64 << 20), ("64MB", 64 << 20), ("1.5KiB", 1536), ("2 g", 2 << 30)],
)
def test_size(text: str, size: int) -> None:
    assert values.size("--shm-size", text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "64x", "1e3", "1.2.3"])
def test_wrong_size(text: str) -> None:
    with pytest.raises(UsageError, match="--shm-size"):
        values.size("--shm-size", text)


def test_ulimit() -> None:
    assert values.ulimit("nofile=1024") == Ulimit(name="nofile", soft=1024, hard=1024)
    assert values.ulimit("core=0:-1") == Ulimit(name="core", soft=0, hard=-1)
    assert values.ulimit("core=-1") == Ulimit(name="core", soft=-1, hard=-1)


@pytest.mark.parametrize(
    "text", ["nofiles=1", "nofile", "nofile=", "nofile=a", "nofile=2:1", "nofile=-1:5", "cpu=1:2:3"]
)
def test_wrong_ulimit(text: str) -> None:
    with pytest.raises(UsageError, match="limit"):
        values.ulimit(text)


def test_host() -> None:
    assert values.host("a:1.2.3.4") == ("a", "1.2.3.4")
    assert values.host("a=1.2.3.4") == ("a", "1.2.3.4")
    assert values.host("a:::1") == ("a", "::1")
    assert values.host("a=[::1]") == ("a", "::1")


@pytest.mark.parametrize("text", ["a", "a:", ":1.2.3.4", "a:1.2.3", "a=host-gateway"])
def test_wrong_host(text: str) -> None:
    with pytest.raises(UsageError, match="--add-host"):
        values.host(text)


PARSERS: list[Callable[[str], object]] = [
    values.output,
    lambda text: values.secret(text, {}),
    values.ssh,
    values.ulimit,
    values.host,
    lambda text: values.size("-", text),
    lambda text: age("-", text, 0),
    lambda text: values.platforms([text], HOST),
    lambda text: values.variables("-", [text], {}),
]
WORDS = st.lists(
    st.sampled_from(["type", "id", "dest", "=", ",", '"', ":", "oci", "env", "-", "[", "9"])
    | st.text(max_size=3)
).map("".join)


@settings(max_examples=60)
@given(st.sampled_from(PARSERS), WORDS)
def test_any_text_is_a_value_or_a_usage_error(parse: Callable[[str], object], text: str) -> None:
    try:
        found = parse(text)
    except UsageError as error:
        assert error.message
    else:
        assert found is not None
