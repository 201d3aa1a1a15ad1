"""Java: the runtime around a ``java`` program, and what jars name beside them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from jettison.binfmt.jar import read_manifest
from jettison.closure.model import Gap, Need, Rule
from jettison.closure.rules.timezone import ZONES
from jettison.closure.world import File, World
from jettison.fs.tree import clean, parent_of

_DEVELOPMENT = ("lib/src.zip", "lib/ct.sym", "jmods", "include", "man", "demo", "docs", "sample")
_PATH_FLAGS = ("-cp", "-classpath", "--class-path", "-p", "--module-path")


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    if file.elf is not None and file.name in ("java", "libjvm.so"):
        yield from _runtime(file, world)
    elif file.name.endswith(".jar"):
        yield from _jar(file, world)


def _runtime(file: File, world: World) -> Iterator[Need]:
    home = _home(file, world)
    if not home:
        return
    leave = tuple(f"{home}/{name}" for name in _DEVELOPMENT)
    for name in ("lib", "conf", "release", "legal"):
        yield Need(
            path=f"{home}/{name}",
            reason=f"part of the Java runtime {home}",
            below=True,
            leave=leave,
            optional=True,
            weak=name != "conf",
        )
    yield Need(path=f"{home}/lib/modules", reason="the classes of the Java runtime")
    yield Need(path="/etc/localtime", reason="Java's default zone", optional=True, weak=True)
    path, reason = f"{ZONES}/tzdata.zi", "version of the zones"
    if world.options.time_zones:
        yield Need(path=path, reason=reason, optional=True, weak=True)
    argv = world.launch.argv
    for flag, value in pairwise(argv):
        if flag in _PATH_FLAGS:
            yield from _class_path(world, value, f"{flag} of the launch")
    variable = world.launch.variable("CLASSPATH")
    if variable:
        yield from _class_path(world, variable, "CLASSPATH")


def _home(file: File, world: World) -> str:
    """The directory that has lib/modules: above bin/java, or above lib/server/libjvm.so."""
    place = file.directory
    for _ in range(3):
        place = parent_of(place)
        if world.is_file(f"{place}/lib/modules"):
            return place
    return ""


def _class_path(world: World, value: str, what: str) -> Iterator[Need]:
    for part in value.split(":"):
        path = clean(part if part.startswith("/") else f"{world.launch.workdir}/{part}")
        if part.endswith("/*"):
            for jar in world.glob(parent_of(path), "*.[jJ][aA][rR]"):
                yield Need(path=jar, reason=what)
        elif part and path != "/":
            yield Need(path=path, reason=what, below=True, optional=True)


def _jar(file: File, world: World) -> Iterator[Need | Gap]:
    with file.open() as stream:
        manifest = read_manifest(stream)
    for entry in manifest.get("class-path", "").split():
        if "://" in entry:
            continue
        path = clean(f"{file.directory}/{entry.removeprefix('file:')}")
        reason = f"Class-Path of its manifest: {entry}"
        if world.entry(path) is not None:
            yield Need(path=path, reason=reason, below=entry.endswith("/"))
        else:  # the class loader passes over what is not there; many manifests name too much
            yield Gap(
                what=path,
                by=file.path,
                rule=RULE.name,
                message=f"{file.path}: {entry} in Class-Path is not there",
                hint="copy it beside the jar, unless nothing uses it",
                fatal=False,
            )


RULE = Rule(
    name="java",
    summary="The Java runtime, and jars beside jars",
    catches=(
        "The runtime's lib, conf, legal and release, with the libraries libjvm opens.",
        "The class path of the launch, and Class-Path of manifests.",
    ),
    misses=(
        "Which modules are needed: jlink makes a runtime of fewer (see closure.javamodules).",
        "Files that a program opens by name.",
    ),
    needs=_needs,
)
