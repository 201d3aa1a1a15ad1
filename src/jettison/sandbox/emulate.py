"""Whether programs of a platform run on this host, natively or through an emulator.

An emulator must be registered in binfmt_misc with flag F: the kernel then keeps it open, so that
it works in roots that do not hold it (Linux, Documentation/admin-guide/binfmt-misc.rst).
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from jettison.model.platform import Platform
from jettison.sandbox import probe, tinyelf

BINFMT = "/proc/sys/fs/binfmt_misc"
_NARROW = {"amd64": "386", "arm64": "arm"}
"""The 32-bit architecture that processors of another one usually run."""

# Flags of /proc/cpuinfo that each level adds (x86-64 psABI, "Micro-Architecture Levels").
_LEVELS = (
    ("v2", "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"),
    ("v3", "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"),
    ("v4", "avx512f avx512bw avx512cd avx512dq avx512vl"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """``ok``, and why (not); true and false as ``ok`` is."""

    ok: bool
    reason: str

    def __bool__(self) -> bool:
        return self.ok


def can_run(platform: Platform) -> Answer:
    """Whether RUN works for ``platform`` here, with the reason in words."""
    host = probe.architecture()
    wanted = platform.architecture
    if platform.os != "linux":
        return Answer(False, f"{platform} programs do not run on Linux")
    if wanted == host:
        return _level(platform)
    if _NARROW.get(host) == wanted and _runs_natively(wanted):
        return Answer(True, f"linux/{host} runs linux/{wanted} natively")
    interpreter, flags = _emulator(wanted)
    if interpreter is None:
        return Answer(
            False,
            f"no emulator for {platform} is registered in binfmt_misc; install one, e.g. "
            "apt-get install qemu-user-static binfmt-support",
        )
    if "F" not in flags:
        return Answer(
            False,
            f"the emulator {interpreter} for {platform} is registered without flag F, "
            "so that it is not found in an image; register it again with F (fix-binary)",
        )
    return Answer(True, f"{platform} is emulated by {interpreter}")


def registered(directory: str = BINFMT) -> list[tuple[str, str, str]]:
    """(architecture, interpreter, flags) of every emulator the kernel knows."""
    known = []
    for architecture in ("amd64", "386", "arm64", "arm", "riscv64", *tinyelf.FOREIGN):
        interpreter, flags = _emulator(architecture, directory)
        if interpreter is not None:
            known.append((architecture, interpreter, flags))
    return known


def _emulator(architecture: str, directory: str = BINFMT) -> tuple[str | None, str]:
    header = tinyelf.identification(architecture)
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return None, ""
    for name in names:
        if name in ("register", "status") or header is None:
            continue
        fields = _entry(os.path.join(directory, name))
        if "enabled" in fields and _matches(fields, header):
            return fields.get("interpreter"), fields.get("flags:", "")
    return None, ""


def _entry(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip().partition(" ") for line in file]
    except OSError:
        return {}
    return {key: value for key, _, value in lines}


def _matches(fields: dict[str, str], header: bytes) -> bool:
    try:
        magic = bytes.fromhex(fields.get("magic", ""))
        mask = bytes.fromhex(fields.get("mask", "")) or b"\xff" * len(magic)
        offset = int(fields.get("offset", "0"))
    except ValueError:
        return False
    seen = header[offset : offset + len(magic)]
    return (
        len(magic) >= 18
        and len(seen) == len(magic) == len(mask)
        and all(
            have & bits == want & bits for have, want, bits in zip(seen, magic, mask, strict=True)
        )
    )


def _runs_natively(architecture: str) -> bool:
    """Run the smallest program from memory."""
    import subprocess

    data = tinyelf.program(architecture)
    if data is None:
        return False
    descriptor = os.memfd_create("probe")
    try:
        os.write(descriptor, data)
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        result = subprocess.run([path], stdin=subprocess.DEVNULL, check=False, timeout=10)
        return result.returncode == tinyelf.STATUS
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        os.close(descriptor)


def _level(platform: Platform) -> Answer:
    if platform.architecture != "amd64" or not platform.variant:
        return Answer(True, f"{platform} is this host's platform")
    flags = _cpu_flags()
    for level, needed in _LEVELS:
        missing = sorted(set(needed.split()) - set(flags))
        if missing:
            reason = f"{platform} needs a processor with {', '.join(missing)}"
            return Answer(False, reason)
        if level == platform.variant:
            return Answer(True, f"this host's processor is at least {platform}")
    return Answer(False, f"unknown variant {platform.variant} of amd64")


def _cpu_flags() -> Collection[str]:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("flags"):
                return line.partition(":")[2].split()
    return ()
