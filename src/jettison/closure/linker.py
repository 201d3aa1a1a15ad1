"""Which libraries ld.so loads with a program (glibc, elf/dl-load.c; musl, ldso/dynlink.c)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from jettison.binfmt.elf import Elf, VersionNeed
from jettison.closure.ldpaths import MUSL_ITSELF, SearchPaths, is_musl, search_paths
from jettison.closure.model import Gap, Need
from jettison.closure.world import World
from jettison.fs.tree import parent_of

_RULE = "elf"


class Load(Struct, frozen=True):
    """``by`` needs the library ``name``, which is found as ``need`` says."""

    by: str
    name: str
    need: Need
    through_cache: bool = False


class Loaded(Struct, frozen=True):
    """An object in a process: canonical path, the path it was found by, and who loaded it first."""

    path: str
    found: str
    elf: Elf
    loader: Loaded | None = None

    @property
    def origin(self) -> str:
        """``$ORIGIN``: where it was found, links in its own name not followed."""
        return parent_of(self.found)

    def loaders(self) -> Iterator[Loaded]:
        """Itself, who loaded it, and so on to the program."""
        one: Loaded | None = self
        while one is not None:
            yield one
            one = one.loader


class Linker:
    """Loads programs of one tree; remembers what has been loaded."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._paths = search_paths(world)
        self._loaded: set[str] = set()

    def load(self, path: str) -> list[Load | Gap]:
        """What happens when ``path`` is started (a program) or opened (a library).

        Nothing for other files, and for libraries that came in with a program already.
        """
        file = self._world.file(path)
        if file is None:
            return []
        if file.damage:
            message = f"{path}: {file.damage}"
            return [Gap(what=path, by=path, rule=_RULE, message=message, fatal=False)]
        if file.elf is None or not file.elf.dynamic:
            return []
        if path in self._loaded and not file.elf.interpreter:
            return []
        return list(_Process(self._world, self._paths, self._loaded).start(path, file.elf))


def library_path(world: World, name: str, path: str, elf: Elf) -> str:
    """Where the file at ``path`` would find a library it opens; empty if nowhere."""
    places = search_paths(world).search(name, Loaded(path, path, elf), musl=is_musl(elf))
    return places[-1].path if places else ""


class _Process:
    """One process image while it is put together."""

    def __init__(self, world: World, paths: SearchPaths, loaded: set[str]) -> None:
        self._world = world
        self._paths = paths
        self._known = loaded
        self._by_name: dict[str, Loaded] = {}
        self._by_path: dict[str, Loaded] = {}
        self._queue: deque[Loaded] = deque()
        self._musl = False

    def start(self, path: str, elf: Elf) -> Iterator[Load | Gap]:
        self._musl = is_musl(elf)
        self._enter(Loaded(path, path, elf))
        if elf.interpreter:
            yield from self._interpreter(path, elf)
        while self._queue:
            one = self._queue.popleft()
            for name in one.elf.needed:
                yield from self._needed(one, name)
        yield from self._versions()

    def _interpreter(self, path: str, elf: Elf) -> Iterator[Load | Gap]:
        name = elf.interpreter
        found = self._world.elf(name)
        if found is None:
            yield _no_interpreter(self._world, path, elf)
            return
        yield Load(path, name, Need(path=name, reason="its interpreter (PT_INTERP)"))
        self._enter(Loaded(self._world.real(name), name, found))

    def _enter(self, one: Loaded) -> None:
        self._by_path[one.path] = one
        self._by_name.setdefault(one.found.rpartition("/")[2], one)
        if one.elf.soname:
            self._by_name.setdefault(one.elf.soname, one)
        self._known.add(one.path)
        self._queue.append(one)

    def _needed(self, one: Loaded, name: str) -> Iterator[Load | Gap]:
        reason = f"NEEDED {name}"
        known = self._by_name.get(name)
        if known is not None:
            yield Load(one.path, name, Need(path=known.found, reason=reason))
            return
        if self._musl and MUSL_ITSELF.fullmatch(name):
            return  # musl's linker is its libc, under any of these names
        places = self._paths.search(name, one, musl=self._musl)
        if not places:
            yield _not_found(one, name, self._paths.searched(name, one, musl=self._musl))
            return
        for place in places:
            text = f"{reason}, {place.how}" if place.how else reason
            yield Load(one.path, name, Need(path=place.path, reason=text), place.through_cache)
        best = places[-1]  # the one every processor can run; versions are the same in all
        real = self._world.real(best.path)
        if real in self._by_path:
            self._by_name[name] = self._by_path[real]
            return
        elf = self._world.elf(best.path)
        assert elf is not None
        loaded = Loaded(real, best.path, elf, one)
        self._by_name[name] = loaded
        self._enter(loaded)

    def _versions(self) -> Iterator[Gap]:
        """As ld.so checks them: only of libraries that are loaded and define versions at all."""
        for one in self._by_path.values():
            for need in one.elf.needs:
                library = self._by_name.get(need.library)
                if library is None or not library.elf.defines:
                    continue
                offered = set(library.elf.defines)
                wanted = [v for v in need.versions if v not in offered and v not in need.weak]
                if wanted:
                    yield _wrong_version(one, need, library, wanted)


