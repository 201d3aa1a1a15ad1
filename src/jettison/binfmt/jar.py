"""Java archives: what they need beside them, and of the Java runtime (JAR File Specification)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, TypeVar

from msgspec import Struct

from jettison.binfmt.classfile import ClassFile, parse_module_info
from jettison.errors import BinaryError

if TYPE_CHECKING:
    import zipfile

T = TypeVar("T")
_MAX_ENTRIES = 200_000
_MAX_ENTRY = 32 << 20
_MAX_TOTAL = 2 << 30
_MAX_DEPTH = 3
_VERSIONED = re.compile(r"META-INF/versions/(\d+)/(.+)")


class Jar(Struct, frozen=True, kw_only=True):
    """``class_path`` are the manifest's entries as written; ``classes`` are those inside,
    ``references`` those referred to (``strings``: named by a string only), all with slashes;
    ``services`` are those it has providers for, ``uses`` those a module-info looks up;
    ``modules`` the JDK modules its module-info requires; ``damaged`` are classes not understood.
    """

    class_path: tuple[str, ...] = ()
    main_class: str = ""
    module: str = ""
    classes: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()


def read_manifest(file: IO[bytes]) -> dict[str, str]:
    """The main section of a jar's manifest, keys in lower case; empty if it has none.

    Raises BinaryError if it is no zip file.
    """
    return _guarded(file, _manifest)


def read_jar(file: IO[bytes], release: int = 17) -> Jar:
    """All of a jar, as a runtime of the given release sees it (multi-release jars); jars within
    it (Spring Boot) are read too. Raises BinaryError if it is damaged or too large.
    """
    reader = _Reader(release)
    _guarded(file, lambda archive: reader.read(archive, 0))
    return reader.result()


def _guarded(file: IO[bytes], use: Callable[[zipfile.ZipFile], T]) -> T:
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > _MAX_ENTRIES:
                raise BinaryError(f"an archive of more than {_MAX_ENTRIES} entries")
            return use(archive)
    except (
        zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, ValueError,
        NotImplementedError, RuntimeError, IndexError, OverflowError, KeyError,
    ) as error:  # fmt: skip
        raise BinaryError(f"damaged archive: {error}") from None


def _manifest(archive: zipfile.ZipFile) -> dict[str, str]:
    try:
        info = archive.getinfo("META-INF/MANIFEST.MF")
    except KeyError:
        return {}
    text = _read(archive, info).decode("utf-8", "replace").replace("\r\n", "\n")
    found: dict[str, str] = {}
    for line in text.replace("\n ", "").split("\n"):
        if not line:
            break
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    return found


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > _MAX_ENTRY:
        raise BinaryError(f"{info.filename} has {info.file_size} bytes")
    with archive.open(info) as stream:
        return stream.read(_MAX_ENTRY)


class _Reader:
    def __init__(self, release: int) -> None:
        self._release = release
        self._total = 0
        self._manifest: dict[str, str] = {}
        self._module = ""
        self._classes: set[str] = set()
        self._references: set[str] = set()
        self._strings: set[str] = set()
        self._services: set[str] = set()
        self._uses: set[str] = set()
        self._modules: set[str] = set()
        self._damaged: list[str] = []

    def result(self) -> Jar:
        return Jar(
            class_path=tuple(self._manifest.get("class-path", "").split()),
            main_class=self._manifest.get("main-class", ""),
            module=self._module,
            classes=frozenset(self._classes),
            references=frozenset(self._references - self._classes),
            strings=frozenset(self._strings - self._classes),
            services=frozenset(self._services),
            uses=frozenset(self._uses),
            modules=frozenset(self._modules),
            damaged=tuple(self._damaged),
        )

    def read(self, archive: zipfile.ZipFile, depth: int) -> None:
        manifest = _manifest(archive)
        if not depth:
            self._manifest = manifest
        multi = manifest.get("multi-release", "").lower() == "true"
        for name, info in self._chosen(archive, multi).items():
            self._total += info.file_size
            if self._total > _MAX_TOTAL:
                raise BinaryError("an archive that unpacks to more than 2 GiB")
            if name.endswith(".class"):
                self._class(name, _read(archive, info), depth)
            elif name.startswith("META-INF/services/") and not name.endswith("/"):
                self._services.add(name.removeprefix("META-INF/services/"))
            elif name.endswith(".jar") and depth < _MAX_DEPTH:
                inner = io.BytesIO(_read(archive, info))
                _guarded(inner, lambda each: self.read(each, depth + 1))

    def _chosen(self, archive: zipfile.ZipFile, multi: bool) -> dict[str, zipfile.ZipInfo]:
        """Each entry in the newest version this release takes, by the name it has then."""
        found: dict[str, tuple[int, zipfile.ZipInfo]] = {}
        for info in archive.infolist():
            match = _VERSIONED.fullmatch(info.filename)
            number = int(match[1]) if match and len(match[1]) < 5 else 0
            if match and (not multi or number > self._release):
                continue
            name = match[2] if match else info.filename.removeprefix("WEB-INF/classes/")
            name = name.removeprefix("BOOT-INF/classes/")
            if name not in found or number >= found[name][0]:
                found[name] = (number, info)
        return {name: info for name, (_, info) in found.items()}

    def _class(self, name: str, data: bytes, depth: int) -> None:
        try:
            if name == "module-info.class":
                self._declaration(data, depth)
                return
            sure, strings = ClassFile(data).references()
        except BinaryError:
            self._damaged.append(name)
            return
        self._classes.add(name.removesuffix(".class"))
        self._references |= sure
        self._strings |= strings

    def _declaration(self, data: bytes, depth: int) -> None:
        info = parse_module_info(data)
        self._uses.update(info.uses)
        self._services.update(service for service, _ in info.provides)
        self._modules.update(info.requires)
        if not depth:
            self._module = info.name
