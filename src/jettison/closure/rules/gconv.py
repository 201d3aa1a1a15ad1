"""Modules of iconv(3)."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.closure.ldpaths import is_musl
from jettison.closure.linker import library_path
from jettison.closure.model import Need, Rule
from jettison.closure.world import File, World
from jettison.fs.tree import parent_of

_COMMON = ("UTF-16", "UTF-32", "UTF-7", "UNICODE", "ISO8859-1", "ISO8859-15", "CP1252")
"""What is not inside libc (UTF-8, UCS-4, UCS-2 and ASCII are) and commonly met."""
_LISTS = ("gconv-modules", "gconv-modules.cache", "gconv-modules.d")


def _needs(file: File, world: World) -> Iterator[Need]:
    elf, wanted = file.elf, world.options.charsets
    if elf is None or wanted == "none" or elf.soname == "libc.so.6" or is_musl(elf):
        return
    symbol = file.imports(("iconv_open",))
    libc = library_path(world, "libc.so.6", file.path, elf) if symbol else ""
    if not libc:
        return
    directory = f"{parent_of(libc)}/gconv"
    if not world.is_dir(directory):
        return
    reason = f"{symbol}() loads it"
    if wanted == "all":
        yield Need(path=directory, reason=reason, below=True, weak=True)
        return
    for name in _LISTS:
        yield Need(path=f"{directory}/{name}", reason=reason, below=True, optional=True, weak=True)
    for name in dict.fromkeys((*_COMMON, *_of_locale(world))):
        yield Need(path=f"{directory}/{name}.so", reason=reason, optional=True, weak=True)


def _of_locale(world: World) -> list[str]:
    """The character set that the environment asks for: ``de_DE.ISO-8859-2@euro``."""
    values = [world.launch.variable(n) for n in ("LC_ALL", "LC_CTYPE", "LANG")]
    sets = [v.partition(".")[2].partition("@")[0].upper() for v in values]
    return [name.replace("ISO-8859", "ISO8859") for name in sets if name and "/" not in name]


RULE = Rule(
    name="gconv",
    summary="Modules of iconv",
    catches=(
        "The lists of modules and those for common character sets, if a file calls iconv_open; "
        "all of them on request.",
    ),
    misses=("Rare character sets that only data names: ask for all of them.",),
    needs=_needs,
)
