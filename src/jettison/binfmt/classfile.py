"""Java class files (JVMS chapter 4): classes they refer to, and what a module-info says."""

from __future__ import annotations

import re
import struct

from msgspec import Struct

from jettison.errors import BinaryError

_UTF8, _CLASS, _STRING, _TYPE, _MODULE, _PACKAGE = 1, 7, 8, 16, 19, 20
_SIZES = {
    3: 4,
    4: 4,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
}
_WIDE = {5: 8, 6: 8}
_IN_DESCRIPTOR = re.compile(r"L([^;<>()\[]+)[;<]")
_DOTTED = re.compile(r"[a-z][\w$]*(?:\.[a-z][\w$]*)+\.[A-Z][\w$]*")
_STATIC = 0x40


class ModuleInfo(Struct, frozen=True, kw_only=True):
    """A module declaration. Packages have dots; services and providers are class names with dots.

    ``static`` requirements count at compile time only. ``transitive`` is a part of ``requires``.
    """

    name: str
    requires: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    provides: tuple[tuple[str, tuple[str, ...]], ...] = ()


class ClassFile:
    """The constant pool of one class file. Raises BinaryError if it is damaged."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\xca\xfe\xba\xbe" or len(data) < 10:
            raise BinaryError("no Java class file")
        self.data = data
        self.texts: dict[int, str] = {}
        self.pointers: dict[int, tuple[int, int]] = {}
        """Tag and index of a constant's text, for classes, strings, modules, packages."""
        try:
            self.end = self._pool()
        except (struct.error, IndexError):
            raise BinaryError("the class file is cut off") from None

    def _pool(self) -> int:
        data, position = self.data, 10
        (count,) = struct.unpack_from(">H", data, 8)
        number = 1
        while number < count:
            tag = data[position]
            position += 1
            if tag == _UTF8:
                (size,) = struct.unpack_from(">H", data, position)
                raw = data[position + 2 : position + 2 + size]
                if len(raw) != size:
                    raise BinaryError("the class file is cut off")
                self.texts[number] = raw.decode("utf-8", "replace")
                position += 2 + size
            elif tag in _WIDE:
                position += _WIDE[tag]
                number += 1
            elif tag in _SIZES:
                if tag in (_CLASS, _STRING, _TYPE, _MODULE, _PACKAGE):
                    self.pointers[number] = (tag, *struct.unpack_from(">H", data, position))
                position += _SIZES[tag]
            else:
                raise BinaryError(f"the class file has a constant of unknown kind {tag}")
            number += 1
        return position

    def text(self, index: int) -> str:
        return self.texts.get(index, "")

    def pointed(self, index: int) -> str:
        """The text of a class, module or package constant."""
        return self.text(self.pointers.get(index, (0, 0))[1])

    def references(self) -> tuple[set[str], set[str]]:
        """Classes it refers to with certainty (constants, descriptors, signatures), and those only
        a string names, as for Class.forName; both with slashes.
        """
        sure: set[str] = set()
        strings: set[str] = set()
        for tag, index in self.pointers.values():
            text = self.text(index)
            if tag == _CLASS and not text.startswith("["):
                sure.add(text)
            elif tag == _STRING and _DOTTED.fullmatch(text):
                strings.add(text.replace(".", "/"))
        for text in self.texts.values():
            if ";" in text:
                sure.update(_IN_DESCRIPTOR.findall(text))
        return sure, strings - sure


def parse_module_info(data: bytes) -> ModuleInfo:
    """A ``module-info.class`` (JVMS 4.7.25, 4.7.26). Raises BinaryError if it is none."""
    found = ClassFile(data)
    try:
        return _module(found)
    except (struct.error, IndexError):
        raise BinaryError("the module-info is cut off") from None


def _module(found: ClassFile) -> ModuleInfo:
    data = found.data
    at = found.end + 6
    (interfaces,) = struct.unpack_from(">H", data, at)
    at += 2 + 2 * interfaces
    for _ in range(2):  # fields and methods: a module-info has none
        (count,) = struct.unpack_from(">H", data, at)
        at += 2
        if count:
            raise BinaryError("no module-info: it has fields or methods")
    (count,) = struct.unpack_from(">H", data, at)
    at += 2
    attributes: dict[str, int] = {}
    for _ in range(count):
        name, size = struct.unpack_from(">HI", data, at)
        attributes[found.text(name)] = at + 6
        at += 6 + size
    if "Module" not in attributes:
        raise BinaryError("no module-info: it has no attribute Module")
    packages: tuple[str, ...] = ()
    if "ModulePackages" in attributes:
        packages = _list(found, attributes["ModulePackages"])[0]
    return _declaration(found, attributes["Module"], packages)


def _declaration(found: ClassFile, at: int, packages: tuple[str, ...]) -> ModuleInfo:
    name, _, _, count = struct.unpack_from(">HHHH", found.data, at)
    at += 8
    requires: list[str] = []
    static: list[str] = []
    for _ in range(count):
        required, flags, _ = struct.unpack_from(">HHH", found.data, at)
        at += 6
        (static if flags & _STATIC else requires).append(found.pointed(required))
    for _ in range(2):  # exports and opens
        (count,) = struct.unpack_from(">H", found.data, at)
        at += 2
        for _ in range(count):
            at = _list(found, at + 4)[1]
    uses, at = _list(found, at)
    (count,) = struct.unpack_from(">H", found.data, at)
    at += 2
    provides = []
    for _ in range(count):
        service = found.pointed(struct.unpack_from(">H", found.data, at)[0]).replace("/", ".")
        providers, at = _list(found, at + 2)
        provides.append((service, providers))
    return ModuleInfo(
        name=found.pointed(name),
        requires=tuple(requires),
        static=tuple(static),
        packages=packages,
        uses=uses,
        provides=tuple(provides),
    )


def _list(found: ClassFile, at: int) -> tuple[tuple[str, ...], int]:
    """A counted list of constants as names with dots, and where it ends."""
    (count,) = struct.unpack_from(">H", found.data, at)
    indexes = struct.unpack_from(f">{count}H", found.data, at + 2)
    names = tuple(found.pointed(index).replace("/", ".") for index in indexes)
    return names, at + 2 + 2 * count
