"""Locales of glibc."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.closure.ldpaths import is_musl
from jettison.closure.model import Need, Rule
from jettison.closure.world import File, World

_BASE = "/usr/lib/locale"
_VARIABLES = ("LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LANG")
_BUILT_IN = ("", "C", "POSIX")


def _needs(file: File, world: World) -> Iterator[Need]:
    elf = file.elf
    if elf is None or elf.soname == "libc.so.6" or is_musl(elf):
        return
    symbol = file.imports(("setlocale", "newlocale"))
    if not symbol:
        return
    named = [(n, world.launch.variable(n)) for n in _VARIABLES]
    wanted = {value: f"{symbol}() takes {n}={value}" for n, value in named}
    wanted.setdefault("C.UTF-8", f"{symbol}() takes C.UTF-8 where UTF-8 is wanted")
    for value, reason in wanted.items():
        if value in _BUILT_IN or "/" in value:
            continue
        places = (f"{_BASE}/{_normal(value)}", f"{_BASE}/{value}")
        path = next((p for p in places if world.is_dir(p)), f"{_BASE}/locale-archive")
        if value != "C.UTF-8" or not path.endswith("archive"):
            yield Need(path=path, reason=reason, below=True, optional=True, weak=True)


def _normal(name: str) -> str:
    """As glibc looks for it: the character set in lower case, letters and digits alone."""
    head, dot, rest = name.partition(".")
    codeset, at, modifier = rest.partition("@")
    return head + dot + "".join(c for c in codeset.lower() if c.isalnum()) + at + modifier


RULE = Rule(
    name="locale",
    summary="Locales",
    catches=(
        "C.UTF-8, and the locales that LANG and LC_* of the image name, for programs that call "
        "setlocale.",
    ),
    misses=(
        "Translations of messages (/usr/share/locale).",
        "Locales that a program is told by its users.",
    ),
    needs=_needs,
)
