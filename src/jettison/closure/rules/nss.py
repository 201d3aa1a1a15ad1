"""Looking up hosts, users, groups, services (nsswitch.conf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.closure.ldpaths import is_musl
from jettison.closure.linker import library_path
from jettison.closure.model import Gap, Need, Rule
from jettison.closure.world import File, World

_CONF = "/etc/nsswitch.conf"
_DATABASES = {
    "hosts": ("getaddrinfo", "gethostbyname", "gethostbyname_r", "gethostbyname2_r",
              "gethostbyaddr", "gethostbyaddr_r", "getnameinfo"),
    "passwd": ("getpwnam", "getpwnam_r", "getpwuid", "getpwuid_r", "getpwent"),
    "group": ("getgrnam", "getgrnam_r", "getgrgid", "getgrgid_r", "initgroups", "getgrouplist"),
    "services": ("getservbyname", "getservbyname_r", "getservbyport", "getservbyport_r"),
    "protocols": ("getprotobyname", "getprotobyname_r", "getprotobynumber"),
}  # fmt: skip
_DATA = {
    "hosts": ("/etc/host.conf", "/etc/gai.conf"),
    "passwd": ("/etc/passwd",),
    "group": ("/etc/group",),
    "services": ("/etc/services",),
    "protocols": ("/etc/protocols",),
}
_DEFAULT = {"hosts": ("dns", "files")}
_BUILT_IN_SINCE = "GLIBC_2.34"
"""From this version on libc has ``files`` and ``dns`` inside (glibc's NEWS)."""


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    elf = file.elf
    if elf is None or not elf.dynamic or elf.soname == "libc.so.6":
        return
    used = {name: symbol for name, s in _DATABASES.items() if (symbol := file.imports(s))}
    if not used:
        return
    for database, symbol in used.items():
        for path in _DATA[database]:
            yield Need(path=path, reason=f"{symbol}() reads it", optional=True, weak=True)
    if is_musl(elf):
        return
    symbol = next(iter(used.values()))
    yield Need(path=_CONF, reason=f"{symbol}() goes by it", optional=True, weak=True)
    sources = _sources(world)
    libc = world.elf(library_path(world, "libc.so.6", file.path, elf) or "/")
    built_in = {"files", "dns"} if libc and _BUILT_IN_SINCE in libc.defines else set()
    for database, symbol in used.items():
        for source in sources.get(database, _DEFAULT.get(database, ("files",))):
            if source not in built_in:
                yield from _source(file, world, source, f"{symbol}() asks {source} for {database}")


def _source(file: File, world: World, source: str, reason: str) -> Iterator[Need | Gap]:
    name = f"libnss_{source}.so.2"
    assert file.elf is not None
    path = library_path(world, name, file.path, file.elf)
    if path:
        yield Need(path=path, reason=reason, weak=True)
    elif source in ("files", "dns"):
        message = f"{file.path}: {reason}, and this glibc has {name} for it, which is not there"
        hint = "add it (of libc6 itself), or look-ups will fail"
        yield Gap(
            what=name,
            by=file.path,
            rule=RULE.name,
            message=message,
            hint=hint,
            fatal=False,
            key=name,
        )


def _sources(world: World) -> dict[str, tuple[str, ...]]:
    """The services of each database; actions in brackets are no services."""

    def read() -> dict[str, tuple[str, ...]]:
        found = {}
        for line in (world.text(_CONF) or "").splitlines():
            name, colon, rest = line.partition("#")[0].partition(":")
            if colon:
                found[name.strip()] = tuple(re.sub(r"\[[^\]]*\]", " ", rest).split())
        return found

    return world.memo("nss", read)


RULE = Rule(
    name="nss",
    summary="Looking up hosts, users, groups and services",
    catches=(
        "nsswitch.conf, and libraries of the services it names, for programs that call "
        "getaddrinfo, getpwnam and the like; none for files and dns since glibc 2.34, "
        "which has them inside.",
        "The files such look-ups read: passwd, group, services, protocols, gai.conf, host.conf.",
    ),
    misses=(
        "/etc/resolv.conf and /etc/hosts: the container's runtime makes them.",
        "What servers of nss services (sssd, winbind) need.",
    ),
    needs=_needs,
)
