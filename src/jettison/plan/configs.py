"""Image configurations: of an empty image, as inherited, as exported."""

from __future__ import annotations

from typing import Any

import msgspec

from jettison.model.oci import ImageConfig, RootFS, RunConfig, encode
from jettison.model.platform import Platform, make_platform

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def empty_config(platform: Platform) -> ImageConfig:
    """The configuration of ``FROM scratch``."""
    return ImageConfig(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        os_version=platform.os_version,
        os_features=platform.os_features,
        config=RunConfig(Env=(f"PATH={DEFAULT_PATH}",), WorkingDir="/"),
    )


def inherited_config(config: ImageConfig) -> ImageConfig:
    """What is taken over from a base image: all but its creation time and its layers."""
    return msgspec.structs.replace(config, created="", rootfs=RootFS())


def replace_variable(env: tuple[str, ...] | None, key: str, value: str) -> tuple[str, ...]:
    """``env`` (``k=v`` strings) with ``key`` set: in its place, or at the end."""
    pairs = list(env or ())
    for index, pair in enumerate(pairs):
        if pair.startswith(key) and pair.partition("=")[0] == key:
            pairs[index] = f"{key}={value}"
            return tuple(pairs)
    return (*pairs, f"{key}={value}")


def in_unicode(config: ImageConfig) -> ImageConfig:
    """``config`` as JSON can hold it: bytes of the Dockerfile that are no UTF-8 become U+FFFD."""
    try:
        encode(config)
    except UnicodeEncodeError:
        return msgspec.convert(_all_valid(msgspec.to_builtins(config)), ImageConfig)
    return config


def _all_valid(value: Any) -> Any:
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, list | tuple):
        return [_all_valid(item) for item in value]
    if isinstance(value, dict):
        return {valid(key): _all_valid(item) for key, item in value.items()}
    return value


def valid(text: str) -> str:
    """``text`` with U+FFFD for bytes that are no UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def for_platform(config: ImageConfig, platform: Platform) -> ImageConfig:
    """``config`` made to say that it is for ``platform``, in normal form."""
    same = (config.os, config.architecture) == (platform.os, platform.architecture)
    variant = platform.variant or (config.variant if same else "")
    version = platform.os_version or (config.os_version if same else "")
    normal = make_platform(platform.os, platform.architecture, variant, version)
    return msgspec.structs.replace(
        config,
        os=normal.os,
        architecture=normal.architecture,
        variant=normal.variant,
        os_version=version,
        os_features=platform.os_features or config.os_features,
    )
