"""Packages -> the tree of a base image: unpacked, trimmed, and with what is declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from jettison.distroless.datacache import DataCache
from jettison.distroless.deb import Deb, open_deb
from jettison.distroless.effects import (
    accounts,
    debug_links,
    declared,
    effects,
    homes,
    layout,
    usr_links,
)
from jettison.distroless.model import PackageRef, Resolution
from jettison.distroless.scripts import Uncovered, uncovered
from jettison.distroless.spec import PathEntry, Spec
from jettison.distroless.tree import Entry, Tree
from jettison.distroless.trim import Trim
from jettison.distroless.wishes import parse_wish
from jettison.fs.tarformat import DIRECTORY

FORMAT = 1
"""What is composed of the same input changed whenever this did."""

_LIBC = ("libc6", "libc-bin")
_FIELDS = re.compile(r"^(?:Conffiles|Status):.*\n(?:[ \t].*\n)*", re.M)


class Trimmed(Struct, frozen=True):
    """What was left out of one class: files, and their bytes."""

    name: str
    files: int
    bytes: int


class Composed(Struct, frozen=True):
    """A tree that was made: ``time`` (seconds) is that of everything new in it.

    ``sizes`` has the bytes of each package's files.
    """

    time: int
    sizes: dict[str, int]
    trimmed: tuple[Trimmed, ...]
    uncovered: tuple[Uncovered, ...]


def selected(spec: Spec, resolution: Resolution, *, debug: bool) -> tuple[PackageRef, ...]:
    """The packages of the image, or of its debug twin, which has all that were locked.

    The image has what is reached from the packages it names: whatever is needed has a link to what
    needs it, also if the debug twin's packages brought it in first.
    """
    if debug:
        return resolution.packages
    wanted = {str(parse_wish(name)) for name in spec.contents.packages}
    needs: dict[str, list[str]] = {}
    pending = []
    for name, links in resolution.why.items():
        for link in links:
            needs.setdefault(link.wanted_by, []).append(name)
            if not link.wanted_by and link.relation in wanted:
                pending.append(name)
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += needs.get(name, ())
    return tuple(package for package in resolution.packages if package.name in reached)


def compose(
    spec: Spec,
    packages: Sequence[PackageRef],
    files: dict[str, Path],
    data: DataCache,
    directory: Path,
    architecture: str,
    *,
    debug: bool,
    epoch: int | None,
    rootless: bool,
    check: Callable[[], None],
) -> Composed:
    """Write the tree of an image into the empty ``directory``.

    ``files`` has the path of each package, ``epoch`` (SOURCE_DATE_EPOCH) is the latest time files
    may have, by default that of the newest. The result is a function of spec and packages alone.
    Raises DistrolessError for packages that cannot be together, ArchiveError, StoreError.
    """
    trim = Trim(spec.trim)
    tree = Tree(directory, trim, epoch, rootless=rootless)
    removed = _removal(spec.remove)
    tree.add(layout(architecture), replace=False)
    status: list[Entry] = []
    warned: list[Uncovered] = []
    ordered = sorted(packages, key=lambda p: (p.name != "base-files", p.name))
    for package in ordered:
        with open_deb(files[package.name], str(package)) as deb, data.open(package, deb) as reader:
            tree.add_package(deb, reader, removed, check)
            status.append(_status(package.name, deb))
            found = uncovered(package.name, deb.files)
            warned += [found] if found else []
    warned += _library_paths(tree)
    names = [package.name for package in packages]
    tree.add(layout(architecture))  # their times are not those of whoever came first
    tree.add(usr_links(architecture))
    tree.add(effects(spec, names, tree), replace=False)
    tree.add(accounts(spec))
    tree.add(homes(spec), replace=False)
    tree.add(debug_links(names) if debug else ())
    tree.add(declared(_expanded(spec, architecture)))
    tree.add(_database(status, tree))
    tree.finish()
    for entry in _expanded(spec, architecture):
        if entry.type == "permissions":
            tree.permit(entry.path, entry.mode, entry.uid, entry.gid)
    trimmed = tuple(Trimmed(n, count, trim.bytes[n]) for n, count in trim.files.items() if count)
    return Composed(tree.time, tree.size, trimmed, tuple(warned))


def _library_paths(tree: Tree) -> Iterable[Uncovered]:
    """Packages that have the linker look into directories of theirs: it would by its cache only."""
    for path in tree.files("etc/ld.so.conf.d/", ".conf"):
        if tree.owner[path] not in _LIBC:
            where = tree.read(path).decode("utf-8", "replace").strip().partition("\n")[0]
            yield Uncovered(tree.owner[path], "ld.so.conf.d", where[:200])


def _status(name: str, deb: Deb) -> Entry:
    """The package in the database as distroless images have it: one file each, without Status."""
    text = deb.files["control"].decode("utf-8", "surrogateescape").strip("\n") + "\n"
    data = _FIELDS.sub("", text).encode("utf-8", "surrogateescape")
    return Entry(f"var/lib/dpkg/status.d/{name}", data)


def _database(status: Iterable[Entry], tree: Tree) -> Iterable[Entry]:
    yield Entry("var/lib/dpkg/status.d", type=DIRECTORY, mode=0o755)
    for entry in status:
        yield entry
        name = entry.path.rpartition("/")[2]
        yield Entry(f"{entry.path}.md5sums", tree.md5sums(name).encode("utf-8", "surrogateescape"))


def _removal(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path is one of those the spec leaves out, or below one; copyright files stay."""
    from fnmatch import translate

    parts = [re.sub(r"\\[Zz]$", "", translate(pattern.strip("/"))) for pattern in patterns]
    if not parts:
        return lambda path: False
    pattern = re.compile("|".join(rf"{part}(?:/.*)?\Z" for part in parts), re.S)
    kept = re.compile(r"usr/share/doc/[^/]+/copyright$")
    return lambda path: pattern.match(path) is not None and not kept.match(path)


_MULTIARCH = {
    "amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf",
    "i386": "i386-linux-gnu", "ppc64el": "powerpc64le-linux-gnu", "s390x": "s390x-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}  # fmt: skip


def _expanded(spec: Spec, architecture: str) -> list[PathEntry]:
    """The spec's paths, with ``${arch}`` and ``${multiarch}`` as Debian names them."""
    from msgspec.structs import replace

    def text(value: str) -> str:
        value = value.replace("${arch}", architecture)
        return value.replace("${multiarch}", _MULTIARCH.get(architecture, architecture))

    return [replace(p, path=text(p.path), source=text(p.source)) for p in spec.paths]
