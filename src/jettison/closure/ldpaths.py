"""Where ld.so looks for a library, in its order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from jettison.binfmt.elf import Elf
from jettison.binfmt.ldcache import parse_cache, parse_conf
from jettison.closure.world import World
from jettison.errors import BinaryError
from jettison.fs.tree import clean, parent_of

if TYPE_CHECKING:
    from jettison.closure.linker import Loaded

MUSL_ITSELF = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.(?:so|musl-.*)(?:\..*)?")
"""Names that musl's linker takes for itself (ldso/dynlink.c, load_library)."""
_CACHE, _CONF = "/etc/ld.so.cache", "/etc/ld.so.conf"
_MAX_CACHE = 64 << 20
_MAX_CONFS = 1000
_TRIPLES = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "386": "i386-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "ppc64le": "powerpc64le-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "mips64": "mips64el-linux-gnuabi64",
    "loong64": "loongarch64-linux-gnu",
}
_PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "v7l"}
_TOKEN = re.compile(r"\$(?:(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_])|\{(ORIGIN|LIB|PLATFORM)\})")


class Place(Struct, frozen=True):
    """A library that was found; ``how`` is said where it is not in a usual directory."""

    path: str
    how: str = ""
    through_cache: bool = False


def is_musl(elf: Elf) -> bool:
    """Whether an object belongs to musl: by its interpreter, or the libc it asks for."""
    if elf.interpreter:
        return "ld-musl" in elf.interpreter
    return any(name.startswith("libc.musl-") or name == "libc.so" for name in elf.needed)


def search_paths(world: World) -> SearchPaths:
    """The one object of a world."""
    return world.memo("ldpaths", lambda: SearchPaths(world))


