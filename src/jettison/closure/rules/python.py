"""Python: the standard library, imports of the application, distributions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.binfmt.pysource import Import, imports_of
from jettison.closure.model import Gap, Need, Rule
from jettison.closure.pypath import PythonPath, python_path
from jettison.closure.world import File, World
from jettison.errors import BinaryError
from jettison.fs.tree import join, parent_of

_PROGRAM = re.compile(r"(?:python3\.\d+|libpython3\.\d+\.so.*)")
_NAMED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::[\w.]+(?:\(\))?)?")
_TESTS = ("test", "idlelib", "turtledemo", "ensurepip", "lib2to3/tests", "tkinter", "pydoc_data")
_ALWAYS = (
    "encodings codecs io abc os stat posixpath genericpath site sitecustomize _sitebuiltins "
    "_collections_abc runpy pkgutil importlib importlib.util importlib.machinery warnings "
    "linecache traceback tokenize token types enum functools copyreg weakref _weakrefset "
    "contextlib collections keyword operator reprlib re string locale unicodedata _strptime "
    "datetime calendar threading zipimport heapq signal _compat_pickle _pydecimal stringprep "
    "importlib.resources importlib.metadata zipfile struct"
).split()
"""Modules that Python's C code imports, or that every start reads."""


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    if file.elf is not None and _PROGRAM.fullmatch(file.name):
        path = python_path(world)
        yield from _library(world, path)
        yield from _launched(world, path)
    elif file.name.endswith(".py") or (
        file.shebang and "python" in file.head[:64].decode("latin-1")
    ):
        yield from _source(file, world, python_path(world))
    elif file.elf is not None and ".so" in file.name and world.options.prune == "file":
        yield from _extension(file, world, python_path(world))
    elif file.name == "METADATA" and file.directory.endswith(".dist-info"):
        yield from _requirements(file, python_path(world))


def _library(world: World, path: PythonPath) -> Iterator[Need]:
    if not path.library:
        return
    reason = f"the standard library of Python {path.version}"
    if world.options.prune == "file":
        yield Need(path=join(path.library, "encodings"), reason=reason, below=True)
        for name in world.glob(path.library, "_sysconfigdata*.py"):
            yield Need(path=name, reason=f"{reason}, read by sysconfig", optional=True)
        for name in _ALWAYS:
            for found in path.find(world, name):
                yield from _module(world, path, found, f"{reason}, which every start needs")
        return
    extensions = join(path.library, "lib-dynload")
    leave = (extensions, *(join(path.library, name) for name in _TESTS))
    leave += tuple(world.glob(path.library, "config-3*"))
    yield Need(path=path.library, reason=reason, below=True, leave=leave)
    # One of them that cannot be loaded (nis, dbm) is an ImportError to those who import it.
    yield Need(path=extensions, reason=reason, below=True, optional=True, weak=True)


def _launched(world: World, path: PythonPath) -> Iterator[Need]:
    """Modules that words of the launch name: ``-m uvicorn app:app``."""
    venv = world.launch.argv[0] if world.launch.argv else ""
    if "/" in venv:
        config = f"{parent_of(parent_of(venv))}/pyvenv.cfg"
        yield Need(path=config, reason="makes it a virtual environment", optional=True)
    for before, word in zip(("", *world.launch.argv), world.launch.argv, strict=False):
        match = _NAMED.fullmatch(word)
        if match is None or before == "":
            continue
        for found in path.find(world, match[1]):
            if before == "-m" or not found.startswith(f"{path.library}/"):
                yield from _module(world, path, found, f"the launch names the module {match[1]}")
    if "-m" in world.launch.argv[:-1]:
        name = world.launch.argv[world.launch.argv.index("-m") + 1]
        for found in path.find(world, f"{name}.__main__"):
            yield from _module(world, path, found, f"the launch runs the package {name}")


def _source(file: File, world: World, path: PythonPath) -> Iterator[Need | Gap]:
    inside = f"{path.library}/" if path.library else "\0"
    pruning = world.options.prune == "file"
    if not pruning and (file.path.startswith(inside) or _owner(path, file.path)):
        return  # all of it is here, and what it needs is declared
    try:
        imports = imports_of(file.text().encode("utf-8", "surrogateescape"))
    except BinaryError:
        return  # templates and other versions' sources bear the name, too
    for each in imports:
        for name, first in _names(each, file, path):
            for found in path.find(world, name, first):
                if pruning or not found.startswith(inside):
                    yield from _module(world, path, found, f"it imports {name}")


