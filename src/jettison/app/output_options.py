"""The options of ``--output``: what there is for each type, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jettison.app.packing import PackOptions
from jettison.app.request import Output
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.annotations import Annotation

_COMMON = frozenset(
    """name compression compression-level force-compression oci-mediatypes oci-artifact
    rewrite-timestamp""".split()
)
OPTIONS: Mapping[str, frozenset[str]] = {
    "oci": _COMMON | {"tar"},
    "docker": _COMMON | {"tar"},
    "image": _COMMON | {"push", "store"},
    "registry": _COMMON,
    "tar": frozenset({"platform-split", "attestation-prefix"}),
    "local": frozenset({"platform-split", "attestation-prefix"}),
}
_SWITCHES = frozenset(
    """force-compression oci-artifact oci-mediatypes platform-split push rewrite-timestamp store
    tar""".split()
)
_TRUE = frozenset(["1", "t", "T", "true", "True", "TRUE", ""])
_FALSE = frozenset(["0", "f", "F", "false", "False", "FALSE"])
FILES = ("local", "tar")
"""Types that give files and no image."""


def check(output: Output, annotations: Mapping[str, str]) -> None:
    """Raise UsageError for whatever an output of this type cannot be asked for."""
    known = OPTIONS.get(output.type)
    if known is None:
        raise UsageError(
            f"unsupported output type {output.type!r}", hint=f"types are {', '.join(OPTIONS)}"
        )
    for key in output.options:
        if key not in known and (output.type in FILES or not _is_annotation(key)):
            raise UsageError(
                f"unknown option {key!r} of output type {output.type}",
                hint=f"options are {', '.join(sorted(known))}",
            )
        if key in _SWITCHES:
            switch(output, key, default=False)
    if output.dest is None and output.type in ("oci", "docker", "tar", "local"):
        raise UsageError(f"output type {output.type} needs dest=PATH")
    directory = output.type == "local" or not switch(output, "tar", default=True)
    if directory and output.dest == "-":
        raise UsageError("a directory cannot be written to standard output")
    if output.type not in FILES:
        pack_options(output, annotations)


def switch(output: Output, key: str, *, default: bool) -> bool:
    """An option that is true or false (Go, strconv.ParseBool); the bare key means true."""
    text = output.options.get(key)
    if text is None:
        return default
    if text not in _TRUE | _FALSE:
        raise UsageError(f"{key} of --output must be true or false, not {text!r}")
    return text in _TRUE


def pack_options(output: Output, annotations: Mapping[str, str]) -> PackOptions:
    """What of an output's options, and of --annotation, decides the bytes of the image."""
    from jettison.fs.compress import Compression

    kind: Any = output.options.get("compression", "gzip")
    level = output.options.get("compression-level")
    if level is not None and not level.lstrip("-").isdecimal():
        raise UsageError(f"compression-level must be a number, not {level!r}")
    oci = switch(output, "oci-mediatypes", default=True)
    if not oci and kind == "zstd":
        raise UsageError("Docker's media types do not know zstd", hint="drop oci-mediatypes=false")
    return PackOptions(
        compression=Compression(kind, int(level) if level is not None else None),
        force=switch(output, "force-compression", default=False),
        oci=oci,
        rewrite_timestamp=switch(output, "rewrite-timestamp", default=False),
        annotations=_annotations(output, annotations),
    )


def _annotations(output: Output, flags: Mapping[str, str]) -> tuple[Annotation, ...]:
    if not flags and not any(map(_is_annotation, output.options)):
        return ()
    from jettison.app.annotations import from_flags, from_options

    return (*from_flags(flags), *from_options(output.options))


def _is_annotation(key: str) -> bool:
    return key.startswith(("annotation.", "annotation-", "annotation["))
