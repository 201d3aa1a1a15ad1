"""Where a Python program finds modules: sys.path, and what distributions brought."""

from __future__ import annotations

import re

from msgspec import Struct

from jettison.closure.world import World
from jettison.errors import JettisonError
from jettison.fs.tree import clean, join, parent_of
from jettison.packages.python import parse_record

_VERSION = re.compile(r"python(3\.\d+)")
_REQUIRES = re.compile(r"^Requires-Dist:\s*([A-Za-z0-9][A-Za-z0-9._-]*)(.*)$", re.M)
_MAX_RECORD = 32 << 20


class Distribution(Struct, frozen=True):
    """``name`` is normalised (PEP 503), ``tops`` the names it has in its site directory,
    ``requires`` the distributions it needs without extras.
    """

    name: str
    info: str
    site: str
    tops: tuple[str, ...]
    requires: tuple[str, ...]


class PythonPath(Struct, frozen=True, kw_only=True):
    """``library`` is the directory of the standard library, ``sites`` those of installed packages,
    ``entries`` all of sys.path in its order.
    """

    version: str
    library: str
    sites: tuple[str, ...]
    entries: tuple[str, ...]
    distributions: dict[str, Distribution]
    owners: dict[str, str]
    """The distribution that brought ``site/top``."""

    def find(self, world: World, name: str, first: str = "") -> tuple[str, ...]:
        """The files that importing the dotted ``name`` reads: packages on the way, the module.

        Empty if it is built in, or nowhere.
        """
        for entry in (first, *self.entries) if first else self.entries:
            found = self._below(world, entry, name.split("."))
            if found:
                return found
        return ()

    def _below(self, world: World, entry: str, parts: list[str]) -> tuple[str, ...]:
        found: list[str] = []
        base = entry
        for number, part in enumerate(parts):
            base = join(base, part)
            module = self._module(world, base)
            if module:
                found.append(module)
            elif not world.is_dir(base):
                # the last part may be a name in the module; then what was found is enough
                return tuple(found)
            if number and not module and not world.is_dir(base):
                break
        return tuple(found)

    def _module(self, world: World, base: str) -> str:
        names = _listing(world, parent_of(base))
        name = base.rpartition("/")[2]
        if name in names:
            for ending in ("__init__.py", "__init__.pyc"):
                if world.is_file(f"{base}/{ending}"):
                    return f"{base}/{ending}"
        for ending in (".py", ".pyc"):
            if name + ending in names:
                return base + ending
        extensions = (n for n in names if n.startswith(f"{name}.") and n.endswith(".so"))
        return next((join(parent_of(base), n) for n in extensions), "")


def python_path(world: World) -> PythonPath:
    """The sys.path of the launch (site.py, PEP 405), read once."""
    return world.memo("python", lambda: _read(world))


def _listing(world: World, directory: str) -> frozenset[str]:
    return world.memo(f"names:{directory}", lambda: frozenset(world.names(directory)))


def normal_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _read(world: World) -> PythonPath:
    version, library = _library(world)
    launch = world.launch
    venv = _venv(world)
    sites = [f"{venv}/lib/python{version}/site-packages"] if venv else []
    prefix = parent_of(parent_of(library)) if library else "/usr"
    sites += [f"{prefix}/lib/python{version}/site-packages"]
    sites += [f"/usr/local/lib/python{version}/dist-packages", "/usr/lib/python3/dist-packages"]
    sites += [f"/usr/lib64/python{version}/site-packages"]
    sites = [site for site in dict.fromkeys(sites) if world.is_dir(site)]
    given = [p for p in launch.variable("PYTHONPATH").split(":") if p]
    given = [clean(p if p.startswith("/") else f"{launch.workdir}/{p}") for p in given]
    scripts = [
        parent_of(clean(w if w.startswith("/") else f"{launch.workdir}/{w}"))
        for w in launch.argv[1:]
        if w.endswith(".py")
    ]
    library_entries = [library, f"{library}/lib-dynload"] if library else []
    entries = [*scripts, clean(launch.workdir), *given, *library_entries, *sites]
    distributions: dict[str, Distribution] = {}
    owners: dict[str, str] = {}
    for site in dict.fromkeys((*sites, *given)):
        for each in _distributions(world, site):
            distributions.setdefault(each.name, each)
            for top in each.tops:
                owners.setdefault(f"{site}/{top}", each.name)
    return PythonPath(
        version=version,
        library=library,
        sites=tuple(dict.fromkeys((*sites, *given))),
        entries=tuple(dict.fromkeys(entries)),
        distributions=distributions,
        owners=owners,
    )


def _library(world: World) -> tuple[str, str]:
    """The version and the standard library of the Python that is launched, or is there."""
    program = world.command(world.launch.argv[0]) if world.launch.argv else None
    names = [world.real(program)] if program else []
    file = world.file(program) if program else None
    if file is not None and file.shebang is not None:
        interpreter = world.command(file.shebang.command) or file.shebang.interpreter
        names.append(world.real(interpreter))
    prefixes = [parent_of(parent_of(name)) for name in names if _VERSION.search(name)]
    for prefix in dict.fromkeys((*prefixes, "/usr/local", "/usr")):
        for base in (f"{prefix}/lib", f"{prefix}/lib64"):
            for path in reversed(world.glob(base, "python3.*")):
                match = _VERSION.search(path)
                if match and (world.is_file(f"{path}/os.py") or world.is_file(f"{path}/os.pyc")):
                    return match[1], path
    return "3", ""


def _venv(world: World) -> str:
    """The virtual environment whose Python is launched, by name or in a script's first line."""
    program = world.command(world.launch.argv[0]) if world.launch.argv else None
    candidates = [program] if program else []
    file = world.file(program) if program else None
    if file is not None and file.shebang is not None:
        candidates.append(world.command(file.shebang.command) or file.shebang.interpreter)
    for path in candidates:
        home = parent_of(parent_of(path))
        if world.is_file(f"{home}/pyvenv.cfg"):
            return home
    return ""


def _distributions(world: World, site: str) -> list[Distribution]:
    found = []
    for info in world.glob(site, "*.dist-info"):
        metadata = world.text(f"{info}/METADATA") or ""
        name = normal_name(info.rpartition("/")[2].partition("-")[0])
        record = world.read(f"{info}/RECORD", _MAX_RECORD)
        tops: dict[str, None] = {}
        try:
            files = parse_record(record, f"{info}/METADATA") if record else ()
        except JettisonError:
            files = ()
        for path in files:
            if path.startswith(f"{site}/"):
                tops[path[len(site) + 1 :].partition("/")[0]] = None
        requires = [
            normal_name(each[0])
            for each in _REQUIRES.findall(metadata.partition("\n\n")[0])
            if "extra ==" not in each[1].replace("  ", " ")
        ]
        found.append(Distribution(name, info, site, tuple(tops), tuple(dict.fromkeys(requires))))
    return found
