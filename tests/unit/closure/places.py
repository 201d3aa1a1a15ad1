"""Small root file systems for closures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jettison.closure.engine import closure_of
from jettison.closure.model import Closure, Launch, Options
from jettison.fs.stack import Stack
from tests.unit.binfmt.elves import Spec, make_elf

LD = "/lib64/ld-linux-x86-64.so.2"
GLIBC = ("GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.36")
PIE = 0x08000000


class Root:
    """A directory that is filled by path; a text, bytes, an ELF Spec, or ``-> target``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, path: str, content: str | bytes | Spec = "", mode: int = 0o755) -> None:
        real = self.directory / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            os.symlink(content[3:], real)
            return
        if isinstance(content, Spec):
            content = make_elf(content)
        real.write_bytes(content.encode() if isinstance(content, str) else content)
        real.chmod(mode)

    def fill(self, files: Mapping[str, str | bytes | Spec]) -> Root:
        for path, content in files.items():
            self.add(path, content)
        return self

    def libc(self, defines: tuple[str, ...] = GLIBC) -> Root:
        """Debian's layout: /lib and /lib64 are links into /usr."""
        return self.fill(
            {
                "/lib": "-> usr/lib",
                "/lib64": "-> usr/lib64",
                "/usr/lib64/ld-linux-x86-64.so.2": "-> ../lib/x86_64-linux-gnu/ld.so",
                "/usr/lib/x86_64-linux-gnu/ld.so": Spec(soname="ld-linux-x86-64.so.2"),
                "/usr/lib/x86_64-linux-gnu/libc.so.6": Spec(
                    soname="libc.so.6", needed=("ld-linux-x86-64.so.2",), defines=defines
                ),
            }
        )

    def tree(self) -> Stack:
        return Stack([str(self.directory)])

    def closure(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        workdir: str = "/",
        options: Options | None = None,
    ) -> Closure:
        launch = Launch(argv=argv, env=tuple((env or {}).items()), workdir=workdir)
        return closure_of(self.tree(), launch, options=options)


LIBC_PATHS = {
    "/lib",
    "/lib64",
    "/usr/lib64/ld-linux-x86-64.so.2",
    "/usr/lib/x86_64-linux-gnu/ld.so",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
}


def program(*needed: str, **more: object) -> Spec:
    """A dynamic program that needs libc and ``needed``."""
    fields: dict[str, object] = {
        "interpreter": LD, "flags_1": PIE, "needed": (*needed, "libc.so.6"), **more
    }  # fmt: skip
    return Spec(**fields)  # type: ignore[arg-type]  # fields of one type each


def paths(closure: Closure) -> set[str]:
    """What is in a closure besides the C library."""
    return set(closure.items) - LIBC_PATHS
