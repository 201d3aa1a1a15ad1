"""Libraries that are loaded by dlopen(3): by notes, by names in the file, and libgcc_s."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.closure.ldpaths import is_musl
from jettison.closure.linker import library_path
from jettison.closure.model import Gap, Need, Rule
from jettison.closure.world import File, World

_OPENERS = ("dlopen", "dlmopen")
_SONAME = re.compile(rb"\0(lib[A-Za-z0-9_][A-Za-z0-9_+.-]{0,80}\.so(?:\.[0-9]+){1,3})(?=\0)")
_UNWINDING = ("pthread_exit", "pthread_cancel", "backtrace", "thrd_exit")


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    elf = file.elf
    if elf is None or not elf.dynamic:
        return

    def found(name: str) -> str:
        return library_path(world, name, file.path, elf)

    known = set(elf.needed) | {elf.soname}
    for note in elf.dlopens:
        path = next((p for p in map(found, note.sonames) if p), "")
        what = f"its note says it opens {note.sonames[0]} ({note.feature or 'no feature named'})"
        if path:
            yield Need(path=path, reason=what, weak=note.priority != "required")
        elif note.priority == "required":
            yield Gap(
                what=note.sonames[0],
                by=file.path,
                rule=RULE.name,
                message=f"{file.path}: {what}, which is required and not there",
                hint="add the package that has it",
                key=note.sonames[0],
            )
        known.update(note.sonames)
    symbol = file.imports(_UNWINDING)
    if symbol and not is_musl(elf) and (path := found("libgcc_s.so.1")):
        yield Need(path=path, reason=f"libc opens it for {symbol}()", weak=True)
    if file.imports(_OPENERS):
        for match in file.search(_SONAME):
            name = match.decode("ascii")
            if name not in known and (path := found(name)):
                reason = f"it calls dlopen and has the name {name} in it"
                yield Need(path=path, reason=reason, weak=True)


RULE = Rule(
    name="dlopen",
    summary="Libraries opened while a program runs",
    catches=(
        "Libraries named by ELF dlopen notes.",
        "Names of versioned libraries in a file that calls dlopen, if such a library is there.",
        "libgcc_s.so.1, which glibc opens to end or unwind a thread.",
    ),
    misses=("Names that are put together at run time, or read from configuration.",),
    needs=_needs,
)
