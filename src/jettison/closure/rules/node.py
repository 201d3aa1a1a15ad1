"""Node: required modules, and production dependencies in node_modules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.binfmt.nodesource import package_of, parse_package_json, required_by
from jettison.closure.model import Gap, Need, Rule
from jettison.closure.world import File, World
from jettison.fs.tree import clean, parent_of

_SOURCES = (".js", ".cjs", ".mjs")
_ENDINGS = ("", ".js", ".json", ".node", ".cjs", ".mjs", "/index.js", "/index.json", "/index.node")
_INSTALLED = re.compile(r"/node_modules/(?:@[^/]+/)?[^/]+/package\.json$")
_OUTSIDE = re.compile(rb"[\0'\"](/usr/(?:share|lib)/nodejs/[^\0'\"]{1,200})(?=[\0'\"])")
_MAX_PARENTS = 64


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    if file.name == "package.json":
        if _INSTALLED.search(file.path) or _is_application(file, world):
            yield from _dependencies(file, world)
    elif file.name.endswith(_SOURCES) and "/node_modules/" not in file.path:
        yield from _module(file, world)
    elif file.elf is not None and (file.name == "node" or file.name.startswith("libnode.so")):
        for match in file.search(_OUTSIDE):
            path = match.decode("utf-8", "surrogateescape")
            reason = "a module of Node that this distribution keeps outside"
            yield Need(path=path, reason=reason, below=True, optional=True)


def _module(file: File, world: World) -> Iterator[Need]:
    """A module of the application itself; those of packages come whole."""
    package = _nearest(world, file.directory, "package.json")
    if package and "/usr/share/nodejs/" not in package:
        yield Need(path=package, reason="says what kind of modules these are, and what they need")
    for specifier in required_by(file.text()):
        name = package_of(specifier)
        if name:
            found = _find(world, file.directory, name)
            if found:  # else it is built into Node, or found missing when package.json is read
                yield Need(path=found, reason=f"it requires {specifier}", below=True)
        elif specifier.startswith("."):
            base = clean(f"{file.directory}/{specifier}")
            for ending in _ENDINGS:
                if world.is_file(base + ending):
                    yield Need(path=base + ending, reason=f"it requires {specifier}")
                    break


def _dependencies(file: File, world: World) -> Iterator[Need | Gap]:
    package = parse_package_json(file.text().encode("utf-8", "surrogateescape"))
    for name in package.optional:
        found = _find(world, file.directory, name)
        if found:
            yield Need(path=found, reason=f"its package.json may use {name}", below=True, weak=True)
    for name in package.dependencies:
        found = _find(world, file.directory, name)
        if found:
            yield Need(path=found, reason=f"its package.json depends on {name}", below=True)
        else:
            yield Gap(
                what=name,
                by=file.path,
                rule=RULE.name,
                message=f"{file.path}: the dependency {name} is in no node_modules above it",
                hint="install with npm ci --omit=dev, and copy node_modules with the application",
                key=f"node:{name}",
            )


def _find(world: World, directory: str, name: str) -> str:
    """Where Node's algorithm finds a package: node_modules here, above, then NODE_PATH."""
    places = []
    for _ in range(_MAX_PARENTS):
        if not directory.endswith("/node_modules"):
            places.append(f"{directory}/node_modules".replace("//", "/"))
        if directory == "/":
            break
        directory = parent_of(directory)
    places += [d for d in world.launch.variable("NODE_PATH").split(":") if d]
    places += ["/usr/share/nodejs", "/usr/local/lib/node_modules"]
    return next((f"{p}/{name}" for p in places if world.is_dir(f"{p}/{name}")), "")


def _nearest(world: World, directory: str, name: str) -> str:
    for _ in range(_MAX_PARENTS):
        path = f"{directory}/{name}".replace("//", "/")
        if world.is_file(path):
            return path
        if directory == "/":
            break
        directory = parent_of(directory)
    return ""


def _is_application(file: File, world: World) -> bool:
    """Whether it is nobody's package: those below node_modules have theirs at known places."""
    return "/node_modules/" not in file.path and not file.path.startswith("/usr/share/nodejs/")


RULE = Rule(
    name="node",
    summary="JavaScript modules and their packages",
    catches=(
        "Modules the application requires or imports by a literal name, its package.json.",
        "Production dependencies, whole, as Node finds them; what only development needs is left.",
        "Modules that Debian's Node keeps in /usr/share/nodejs.",
    ),
    misses=("Modules named at run time, files read by name (views, public).",),
    needs=_needs,
)
