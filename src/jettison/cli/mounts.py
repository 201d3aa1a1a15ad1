"""Mounts and variables of ``jettison run``: docker's words -> the request's types."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from jettison.cli.values import fields, variables
from jettison.errors import JettisonError, UsageError

if TYPE_CHECKING:
    from jettison.app.run import Volume

_VOLUME_MODES = frozenset({"ro", "rw", "z", "Z"})
_BIND_KEYS = frozenset(
    {"type", "src", "source", "dst", "target", "destination", "readonly", "ro", "rw"}
)


def volume(text: str) -> Volume:
    """``SOURCE:TARGET[:MODES]``; modes are ro, rw, z and Z (the last two, of SELinux, no-ops)."""
    source, colon, rest = text.partition(":")
    target, _, modes = rest.partition(":")
    words = [m for m in modes.split(",") if m]
    if not colon or not source or not target or not set(words) <= _VOLUME_MODES:
        hint = "expected SOURCE:TARGET[:ro]"
        raise UsageError(f"invalid value {text!r} for --volume", hint=hint)
    if "/" not in source and source not in (".", ".."):
        hint = f"for a directory write ./{source}"
        raise UsageError(f"named volume {source!r} is not supported", hint=hint)
    return _bind("--volume", source, target, "ro" in words)


def mount(text: str) -> Volume:
    """``type=bind,source=...,target=...[,readonly]`` with docker's aliases of the keys."""
    words = [w if "=" in w else f"{w}=true" for w in text.split(",")]
    found = fields("--mount", ",".join(words))
    unknown = set(found) - _BIND_KEYS
    if unknown:
        raise UsageError(f"unexpected key {min(unknown)!r} in --mount {text}")
    if found.get("type", "bind") != "bind":
        hint = "only type=bind is offered"
        raise UsageError(f"unsupported type {found['type']!r} for --mount", hint=hint)
    source = found.get("src") or found.get("source")
    target = found.get("dst") or found.get("target") or found.get("destination")
    if not source or not target:
        raise UsageError(f"--mount {text} needs source and target")
    read_only = any(_is_true(found.get(key)) for key in ("readonly", "ro"))
    return _bind("--mount", source, target, read_only or found.get("rw") == "false")


def _is_true(text: str | None) -> bool:
    from jettison.cli.argv import parse_bool

    return text is not None and parse_bool("--mount readonly", text)


def _bind(flag: str, source: str, target: str, read_only: bool) -> Volume:
    if not target.startswith("/"):
        raise UsageError(f"invalid target {target!r} for {flag}: it must be absolute")
    path = os.path.abspath(os.path.expanduser(source) if source.startswith("~/") else source)
    if not os.path.exists(path):
        raise JettisonError(f"{flag}: {path} does not exist")
    from jettison.app.run import Volume

    return Volume(source=path, target=target, read_only=read_only)


def environment(
    files: Iterable[str], items: Iterable[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Variables of --env-file, then of --env, which win; ``K`` alone is taken from ``environ``."""
    found: dict[str, str] = {}
    for path in files:
        found |= _env_file(path, environ)
    return found | variables("--env", items, environ)


def _env_file(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Lines ``K=V`` or ``K``, taken literally; blank lines and those beginning with # are not."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\r\n").lstrip() for line in file]
    except OSError as error:
        raise JettisonError(f"cannot read --env-file {path}: {error.strerror}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not key or any(c.isspace() for c in key):
            raise JettisonError(f"{path}:{number}: invalid variable name {key!r}")
        if equals:
            found[key] = value
        elif key in environ:
            found[key] = environ[key]
    return found
