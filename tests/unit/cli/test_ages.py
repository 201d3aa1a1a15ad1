"""Go durations and times, as docker's until filter takes them."""

from __future__ import annotations

import pytest

from jettison.cli.ages import age
from jettison.errors import UsageError


def test_age() -> None:
    now = 1_700_000_000.0
    assert age("-", "24h", now) == 86400
    assert age("-", "1h30m", now) == 5400
    assert age("-", "1.5s", now) == 1.5
    assert age("-", "1699999990", now) == 10
    assert age("-", "2023-11-14T22:13:10Z", now) == 10
    assert age("-", "2023-11-14T22:13:10", now) == 10
    assert age("-", "2999-01-01", now) == 0
    with pytest.raises(UsageError, match="yesterday"):
        age("-", "yesterday", now)
