"""--chmod; the symbolic cases are worked out by hand from BSD's chmod(1) with umask 0."""

from __future__ import annotations

import pytest

from jettison.errors import PlanError
from jettison.fs.modes import parse_mode


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("755", 0o600, 0o755),
        ("0", 0o777, 0),
        ("07777", 0o600, 0o7777),
        ("u=rw,go=r", 0o777, 0o644),
        ("a+x", 0o644, 0o755),
        ("+x", 0o644, 0o755),
        ("-w", 0o666, 0o444),
        ("go-rwx", 0o755, 0o700),
        ("=", 0o7777, 0o1000),
        ("a=", 0o7777, 0o1000),
        ("u=", 0o4755, 0o055),
        ("u+s", 0o755, 0o4755),
        ("g+s", 0o755, 0o2755),
        ("o+s", 0o755, 0o755),
        ("+s", 0o755, 0o6755),
        ("+t", 0o755, 0o1755),
        ("o+t", 0o755, 0o755),
        ("a-t", 0o1755, 0o755),
        ("ug-s", 0o6755, 0o755),
        ("a+X", 0o644, 0o644),
        ("a+X", 0o744, 0o755),
        ("go=u", 0o750, 0o777),
        ("g=u-w", 0o750, 0o750),
        ("o=g", 0o754, 0o755),
        ("u-o", 0o755, 0o255),
        ("go=u-w", 0o700, 0o755),
        ("u+r-w", 0o222, 0o422),
        ("u=rg", 0o170, 0o770),
        ("=rw,+X", 0o711, 0o777),
        ("=rw,+X", 0o600, 0o666),
        ("a+", 0o640, 0o640),
        ("u=rwX,go=rX", 0o600, 0o644),
    ],
)
def test_files(text: str, before: int, after: int) -> None:
    assert oct(parse_mode(text).apply(before, is_dir=False)) == oct(after)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [("a+X", 0o644, 0o755), ("u=rwX,go=rX", 0o700, 0o755), ("a-X", 0o755, 0o644)],
)
def test_directories(text: str, before: int, after: int) -> None:
    assert oct(parse_mode(text).apply(before, is_dir=True)) == oct(after)


@pytest.mark.parametrize(
    ("text", "parents"), [("640", 0o640), ("1777", 0o777), ("4711", 0o711), ("u=rw", 0o755)]
)
def test_new_parents(text: str, parents: int) -> None:
    assert parse_mode(text).of_new_parents == parents


@pytest.mark.parametrize(
    "text", ["64a", "10000", "888", "9", "", "x", "u", "u+y", "u=rw,", ",u=r", "rwx", "-755", "0o7"]
)
def test_errors(text: str) -> None:
    with pytest.raises(PlanError, match="invalid chmod parameter"):
        parse_mode(text)
