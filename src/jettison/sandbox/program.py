"""Why a program could not be started in a root, in words that name the missing part."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from jettison.sandbox.inroot import resolve

_MACHINES = {3: "386", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "amd64"}
_MACHINES |= {183: "arm64", 243: "riscv64", 258: "loong64"}
_PT_INTERP = 3
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Fault:
    """``status`` is what a shell would exit with: 127 not found, 126 cannot be run."""

    message: str
    status: int
    hint: str | None = None


def find_fault(
    root: str, program: str, cwd: str, env: Mapping[str, str], architecture: str
) -> Fault | None:
    """What keeps ``program`` from running in ``root``; None if nothing can be seen.

    ``architecture`` is the host's (OCI name).
    """
    places = _places(program, cwd, env.get("PATH", DEFAULT_PATH))
    found = [path for path in places if os.path.isfile(resolve(root, path))]
    if not found and "/" in program and os.path.isdir(resolve(root, places[0])):
        return Fault(f"{program} is a directory", 126)
    if not found:
        where = f" in $PATH ({env.get('PATH', DEFAULT_PATH)})" if "/" not in program else ""
        return Fault(f"program {program} not found{where}", 127, _shell_hint(program))
    path = resolve(root, found[0])
    if not os.stat(path).st_mode & 0o111:
        return Fault(f"program {program} is not executable", 126, "chmod +x it")
    return _content_fault(root, path, program, architecture)


def _places(program: str, cwd: str, search: str) -> list[str]:
    if "/" in program:
        return [os.path.join(cwd, program)]
    return [os.path.join(cwd, directory, program) for directory in search.split(":")]


def _shell_hint(program: str) -> str | None:
    if os.path.basename(program) in ("sh", "bash"):
        return 'the image has no shell: use the exec form, RUN ["program", "argument"]'
    return None


def _content_fault(root: str, path: str, program: str, architecture: str) -> Fault | None:
    try:
        with open(path, "rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return None
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].split()
        interpreter = os.fsdecode(words[0]) if words else ""
        if not os.path.isfile(resolve(root, interpreter)):
            return Fault(f"{program} is a script for {interpreter}, which is not there", 127)
        return None
    if not head.startswith(b"\x7fELF"):
        hint = "a script begins with a line like #!/bin/sh"
        return Fault(f"{program} is neither an ELF program nor a script", 126, hint)
    try:
        machine, loader = _elf_facts(head)
    except struct.error:
        return Fault(f"{program} is a truncated ELF program", 126)
    if machine != architecture:
        hint = f"linux/{architecture} can run it only with an emulator (binfmt_misc)"
        return Fault(f"{program} is a program for {machine}", 126, hint)
    if loader and not os.path.exists(resolve(root, loader)):
        return Fault(
            f"{program} needs the dynamic loader {loader}, which is not there",
            127,
            "copy the C library as well, or link the program statically",
        )
    return None


def _elf_facts(head: bytes) -> tuple[str, str]:
    """Architecture and dynamic loader (empty if static) of an ELF file (elf(5))."""
    order = "<" if head[5] == 1 else ">"
    wide = head[4] == 2
    number = struct.unpack_from(order + "H", head, 18)[0]
    machine = _MACHINES.get(number, f"machine {number}")
    if number == 21 and order == "<":
        machine = "ppc64le"
    table = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    for index in range(min(count, 64)):
        at = table + index * size
        if struct.unpack_from(order + "I", head, at)[0] != _PT_INTERP:
            continue
        word = "Q" if wide else "I"
        offset = struct.unpack_from(order + word, head, at + (8 if wide else 4))[0]
        return machine, os.fsdecode(head[offset : offset + 4096].split(b"\0")[0])
    return machine, ""
