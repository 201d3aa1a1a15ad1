"""The smallest static program for an architecture: it exits with status 42.

It proves that a container or an emulator works, without anything from the host's disk.
"""

from __future__ import annotations

import struct

STATUS = 42

# ELF machine number, 64 bits wide, code of exit(42), per OCI architecture.
_EXIT = {
    "amd64": (62, True, "bf2a000000b83c0000000f05"),  # mov edi,42; mov eax,60; syscall
    "386": (3, False, "bb2a000000b801000000cd80"),  # mov ebx,42; mov eax,1; int 0x80
    "arm64": (183, True, "400580d2a80b80d2010000d4"),  # mov x0,#42; mov x8,#93; svc #0
    "arm": (40, False, "2a00a0e30170a0e3000000ef"),  # mov r0,#42; mov r7,#1; svc #0
    "riscv64": (243, True, "1305a0029308d00573000000"),  # li a0,42; li a7,93; ecall
}
_BASE = 0x10000
_ARM_EABI5 = 0x05000000


def program(architecture: str) -> bytes | None:
    """An ELF file (elf(5)), or None for an architecture that none is known for."""
    if architecture not in _EXIT:
        return None
    machine, wide, code_hex = _EXIT[architecture]
    code = bytes.fromhex(code_hex)
    ident = (b"\x7fELF" + bytes([2 if wide else 1, 1, 1])).ljust(16, b"\0")
    sizes = (64, 56) if wide else (52, 32)
    header = sum(sizes)
    size = header + len(code)
    flags = _ARM_EABI5 if architecture == "arm" else 0
    word = "Q" if wide else "I"
    start = struct.pack(f"<HHI{word}{word}{word}", 2, machine, 1, _BASE + header, sizes[0], 0)
    start += struct.pack("<IHHHHHH", flags, *sizes, 1, 0, 0, 0)
    if wide:
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    else:
        segment = struct.pack("<IIIIIIII", 1, 0, _BASE, _BASE, size, size, 5, 0x1000)
    return ident + start + segment + code


def identification(architecture: str) -> bytes | None:
    """The first 20 bytes of a program, which binfmt_misc looks at; None if not known."""
    if architecture in FOREIGN:
        machine, wide, order = FOREIGN[architecture]
        ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1])
        return ident.ljust(16, b"\0") + struct.pack(order + "HH", 2, machine)
    data = program(architecture)
    return None if data is None else data[:20]


FOREIGN = {
    "ppc64le": (21, True, "<"),
    "ppc64": (21, True, ">"),
    "s390x": (22, True, ">"),
    "mips64le": (8, True, "<"),
    "mips64": (8, True, ">"),
    "mipsle": (8, False, "<"),
    "mips": (8, False, ">"),
    "loong64": (258, True, "<"),
}