class SearchPaths:
    """The search order in one tree; what the tree's configuration says is read once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cache: dict[str, list[str]] | None = None
        self._conf: list[str] | None = None
        self._directories: dict[str, bool] = {}

    def search(self, name: str, one: Loaded, *, musl: bool) -> list[Place]:
        """Where ``one`` finds ``name``: variants for newer processors, then the one for all.

        Empty if it is not found. An object of another architecture is passed over.
        """
        if "/" in name:
            path = clean(next(_expand(name, one)))
            return [Place(path)] if self._fits(path, one) else []
        for directory, how in self._ordered(one, musl=musl):
            if directory == _CACHE:
                for path, conf in self._cached(name, one):
                    return [*self._variants(path, one), Place(path, f"through {conf}", True)]
            elif self._is_dir(directory):
                path = clean(f"{directory}/{name}")
                found = [] if musl else self._variants(path, one)
                if self._fits(path, one):
                    return [*found, Place(path, how)]
                if found:
                    return found
        return []

    def searched(self, name: str, one: Loaded, *, musl: bool) -> tuple[str, ...]:
        """The directories that were looked in, for a message."""
        if "/" in name:
            return (parent_of(clean(next(_expand(name, one)))),)
        return tuple(dict.fromkeys(clean(d) for d, _ in self._ordered(one, musl=musl)))

    def _ordered(self, one: Loaded, *, musl: bool) -> Iterator[tuple[str, str]]:
        variable = self._world.launch.variable("LD_LIBRARY_PATH")
        library_path = [(d, "LD_LIBRARY_PATH") for d in re.split("[:;]", variable) if d]
        if musl:
            yield from library_path
            for each in one.loaders():
                for path in each.elf.runpath or each.elf.rpath:
                    yield from ((d, f"RPATH of {each.path}") for d in _expand(path, each))
            yield from ((d, "") for d in self._musl_default(one.elf))
            return
        if not one.elf.runpath:
            for each in one.loaders():
                if not each.elf.runpath:
                    for path in each.elf.rpath:
                        yield from ((d, f"RPATH of {each.path}") for d in _expand(path, each))
        yield from library_path
        for path in one.elf.runpath:
            yield from ((d, f"RUNPATH of {one.path}") for d in _expand(path, one))
        # ld.so asks its cache first; what both have is found in the directories, so that the
        # cache counts as needed only where it is.
        yield from ((d, "") for d in _defaults(one.elf))
        yield _CACHE, ""

    def _musl_default(self, elf: Elf) -> list[str]:
        arch = elf.interpreter.removeprefix("/lib/ld-musl-").removesuffix(".so.1")
        names = [f"/etc/ld-musl-{arch}.path"] if elf.interpreter else []
        names += self._world.glob("/etc", "ld-musl-*.path")
        for name in names:
            text = self._world.text(name)
            if text is not None:
                return [d for d in re.split("[:\n]", text) if d]
        return ["/lib", "/usr/local/lib", "/usr/lib"]

    # ---------------------------------------------------------------- what is there

    def _fits(self, path: str, one: Loaded) -> bool:
        elf = self._world.elf(path)
        return elf is not None and elf.loads_with(one.elf)

    def _variants(self, path: str, one: Loaded) -> list[Place]:
        """glibc-hwcaps beside a library: which is taken the processor decides."""
        directory, _, name = path.rpartition("/")
        base = f"{directory}/glibc-hwcaps"
        if not self._is_dir(base):
            return []
        found = []
        for level in reversed(self._world.names(base)):
            if self._fits(f"{base}/{level}/{name}", one):
                found.append(Place(f"{base}/{level}/{name}", f"on processors of {level}"))
        return found

    def _is_dir(self, path: str) -> bool:
        known = self._directories.get(path)
        if known is None:
            known = self._directories[path] = self._world.is_dir(path)
        return known

    def _cached(self, name: str, one: Loaded) -> Iterator[tuple[str, str]]:
        """What the cache has, else what ldconfig would put there."""
        for path in self._read_cache().get(name, ()):
            if self._fits(path, one):
                yield path, _CACHE
        for directory in self._conf_directories():
            if self._fits(f"{directory}/{name}", one):
                yield f"{directory}/{name}", f"{_CONF} (ldconfig puts it into the cache)"

    def _read_cache(self) -> dict[str, list[str]]:
        if self._cache is None:
            self._cache = {}
            data = self._world.read(_CACHE, _MAX_CACHE)
            try:
                for name, path in parse_cache(data) if data else ():
                    self._cache.setdefault(name, []).append(path)
            except BinaryError:
                pass  # ld.so passes over a damaged cache, too
        return self._cache

    def _conf_directories(self) -> list[str]:
        if self._conf is None:
            self._conf = []
            pending, seen = [_CONF], set[str]()
            while pending and len(seen) < _MAX_CONFS:
                path = pending.pop(0)
                if path in seen:
                    continue
                seen.add(path)
                for kind, value in parse_conf(self._world.text(path) or ""):
                    if kind == "directory":
                        self._conf.append(value)
                    else:
                        pattern = value if value.startswith("/") else f"{parent_of(path)}/{value}"
                        directory, _, names = pattern.rpartition("/")
                        pending += self._world.glob(directory or "/", names)
        return self._conf


def _defaults(elf: Elf) -> list[str]:
    """The directories built into ld.so: Debian's, then those of distributions with lib64."""
    if elf.no_default_paths:
        return []
    triple = _TRIPLES.get(elf.architecture)
    found = [f"/lib/{triple}", f"/usr/lib/{triple}"] if triple else []
    if elf.bits == 64:
        found += ["/lib64", "/usr/lib64"]
    return [*found, "/lib", "/usr/lib"]


def _expand(path: str, one: Loaded) -> Iterator[str]:
    """A path with its tokens replaced; $LIB differs between distributions, so all are tried."""
    triple = _TRIPLES.get(one.elf.architecture, "")
    libraries = [f"lib/{triple}", "lib64" if one.elf.bits == 64 else "lib", "lib"]
    for library in libraries if "LIB" in path else libraries[:1]:
        platform = _PLATFORMS.get(one.elf.architecture, "")
        known = {"ORIGIN": one.origin, "LIB": library, "PLATFORM": platform}
        yield _TOKEN.sub(partial(_value, known), path)


def _value(known: dict[str, str], match: re.Match[str]) -> str:
    return known[match[1] or match[2]]