def _extension(file: File, world: World, path: PythonPath) -> Iterator[Need]:
    """Modules of its own package that an extension names: C code imports them as it needs them."""
    site = next((s for s in path.sites if file.path.startswith(f"{s}/")), "")
    top = file.path[len(site) + 1 :].partition("/")[0].partition(".")[0] if site else ""
    if not top.isidentifier():
        return
    for match in file.search(re.compile(rb"\0(%s(?:\.\w{1,80}){1,8})(?=\0)" % top.encode())):
        for found in path.find(world, match.decode("ascii", "replace")):
            yield from _module(world, path, found, f"it names {match.decode('ascii', 'replace')}")


def _names(each: Import, file: File, path: PythonPath) -> Iterator[tuple[str, str]]:
    """The dotted names an import may read, each with the directory to look in first."""
    if each.level:
        base = file.directory
        for _ in range(each.level - 1):
            base = parent_of(base)
        if each.module:
            yield each.module, base
        for name in each.names:
            yield (f"{each.module}.{name}" if each.module else name), base
        return
    first = "" if file.directory.startswith((*path.sites, path.library or "\0")) else file.directory
    yield each.module, first
    for name in each.names:
        yield f"{each.module}.{name}", first


def _module(world: World, path: PythonPath, found: str, reason: str) -> Iterator[Need]:
    """A module with its byte code; of a distribution all of it, unless files are pruned."""
    owner = _owner(path, found)
    if owner:
        each = path.distributions[owner]
        yield Need(path=f"{each.info}", reason=f"says that {owner} is installed", below=True)
        if world.options.prune != "file":
            for top in each.tops:
                if top not in ("bin", "..") and not top.endswith(".dist-info"):
                    text = f"{reason}, of the distribution {owner}"
                    yield Need(path=f"{each.site}/{top}", reason=text, below=True, optional=True)
            return
    elif world.options.prune != "file":
        site = next((s for s in path.sites if found.startswith(f"{s}/")), "")
        if site:  # installed, and no record says by whom: the whole package
            top = found[len(site) + 1 :].partition("/")[0]
            yield Need(path=f"{site}/{top}", reason=reason, below=True)
            return
    yield Need(path=found, reason=reason)
    name = found.rpartition("/")[2].removesuffix(".py")
    if found.endswith(".py"):
        cache = f"{parent_of(found)}/__pycache__"
        for compiled in world.glob(cache, f"{name}.cpython-*.pyc"):
            yield Need(path=compiled, reason=f"byte code of {found}", optional=True, weak=True)
    elif found.endswith(".so"):
        for libraries in world.glob(parent_of(found), "*.libs"):
            yield Need(path=libraries, reason="libraries of its wheel", below=True, weak=True)


def _owner(path: PythonPath, found: str) -> str:
    for site in path.sites:
        if found.startswith(f"{site}/"):
            return path.owners.get(f"{site}/{found[len(site) + 1 :].partition('/')[0]}", "")
    return ""


def _requirements(file: File, path: PythonPath) -> Iterator[Need]:
    """What a distribution declares to need; markers that exclude this platform are not read, so
    only what is installed counts.
    """
    mine = next((d for d in path.distributions.values() if d.info == file.directory), None)
    for name in mine.requires if mine else ():
        other = path.distributions.get(name)
        if other is None:
            continue
        reason = f"it requires the distribution {name}"
        yield Need(path=other.info, reason=reason, below=True)
        for top in other.tops:
            if top not in ("bin", "..") and not top.endswith(".dist-info"):
                yield Need(path=f"{other.site}/{top}", reason=reason, below=True, optional=True)


RULE = Rule(
    name="python",
    summary="Python's library, imports, distributions",
    catches=(
        "The standard library, whole but for its tests, or only what is imported (prune: file).",
        "Imports of the application, wherever in a module they stand; modules the launch names.",
        "Distributions, whole, by their records, with those they require.",
    ),
    misses=(
        "Modules named at run time, entry points of plug-ins, data files of the application.",
        "With prune: file, data files and dynamic imports of distributions: check by a run.",
    ),
    needs=_needs,
)
