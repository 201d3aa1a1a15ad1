"""Annotations of manifests and indexes: ``--annotation`` and the outputs' ``annotation`` keys.

Sources: BuildKit `exporter/containerimage/exptypes/annotations.go` (the outputs' keys) and buildx
`util/buildflags/export.go` (the flag).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from jettison.errors import UsageError
from jettison.model.platform import Platform, matches, parse_platform

KINDS = ("manifest", "manifest-descriptor", "index", "index-descriptor")
_TYPE = re.compile(r"^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$")
_OPTION = re.compile(r"^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)$")


class Annotation(Struct, frozen=True):
    """``key=value`` on what ``kind`` says; ``platform`` None: for all platforms."""

    kind: str
    platform: Platform | None
    key: str
    value: str


def from_flags(flags: Mapping[str, str]) -> tuple[Annotation, ...]:
    """``[TYPE[,TYPE...]:]KEY`` -> value, as --annotation has them. Raises UsageError."""
    found = []
    for text, value in flags.items():
        types, colon, key = text.rpartition(":")
        for name in types.split(",") if colon else ("manifest",):
            match = _TYPE.match(name)
            if match is None or not key:
                raise UsageError(f"invalid annotation {text!r}", hint="expected [TYPE:]KEY=VALUE")
            found.append(_annotation(match[1], match[2], key, value, f"--annotation {text}"))
    return tuple(found)


def from_options(options: Mapping[str, str]) -> tuple[Annotation, ...]:
    """Those of an output: ``annotation[-TYPE][[PLATFORM]].KEY=VALUE``. Raises UsageError."""
    found = []
    for option, value in options.items():
        if not is_option(option):
            continue
        match = _OPTION.match(option)
        if match is None:
            hint = "expected annotation[-TYPE].KEY=VALUE"
            raise UsageError(f"invalid annotation {option!r}", hint=hint)
        found.append(_annotation(match[1] or "manifest", match[2], match[3], value, option))
    return tuple(found)


def is_option(key: str) -> bool:
    """Whether an option of an output is an annotation."""
    return key.startswith(("annotation.", "annotation-", "annotation["))


def of(kind: str, all: Iterable[Annotation], platform: Platform | None = None) -> dict[str, str]:
    """The annotations of this kind for ``platform``; those of one platform count more."""
    general, own = {}, {}
    for annotation in all:
        if annotation.kind == kind:
            if annotation.platform is None:
                general[annotation.key] = annotation.value
            elif platform is not None and matches(platform, annotation.platform):
                own[annotation.key] = annotation.value
    return general | own


def check(
    all: Iterable[Annotation], platforms: Collection[Platform], *, oci: bool, index: bool
) -> None:
    """Raise UsageError for annotations that images of these platforms cannot have.

    ``index``: whether there is one besides the manifests.
    """
    for annotation in all:
        if not oci:
            raise UsageError("annotations need OCI media types", hint="drop oci-mediatypes=false")
        if annotation.kind.startswith("index") and not index:
            raise UsageError(
                f"annotation {annotation.key}: an image of one platform has no index",
                hint="build for several platforms, or annotate the manifest",
            )
        wanted = annotation.platform
        if wanted is not None and not any(matches(platform, wanted) for platform in platforms):
            raise UsageError(f"annotation {annotation.key}: there is no image for {wanted}")


def _annotation(kind: str, platform: str | None, key: str, value: str, where: str) -> Annotation:
    if kind not in KINDS:
        raise UsageError(f"{where}: unknown annotation type", hint=f"types are {', '.join(KINDS)}")
    if platform is not None and kind.startswith("index"):
        raise UsageError(f"{where}: an index has no platform")
    parsed = parse_platform(platform) if platform is not None else None
    return Annotation(kind, parsed, key, value)
