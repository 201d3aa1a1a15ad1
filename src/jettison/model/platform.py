"""Platforms: ``os/architecture[/variant]``, normalised as containerd does."""

from __future__ import annotations

import re

import msgspec

from jettison.errors import JettisonError

_PART = r"^[A-Za-z0-9_.-]+$"
_ARCH_ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv5l": ("arm", "v5"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
}
_ARCHITECTURES = frozenset(
    [
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mips64",
        "mips64le",
        "mipsle",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "wasm",
    ]
)
_SYSTEMS = frozenset(
    ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "wasip1", "js"]
)


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """A normalised platform, in the field names of an OCI descriptor."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: tuple[str, ...] = msgspec.field(default=(), name="os.features")

    def __str__(self) -> str:
        return "/".join(p for p in (self.os, self.architecture, self.variant) if p)


def make_platform(os: str, architecture: str, variant: str = "", os_version: str = "") -> Platform:
    """Normalise the parts (``x86_64`` is amd64, arm64/v8 is arm64, arm is arm/v7)."""
    arch, implied = _ARCH_ALIASES.get(architecture.lower(), (architecture.lower(), ""))
    variant = variant.lower() or implied
    if arch == "arm64" and variant in ("8", "v8"):
        variant = ""
    if arch == "amd64" and variant == "v1":
        variant = ""
    if arch == "arm" and not variant:
        variant = "v7"
    if arch == "arm" and variant.isdigit():
        variant = "v" + variant
    system = "darwin" if os.lower() == "macos" else os.lower()
    return Platform(architecture=arch, os=system, variant=variant, os_version=os_version)


def parse_platform(text: str, default: Platform | None = None) -> Platform:
    """Parse ``os``, ``arch``, ``arch/variant``, ``os/arch`` or ``os/arch/variant``; an ``os`` may
    be ``os(version)``.

    ``default`` (linux/amd64 unless given) supplies what a one-word platform leaves out.
    Raises JettisonError for anything else (containerd ``platforms.Parse``).
    """
    default = default or Platform(architecture="amd64", os="linux")
    parts = text.split("/")
    version = ""
    match = re.match(r"^([A-Za-z0-9_-]+)\(([A-Za-z0-9_.-]+)\)$", parts[0])
    if match:
        parts[0], version = match[1], match[2]
    if len(parts) > 3 or not all(re.match(_PART, p) for p in parts):
        raise JettisonError(
            f"invalid platform {text!r}", hint="a platform looks like linux/amd64 or linux/arm/v7"
        )
    if len(parts) == 2 and (parts[0] in _ARCHITECTURES or parts[0] in _ARCH_ALIASES):
        return make_platform(default.os, parts[0], parts[1])
    if len(parts) > 1:
        variant = parts[2] if len(parts) == 3 else ""
        return make_platform(parts[0], parts[1], variant, version)
    word = parts[0].lower()
    if word in _SYSTEMS or word == "macos":
        return make_platform(word, default.architecture, default.variant, version)
    if word in _ARCHITECTURES or word in _ARCH_ALIASES:
        return make_platform(default.os, word)
    raise JettisonError(
        f"unknown operating system or architecture {text!r}",
        hint="a platform looks like linux/amd64 or linux/arm/v7",
    )


def matches(wanted: Platform, offered: Platform) -> bool:
    """Whether an image for ``offered`` serves a request for ``wanted`` exactly."""
    a = make_platform(wanted.os, wanted.architecture, wanted.variant)
    b = make_platform(offered.os, offered.architecture, offered.variant)
    return a == b
