"""Go programs, which are linked statically and read files nonetheless."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.closure.model import Gap, Need, Rule
from jettison.closure.rules.timezone import all_zones
from jettison.closure.rules.tls import authorities
from jettison.closure.world import File, World

_NAMES = re.compile(
    rb"\0(time\.LoadLocation|time/tzdata\.loadFromEmbeddedTZData|crypto/x509\.loadSystemRoots|"
    rb"net\.\(\*Resolver\)\.goLookupIPCNAMEOrder|os/user\.lookup\w+|mime\.loadMimeFile|"
    rb"net\.readServices)(?=\0)"
)
_MAGIC = re.compile(rb"\xff Go buildinf:")


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    elf = file.elf
    if elf is None or not elf.is_program or next(file.search(_MAGIC), None) is None:
        return
    # Names of functions stay in a program for its stack traces, also when it is stripped.
    names = {match.decode("ascii") for match in file.search(_NAMES)}
    if "crypto/x509.loadSystemRoots" in names:
        yield from authorities(world, file.path, "Go's crypto/x509 verifies servers with it")
    if "time.LoadLocation" in names and "time/tzdata.loadFromEmbeddedTZData" not in names:
        yield all_zones("Go's time.LoadLocation reads it")
    if "net.(*Resolver).goLookupIPCNAMEOrder" in names:
        reason = "Go's resolver goes by it"
        yield Need(path="/etc/nsswitch.conf", reason=reason, optional=True, weak=True)
    if any(name.startswith("os/user.lookup") for name in names):
        for path in ("/etc/passwd", "/etc/group"):
            yield Need(path=path, reason="Go's os/user reads it", optional=True, weak=True)
    if "mime.loadMimeFile" in names:
        path, reason = "/etc/mime.types", "Go's mime reads it"
        yield Need(path=path, reason=reason, optional=True, weak=True)


RULE = Rule(
    name="go",
    summary="Files that Go's standard library reads",
    catches=(
        "Certificate authorities, time zones (unless time/tzdata is linked in), users, "
        "nsswitch.conf and mime.types, each if the function that reads it is in the program.",
    ),
    misses=("What the program's own code reads.", "Functions that are linked in and never called."),
    needs=_needs,
)
