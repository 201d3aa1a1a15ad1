"""The flags that bound containers: docker's values, docker's refusals."""

from typing import Any

import pytest

from jettison.cli.limits import limits
from jettison.errors import UsageError
from jettison.sandbox.limits import Limits

NAMES = """memory memory_swap cpus cpu_shares cpu_period cpu_quota cpuset_cpus cpuset_mems
pids_limit""".split()


def parsed(**flags: str) -> Limits:
    values: dict[str, Any] = dict.fromkeys(NAMES, "")
    return limits({**values, **flags})


def test_nothing_asked_is_no_limit() -> None:
    assert parsed() == Limits()
    assert parsed().controllers == frozenset()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"memory": "512m"}, Limits(memory=512 << 20)),
        ({"memory": "2g", "memory_swap": "2.5G"}, Limits(memory=2 << 30, memory_swap=5 << 29)),
        ({"memory": "6291456", "memory_swap": "-1"}, Limits(memory=6 << 20, memory_swap=-1)),
        ({"memory": "0", "cpus": "0", "pids_limit": "0", "cpu_quota": "0"}, Limits()),
        ({"cpus": "1.5"}, Limits(cpu_quota=150_000, cpu_period=100_000)),
        ({"cpus": ".01"}, Limits(cpu_quota=1_000, cpu_period=100_000)),
        ({"cpu_shares": "512"}, Limits(cpu_shares=512)),
        (
            {"cpu_period": "50000", "cpu_quota": "25000"},
            Limits(cpu_period=50_000, cpu_quota=25_000),
        ),
        ({"cpu_quota": "-1"}, Limits()),
        (
            {"cpuset_cpus": "0-2,4", "cpuset_mems": "0"},
            Limits(cpuset_cpus="0-2,4", cpuset_mems="0"),
        ),
        ({"pids_limit": "100"}, Limits(pids=100)),
        ({"pids_limit": "-1"}, Limits()),
    ],
)
def test_values(flags: dict[str, str], expected: Limits) -> None:
    assert parsed(**flags) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"memory": "5m"}, "too little"),
        ({"memory": "lots"}, "--memory"),
        ({"memory": "-1"}, "--memory"),
        ({"memory": "99999999999999999999"}, "too large"),
        ({"memory_swap": "1g"}, "needs --memory"),
        ({"memory": "1g", "memory_swap": "512m"}, "less than --memory"),
        ({"memory": "1g", "memory_swap": "-2"}, "--memory-swap"),
        ({"cpus": "0.001"}, "0.01 is the least"),
        ({"cpus": "two"}, "--cpus"),
        ({"cpus": "-1"}, "--cpus"),
        ({"cpus": "nan"}, "--cpus"),
        ({"cpus": "inf"}, "--cpus"),
        ({"cpus": "1", "cpu_quota": "5000"}, "cannot be used with"),
        ({"cpu_period": "999"}, "1000 to 1000000"),
        ({"cpu_quota": "999"}, "1000 microseconds"),
        ({"cpu_quota": "-2"}, "--cpu-quota"),
        ({"cpu_shares": "-1"}, "--cpu-shares"),
        ({"cpu_shares": "9" * 5000}, "--cpu-shares"),
        ({"cpu_shares": "²"}, "--cpu-shares"),
        ({"cpuset_cpus": "0-"}, "--cpuset-cpus"),
        ({"cpuset_cpus": "3-1"}, "--cpuset-cpus"),
        ({"cpuset_cpus": "0-99999999999"}, "--cpuset-cpus"),
        ({"cpuset_mems": "a"}, "--cpuset-mems"),
        ({"cpuset_mems": ","}, "--cpuset-mems"),
        ({"pids_limit": "many"}, "--pids-limit"),
    ],
)
def test_wrong_values(flags: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed(**flags)
