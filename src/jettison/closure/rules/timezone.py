"""Time zones."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.closure.model import Need, Rule
from jettison.closure.world import File, World

_SYMBOLS = ("localtime", "localtime_r", "__localtime64_r", "mktime", "tzset", "strftime")
ZONES = "/usr/share/zoneinfo"
_COPIES = (f"{ZONES}/right", f"{ZONES}/posix")


def all_zones(reason: str) -> Need:
    """Every time zone; the copies with and without leap seconds are left out."""
    return Need(path=ZONES, reason=reason, below=True, leave=_COPIES, optional=True, weak=True)


def _needs(file: File, world: World) -> Iterator[Need]:
    elf = file.elf
    if elf is None or elf.soname == "libc.so.6":
        return
    symbol = file.imports(_SYMBOLS)
    if not symbol:
        return
    yield Need(path="/etc/localtime", reason=f"{symbol}() reads it", optional=True, weak=True)
    zone = world.launch.variable("TZ").lstrip(":")
    if zone:
        path = zone if zone.startswith("/") else f"{ZONES}/{zone}"
        yield Need(path=path, reason=f"{symbol}() reads it: TZ={zone}", optional=True, weak=True)
    if world.options.time_zones:
        yield all_zones(f"{symbol}() reads one, and all were asked for")


RULE = Rule(
    name="timezone",
    summary="Time zones",
    catches=("/etc/localtime and the zone of TZ for programs that call localtime and the like.",),
    misses=(
        "Zones that a program is told by its users: ask for all time zones.",
        "Java and ICU, which have their own.",
    ),
    needs=_needs,
)
