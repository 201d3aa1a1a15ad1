import pytest

from jettison.sandbox.limits import Limits, members, shown


@pytest.mark.parametrize(
    ("limits", "controllers"),
    [
        (Limits(memory=1), {"memory"}),
        (Limits(cpu_shares=1), {"cpu"}),
        (Limits(cpu_quota=1), {"cpu"}),
        (Limits(cpuset_mems="0", pids=1), {"cpuset", "pids"}),
    ],
)
def test_controllers(limits: Limits, controllers: set[str]) -> None:
    assert limits.controllers == controllers


def test_lists_of_processors() -> None:
    assert members("0-2,4\n") == {0, 1, 2, 4}
    for text in ("", "-1", "1-", "2-1", "a", "0,,1", "99999"):
        with pytest.raises(ValueError, match=r"number|range|large"):
            members(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (512 << 20, "512 MB"),
        (2 << 30, "2 GB"),
        (3 << 29, "1536 MB"),
        (6_291_457, "6.0 MB"),
        (900, "900 bytes"),
    ],
)
def test_sizes_are_shown_as_asked_for(size: int, text: str) -> None:
    assert shown(size) == text
