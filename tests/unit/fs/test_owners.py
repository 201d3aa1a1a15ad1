"""Names and numbers; users and expectations are those of the recorded cases (X, W and U)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jettison.errors import StepError
from jettison.fs.owners import UserIds, resolve_chown, resolve_user, resolve_workdir_owner
from jettison.fs.stack import Stack
from tests.unit.fs.trees import make

PASSWD = """\
# users
root:x:0:0:root:/root:/bin/sh
app:x:1000:1000::/home/app:/bin/sh
svc:x:1001:2000::/srv:/bin/sh

short:x:7
"""
GROUP = """\
root:x:0:
app:x:1000:
wheel:x:10:root,app
svc:x:2000:
extra:x:3000:app,svc
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack([str(make(tmp_path, {"etc/passwd": PASSWD, "etc/group": GROUP}))])


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("1234", (1234, 1234)),
        ("1234:5678", (1234, 5678)),
        ("app", (1000, 1000)),
        ("svc", (1001, 2000)),
        ("svc:app", (1001, 1000)),
        ("1000", (1000, 1000)),
        ("1001", (1001, 1001)),
        ("app:5678", (1000, 5678)),
        ("5678:app", (5678, 1000)),
        ("root", (0, 0)),
        (":extra", (0, 3000)),
        ("root:root", (0, 0)),
        ("nosuch", (0, 0)),
        ("nosuch:extra", (0, 3000)),
        ("svc:nosuch", (1001, 2000)),
        ("svc:", (1001, 0)),
        ("4000000000", (0, 0)),
        ("short", (7, 0)),
    ],
)
def test_chown(stack: Stack, text: str, owner: tuple[int, int]) -> None:
    assert resolve_chown(stack, text) == owner


@pytest.mark.parametrize(
    ("user", "owner"),
    [("", (0, 0)), ("app", (1000, 1000)), ("4242", (4242, 4242)), ("app:extra", (1000, 3000))],
)
def test_workdir(stack: Stack, user: str, owner: tuple[int, int]) -> None:
    assert resolve_workdir_owner(stack, user) == owner


def test_links_to_the_databases_stay_inside(tmp_path: Path) -> None:
    root = make(tmp_path, {"real/passwd": "a:x:5:6::/:\n", "etc/passwd": "-> /real/passwd"})
    assert resolve_chown(Stack([str(root)]), "a") == (5, 6)


def test_chown_from_scratch(tmp_path: Path) -> None:
    scratch = Stack([])
    assert resolve_chown(scratch, "5:6") == (5, 6)
    assert resolve_chown(scratch, "root") == (0, 0)
    assert resolve_chown(scratch, ":5") == (0, 5)
    assert resolve_chown(scratch, ":") == (0, 0)
    assert resolve_chown(scratch, "+5:root") == (5, 0)
    for text in ("app", "5:grp", "5:+x"):
        with pytest.raises(StepError, match="no files below"):
            resolve_chown(scratch, text)
    # With any layer, a name is merely unknown.
    assert resolve_chown(Stack([str(tmp_path)]), "app") == (0, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", UserIds(0, 0, (0, 10), "/root")),
        ("root", UserIds(0, 0, (0, 10), "/root")),
        ("app", UserIds(1000, 1000, (1000, 10, 3000), "/home/app")),
        ("1000", UserIds(1000, 1000, (1000, 10, 3000), "/home/app")),
        ("app:app", UserIds(1000, 1000, (1000,), "/home/app")),
        ("app:extra", UserIds(1000, 3000, (3000,), "/home/app")),
        ("1000:3000", UserIds(1000, 3000, (3000,), "/home/app")),
        ("svc", UserIds(1001, 2000, (2000, 3000), "/srv")),
        ("4242", UserIds(4242, 0, (0,), "/")),
        ("4242:4343", UserIds(4242, 4343, (4343,), "/")),
        ("svc:4343", UserIds(1001, 4343, (4343,), "/srv")),
        ("0:0", UserIds(0, 0, (0,), "/root")),
    ],
)
def test_run(stack: Stack, text: str, expected: UserIds) -> None:
    assert resolve_user(stack, text) == expected


def test_run_without_databases() -> None:
    assert resolve_user(Stack([]), "") == UserIds(0, 0, (0,), "/")
    assert resolve_user(Stack([]), "7") == UserIds(7, 0, (0,), "/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apq", "unable to find user apq"),
        ("app:nosuch", "unable to find group nosuch"),
        ("-1", "must be in range"),
        ("4294967296", "must be in range"),
    ],
)
def test_run_unknown(stack: Stack, text: str, message: str) -> None:
    with pytest.raises(StepError, match=message) as caught:
        resolve_user(stack, text)
    assert text != "apq" or caught.value.hint == "did you mean app?"
