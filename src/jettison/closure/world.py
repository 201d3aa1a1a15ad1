"""The tree a closure is taken from, with what has been learnt about its files."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, TypeVar

from jettison.binfmt.elf import Elf, is_elf, read_elf
from jettison.binfmt.script import MAX_LINE, Shebang, parse_shebang
from jettison.closure.model import Launch, Options
from jettison.errors import JettisonError, PathError
from jettison.fs.tree import Entry, Tree, clean, join, parent_of, resolve, unreadable

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
T = TypeVar("T")
_CHUNK = 4 << 20
_OVERLAP = 4096
_MAX_TEXT = 8 << 20


class File:
    """A regular file of the tree, by its canonical path. What is read of it is read once."""

    def __init__(self, world: World, entry: Entry, head: bytes) -> None:
        self.path = entry.path
        self.entry = entry
        self.head = head
        self._world = world
        self._elf: Elf | None = None
        self.damage = ""
        """Why an ELF file could not be read."""
        if is_elf(head):
            try:
                with self.open() as file:
                    self._elf = read_elf(file)
            except JettisonError as error:
                self.damage = error.message

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def directory(self) -> str:
        return parent_of(self.path)

    @property
    def elf(self) -> Elf | None:
        return self._elf

    @property
    def shebang(self) -> Shebang | None:
        return parse_shebang(self.head)

    def imports(self, names: Iterable[str]) -> str:
        """The first of the symbols ``names`` that it takes from libraries; empty if none."""
        if self._elf is None:
            return ""
        return next((name for name in names if name in self._elf.imports), "")

    def open(self) -> IO[bytes]:
        try:
            return open(os.open(self.entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
        except OSError as error:
            raise unreadable(self.path, error) from None

    def text(self) -> str:
        """Its content up to 8 MiB, decoded as file names are."""
        with self.open() as file:
            return file.read(_MAX_TEXT).decode("utf-8", "surrogateescape")

    def search(self, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
        """The matches (of at most 4 KiB) of ``pattern`` in its bytes, each once."""
        seen: set[bytes] = set()
        tail = b""
        with self.open() as file:
            while chunk := file.read(_CHUNK):
                for match in pattern.finditer(tail + chunk):
                    found = match[match.lastindex or 0]
                    if found not in seen:
                        seen.add(found)
                        yield found
                tail = chunk[-_OVERLAP:]


class World:
    """The tree, the launch and the options; no method changes anything."""

    def __init__(self, tree: Tree, launch: Launch, options: Options) -> None:
        self.tree = tree
        self.launch = launch
        self.options = options
        self._files: dict[str, File | None] = {}
        self._memo: dict[str, Any] = {}
        self._real: dict[str, str] = {}

    def memo(self, key: str, make: Callable[[], T]) -> T:
        """What ``make`` made the first time, for rules that learn something about the whole."""
        if key not in self._memo:
            self._memo[key] = make()
        found: T = self._memo[key]
        return found

    # ---------------------------------------------------------------- paths

    def route(self, path: str) -> tuple[str, tuple[str, ...]]:
        """Where ``path`` leads, and every symbolic link on the way.

        The end need not exist. Raises PathError for a loop.
        """
        links: list[str] = []

        def lookup(place: str) -> Entry | None:
            entry = self.tree.lstat(place)
            if entry is not None and entry.is_link:
                links.append(place)
            return entry

        end = resolve(lookup, path)
        return end, tuple(dict.fromkeys(links))

    def real(self, path: str) -> str:
        """Where ``path`` leads; itself if links go in circles."""
        known = self._real.get(path)
        if known is None:
            try:
                known = self.tree.resolve(path)
            except PathError:
                known = path
            self._real[path] = known
        return known

    def entry(self, path: str) -> Entry | None:
        """What ``path`` leads to, links followed."""
        return self.tree.lstat(self.real(path))

    def is_file(self, path: str) -> bool:
        entry = self.entry(path)
        return entry is not None and entry.is_file

    def is_dir(self, path: str) -> bool:
        entry = self.entry(path)
        return entry is not None and entry.is_dir

    def names(self, directory: str) -> list[str]:
        """The names in the directory that ``directory`` leads to; none if it is no directory."""
        return [entry.name for entry in self.tree.children(self.real(directory))]

    def glob(self, directory: str, pattern: str) -> list[str]:
        """The paths in a directory whose names fit a shell pattern."""
        names = self.names(directory)
        return [join(clean(directory), n) for n in names if fnmatch.fnmatchcase(n, pattern)]

    # ---------------------------------------------------------------- files

    def file(self, path: str) -> File | None:
        """The regular file that ``path`` leads to."""
        real = self.real(path)
        if real not in self._files:
            entry = self.tree.lstat(real)
            self._files[real] = self._load(entry) if entry is not None and entry.is_file else None
        return self._files[real]

    def elf(self, path: str) -> Elf | None:
        file = self.file(path)
        return file.elf if file is not None else None

    def text(self, path: str) -> str | None:
        """The text of the file that ``path`` leads to; None if there is none."""
        file = self.file(path)
        return file.text() if file is not None else None

    def read(self, path: str, limit: int) -> bytes | None:
        file = self.file(path)
        if file is None:
            return None
        with file.open() as stream:
            return stream.read(limit)

    def _load(self, entry: Entry) -> File:
        try:
            fd = os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise unreadable(entry.path, error) from None
        with open(fd, "rb", buffering=0) as file:
            head = file.read(MAX_LINE)
        return File(self, entry, head or b"")

    # ---------------------------------------------------------------- launch

    def command(self, name: str, workdir: str = "") -> str | None:
        """The path execvp(3) would start for ``name``; None if there is none."""
        if "/" in name:
            path = name if name.startswith("/") else f"{workdir or self.launch.workdir}/{name}"
            return clean(path) if self.is_file(path) else None
        for directory in (self.launch.variable("PATH") or DEFAULT_PATH).split(":"):
            path = clean(f"{directory or self.launch.workdir}/{name}")
            entry = self.entry(path)
            if entry is not None and entry.is_file and entry.mode & 0o111:
                return path
        return None
