"""The flags that bound what a container uses, and their values as docker reads them.

Sources: docker/cli `opts`, dockerd `daemon_unix.go` (what is too little), BuildKit
`dockerui/attr.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from jettison.cli.refused import Decorator
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.sandbox.limits import Limits

_LEAST_MEMORY = 6 << 20
_PERIODS = (1_000, 1_000_000)
_PERIOD = 100_000
_LEAST_QUOTA = 1_000
_LARGEST = (1 << 63) - 1


def _text(*names: str, metavar: str, help: str) -> Decorator:
    return click.option(*names, metavar=metavar, help=help, default="")


LIMITS: list[Decorator] = [
    _text("-m", "--memory", metavar="BYTES", help="Memory limit, e.g. 512m"),
    _text("--memory-swap", metavar="BYTES", help="Limit of memory and swap together; -1: none"),
    _text("--cpus", metavar="NUMBER", help="Processors, e.g. 1.5"),
    _text("-c", "--cpu-shares", metavar="NUMBER", help="Weight among others (default: 1024)"),
    _text("--cpu-period", metavar="MICROSECONDS", help="Period of --cpu-quota (default: 100000)"),
    _text("--cpu-quota", metavar="MICROSECONDS", help="Processor time in each period"),
    _text("--cpuset-cpus", metavar="LIST", help="Processors to run on, e.g. 0-2,4"),
    _text("--cpuset-mems", metavar="LIST", help="Memory nodes to use"),
    _text("--pids-limit", metavar="NUMBER", help="Limit of processes and threads; -1: none"),
    _text("--cgroup-parent", metavar="PATH", help="Cgroup in which containers' are made"),
]


def limits(flags: Mapping[str, Any]) -> Limits:
    """What the flags say; raises UsageError."""
    from jettison.sandbox.limits import Limits

    memory = _size("--memory", flags["memory"])
    if 0 < memory < _LEAST_MEMORY:
        raise UsageError(f"--memory {flags['memory']} is too little", hint="6m is the least")
    period = _number("--cpu-period", flags["cpu_period"])
    quota = max(0, _number("--cpu-quota", flags["cpu_quota"], unlimited=True))
    if period and not _PERIODS[0] <= period <= _PERIODS[1]:
        raise UsageError(f"--cpu-period {period}: it is from 1000 to 1000000 microseconds")
    if 0 < quota < _LEAST_QUOTA:
        raise UsageError(f"--cpu-quota {quota}: 1000 microseconds is the least")
    cpus = _cpus(flags["cpus"])
    if cpus and (period or quota):
        raise UsageError("--cpus cannot be used with --cpu-period or --cpu-quota")
    return Limits(
        memory=memory,
        memory_swap=_swap(flags["memory_swap"], memory),
        cpu_shares=_number("--cpu-shares", flags["cpu_shares"]),
        cpu_quota=cpus or quota,
        cpu_period=_PERIOD if cpus else period,
        cpuset_cpus=_cpuset("--cpuset-cpus", flags["cpuset_cpus"]),
        cpuset_mems=_cpuset("--cpuset-mems", flags["cpuset_mems"]),
        pids=max(0, _number("--pids-limit", flags["pids_limit"], unlimited=True)),
    )


def _size(flag: str, text: str) -> int:
    from jettison.cli.values import size

    found = size(flag, text) if text else 0
    if found > _LARGEST:
        raise UsageError(f"invalid value {text!r} for {flag}: it is too large")
    return found


def _swap(text: str, memory: int) -> int:
    swap = -1 if text == "-1" else _size("--memory-swap", text)
    if swap and not memory:
        raise UsageError("--memory-swap needs --memory")
    if 0 < swap < memory:
        hint = "it is the limit of memory and swap together"
        raise UsageError(f"--memory-swap {text} is less than --memory", hint=hint)
    return swap


def _number(flag: str, text: str, *, unlimited: bool = False) -> int:
    """A number; 0 is none, and -1 if ``unlimited`` (docker)."""
    digits = text.removeprefix("-") if unlimited and text == "-1" else text or "0"
    if not (digits.isascii() and digits.isdecimal()) or int(digits[:20]) > _LARGEST:
        raise UsageError(f"invalid value {text!r} for {flag}", hint="expected a number")
    return int(text or "0")


def _cpus(text: str) -> int:
    """Processors as microseconds in each period of 100 ms; 0 is no limit."""
    try:
        quota = Decimal(text or "0") * _PERIOD
    except InvalidOperation:
        quota = Decimal("NaN")
    if not quota.is_finite() or quota < 0 or quota > _LARGEST:
        raise UsageError(f"invalid value {text!r} for --cpus", hint="expected a number like 1.5")
    if 0 < quota < _LEAST_QUOTA:
        raise UsageError(f"--cpus {text}: 0.01 is the least")
    return int(quota)


def _cpuset(flag: str, text: str) -> str:
    from jettison.sandbox.limits import members

    try:
        if text:
            members(text)
    except ValueError as error:
        hint = "expected a list like 0-2,4"
        raise UsageError(f"invalid value {text!r} for {flag}: {error}", hint=hint) from None
    return text
