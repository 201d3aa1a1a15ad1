"""The values of --cache-from and --cache-to: buildx's syntax -> the request's types.

Sources: buildx `util/buildflags/cache.go`, BuildKit's cache/remotecache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jettison.app.request import CacheFrom, CacheTo
from jettison.cli.values import fields, one_of, split_csv
from jettison.errors import JettisonError, UsageError
from jettison.model.digest import parse_digest
from jettison.model.reference import parse_reference

_COMPRESSIONS = ("gzip", "zstd", "uncompressed")
_BLOBS = "mode compression compression-level force-compression ignore-error".split()
_TO = {
    "registry": frozenset(["ref", "oci-mediatypes", "image-manifest", *_BLOBS]),
    "local": frozenset(["dest", "tag", "oci-mediatypes", "image-manifest", *_BLOBS]),
    "inline": frozenset[str](),
}
_FROM = {"registry": frozenset(["ref"]), "local": frozenset(["src", "tag", "digest"])}
_SERVICES = {
    "gha": "GitHub's cache service",
    "s3": "Amazon's S3",
    "azblob": "Azure's blob storage",
}
_TRUE = frozenset(["1", "t", "true", ""])
_FALSE = frozenset(["0", "f", "false"])


def cache_from(texts: Iterable[str]) -> tuple[CacheFrom, ...]:
    """All --cache-from; raises UsageError."""
    found = []
    for text in texts:
        for options in _entries("--cache-from", text):
            found.append(_import(text, options))
    return tuple(dict.fromkeys(found))


def cache_to(texts: Iterable[str]) -> tuple[CacheTo, ...]:
    """All --cache-to; raises UsageError."""
    found = []
    for text in texts:
        for options in _entries("--cache-to", text):
            found.append(_export(text, options))
    return tuple(dict.fromkeys(found))


def _entries(flag: str, text: str) -> list[dict[str, str]]:
    """The fields of a value; words without ``=`` are references in registries."""
    words = split_csv(flag, text)
    if not any("=" in word for word in words) and all(words):
        return [{"type": "registry", "ref": word} for word in words]
    return [fields(flag, text)]


def _kind(
    flag: str, text: str, options: dict[str, str], known: Mapping[str, frozenset[str]]
) -> str:
    kind = options.pop("type", "")
    if not kind:
        raise UsageError(f"type is required in {flag} {text}", hint="e.g. type=registry,ref=NAME")
    if kind in _SERVICES:
        raise UsageError(
            f"{flag} type={kind} is not supported: jettison does not speak with {_SERVICES[kind]}",
            hint="use type=registry,ref=NAME, or type=local and have the CI keep the directory",
        )
    if kind == "inline" and kind not in known:
        hint = "an inline cache is read by type=registry,ref=IMAGE"
        raise UsageError(f"{flag} cannot be type=inline", hint=hint)
    one_of(f"type of {flag}", kind, tuple(known))
    for key in options:
        if key not in known[kind]:
            raise UsageError(
                f"unexpected key {key!r} in {flag} {text}",
                hint=f"keys of type={kind} are {', '.join(sorted(known[kind])) or 'none'}",
            )
    return kind


def _import(text: str, options: dict[str, str]) -> CacheFrom:
    flag = "--cache-from"
    kind = _kind(flag, text, options, _FROM)
    where = _where(flag, text, options, "ref" if kind == "registry" else "src")
    if kind == "registry":
        _reference(flag, where)
    if digest := options.get("digest", ""):
        try:
            parse_digest(digest)
        except JettisonError as error:
            raise UsageError(f"{flag} {text}: {error.message}", hint=error.hint) from None
    return CacheFrom(kind, where, options.get("tag") or "latest", digest)


def _export(text: str, options: dict[str, str]) -> CacheTo:
    flag = "--cache-to"
    if options.get("type") == "inline":  # it is what min means, and holds the image's own layers
        if options.get("mode", "min") != "min":
            raise UsageError("--cache-to type=inline has mode=min only", hint="use type=registry")
        options.pop("mode", None)
    kind = _kind(flag, text, options, _TO)
    if kind == "inline":
        return CacheTo(type="inline")
    where = _where(flag, text, options, "ref" if kind == "registry" else "dest")
    if kind == "registry" and _reference(flag, where):
        raise UsageError(f"{flag} {text}: a digest cannot be chosen", hint="name a tag")
    for key in ("oci-mediatypes", "image-manifest"):
        if not _switch(flag, options, key, default=True):
            hint = "a cache is always an OCI image manifest: leave it out"
            raise UsageError(f"{key}=false is not supported in {flag}", hint=hint)
    compression, level = options.get("compression"), options.get("compression-level")
    if level is not None:
        if not level.isdecimal():
            raise UsageError(f"compression-level of {flag} must be a number, not {level!r}")
        compression = compression or "gzip"
    if compression is not None:
        one_of(f"compression of {flag}", compression, _COMPRESSIONS)
    number = int(level[:9]) if level is not None else None
    _check_level(compression, number)
    return CacheTo(
        type=kind,
        where=where,
        mode=one_of(f"mode of {flag}", options.get("mode", "min"), ("min", "max")),
        tag=options.get("tag") or "latest",
        compression=compression,
        level=number,
        force=_switch(flag, options, "force-compression", default=False),
        ignore_error=_switch(flag, options, "ignore-error", default=False),
    )


def _check_level(compression: str | None, level: int | None) -> None:
    """Raise UsageError now, and not after the build."""
    if compression is not None and level is not None:
        from typing import Any

        from jettison.fs.compress import Compression

        kind: Any = compression
        Compression(kind, level)


def _where(flag: str, text: str, options: Mapping[str, str], key: str) -> str:
    where = options.get(key, "")
    if not where:
        raise UsageError(f"{key} is required in {flag} {text}")
    return where


def _reference(flag: str, text: str) -> bool:
    """Whether a reference names a digest; raises UsageError if it is none."""
    try:
        return parse_reference(text).digest is not None
    except JettisonError as error:
        raise UsageError(f"{flag}: {error.message}", hint=error.hint) from None


def _switch(flag: str, options: Mapping[str, str], key: str, *, default: bool) -> bool:
    text = options.get(key)
    if text is None:
        return default
    if text.lower() not in _TRUE | _FALSE:
        raise UsageError(f"{key} of {flag} must be true or false, not {text!r}")
    return text.lower() in _TRUE