def _no_interpreter(world: World, path: str, elf: Elf) -> Gap:
    if "ld-musl" in elf.interpreter:
        hint = (
            "it was built for musl (Alpine): take an Alpine or Wolfi base, or build it with glibc"
        )
    elif world.glob("/lib", "ld-musl-*"):
        hint = (
            "it was built for glibc, and this tree has musl: build it here, or link it statically"
        )
    else:
        hint = "the C library is missing: add libc6 (glibc), or link the program statically"
    return Gap(
        what=elf.interpreter,
        by=path,
        rule=_RULE,
        message=f"{path}: its interpreter {elf.interpreter} is not there",
        hint=hint,
        key=elf.interpreter,
    )


def _not_found(one: Loaded, name: str, searched: tuple[str, ...]) -> Gap:
    places = ", ".join(searched[:8]) + (", …" if len(searched) > 8 else "")
    through = one.loader
    loader = f" (loaded by {through.path})" if through is not None else ""
    return Gap(
        what=name,
        by=one.path,
        rule=_RULE,
        message=f"{one.path}{loader}: {name} is not there; looked in {places}",
        hint="add the package that has it, or set LD_LIBRARY_PATH if it lies elsewhere",
        key=name,
    )


def _wrong_version(one: Loaded, need: VersionNeed, library: Loaded, wanted: list[str]) -> Gap:
    newest = max(wanted, key=version_key)
    family = newest.rpartition("_")[0]
    offered = [v for v in library.elf.defines if v.rpartition("_")[0] == family]
    have = max(offered, key=version_key, default="")
    upto = f"; it has them up to {have}" if have else ""
    if family == "GLIBC" and have:
        number, mine = newest.rpartition("_")[2], have.rpartition("_")[2]
        hint = (
            f"it was built with glibc {number} or newer and this tree has {mine}: build it on the "
            f"distribution of the base, take a base with glibc {number}, or link it statically"
        )
    else:
        hint = f"take a newer {library.path.rpartition('/')[2]}, or build it with the one here"
    return Gap(
        what=f"{need.library} ({newest})",
        by=one.path,
        rule=_RULE,
        message=f"{one.path}: {library.path} has no version {', '.join(wanted)}{upto}",
        hint=hint,
        key=f"{need.library}:{newest}",
    )


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """``GLIBC_2.9`` comes before ``GLIBC_2.34``."""
    parts = version.replace("_", ".").split(".")
    return tuple((1, int(p), "") if p.isdecimal() and len(p) < 10 else (0, 0, p) for p in parts)
