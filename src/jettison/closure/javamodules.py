"""Which modules of the Java runtime an application needs, for jlink."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from jettison.binfmt.classfile import ModuleInfo
from jettison.binfmt.jar import Jar


class ModuleReason(Struct, frozen=True):
    """Why a module is needed: ``by`` is a jar, or another module; ``text`` says what for."""

    by: str
    text: str


class JavaModules(Struct, frozen=True):
    """Each needed module with its first reason; classes referred to that are nowhere."""

    modules: Mapping[str, ModuleReason]
    unknown: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """As jlink --add-modules takes them."""
        return tuple(sorted(self.modules))


_BY_USE = (
    (("javax/net/ssl/", "java/net/http/", "java/net/HttpURLConnection", "java/net/URL"),
     "jdk.crypto.ec", "TLS with elliptic curves, which is a provider and referred to by nothing"),
    (("java/nio/file/FileSystems", "java/nio/file/spi/FileSystemProvider"),
     "jdk.zipfs", "file systems in archives are a provider"),
    (("javax/naming/directory/", "javax/naming/InitialContext"),
     "jdk.naming.dns", "names of dns: are looked up by a provider"),
)  # fmt: skip
"""What a class that begins so brings, besides its own module: providers that nothing refers to."""


def java_modules(jars: Mapping[str, Jar], runtime: Mapping[str, ModuleInfo]) -> JavaModules:
    """What the jars of an application (by path) need of a runtime's modules.

    By class references, also such as only a string names if the runtime has that class's package;
    by the modules' own requirements; by services: a module of the runtime that provides what a
    jar's own code looks up. Services that the runtime itself looks up bind nothing, as with jlink
    without --bind-services, but for those in a table (TLS needs jdk.crypto.ec).
    """
    packages = {package: name for name, info in runtime.items() for package in info.packages}
    inside = {name for jar in jars.values() for name in jar.classes}
    found: dict[str, ModuleReason] = {}
    unknown: set[str] = set()
    if "java.base" in runtime:
        found["java.base"] = ModuleReason("", "every program")
    for path, jar in jars.items():
        for name in sorted(jar.references - inside):
            module = packages.get(_package(name))
            if module is not None:
                found.setdefault(module, ModuleReason(path, f"refers to {_dotted(name)}"))
            elif "/" in name:
                unknown.add(_dotted(name))
        for name in sorted(jar.strings - inside):
            module = packages.get(_package(name))
            if module is not None:
                text = f"names {_dotted(name)} in a string"
                found.setdefault(module, ModuleReason(path, text))
        for module in jar.modules & set(runtime):
            found.setdefault(module, ModuleReason(path, "its module-info requires it"))
        for module, reason in _by_use(path, jar, runtime):
            found.setdefault(module, reason)
        for service in sorted(jar.uses):
            for module in _providers(service, runtime):
                found.setdefault(module, ModuleReason(path, f"looks up {service}"))
    _required(found, runtime)
    return JavaModules(found, tuple(sorted(unknown)))


def _by_use(
    path: str, jar: Jar, runtime: Mapping[str, ModuleInfo]
) -> Iterable[tuple[str, ModuleReason]]:
    for prefixes, module, text in _BY_USE:
        used = next((n for n in sorted(jar.references) if n.startswith(prefixes)), "")
        if used and module in runtime:
            yield module, ModuleReason(path, f"uses {_dotted(used)}: {text}")


def _providers(service: str, runtime: Mapping[str, ModuleInfo]) -> list[str]:
    return [name for name, info in runtime.items() if service in dict(info.provides)]


def _required(found: dict[str, ModuleReason], runtime: Mapping[str, ModuleInfo]) -> None:
    pending = deque(found)
    while pending:
        name = pending.popleft()
        for required in runtime[name].requires:
            if required not in found and required in runtime:
                found[required] = ModuleReason(name, "the module requires it")
                pending.append(required)


def _package(name: str) -> str:
    return name.rpartition("/")[0].replace("/", ".")


def _dotted(name: str) -> str:
    return name.replace("/", ".")
