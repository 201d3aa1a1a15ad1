"""Build arguments: what is predefined, what stands before the first FROM, what are proxies."""

from __future__ import annotations

from collections.abc import Mapping

from jettison.dockerfile.instructions import Dockerfile
from jettison.model.platform import Platform
from jettison.plan.options import PlanOptions
from jettison.plan.words import Words

SCAN_CONTEXT, SCAN_STAGE = "BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"
UNEXPORTED = frozenset({SCAN_CONTEXT, SCAN_STAGE})
"""Arguments that act on the build and never become variables."""

SOURCE_DATE_EPOCH = "SOURCE_DATE_EPOCH"

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def platform_args(
    build: Platform, target: Platform, stage: str, overrides: Mapping[str, str]
) -> dict[str, str]:
    """BUILDPLATFORM, TARGETARCH and so on; ``stage`` is the name of the target stage."""
    values = {
        "BUILDPLATFORM": str(build),
        "BUILDOS": build.os,
        "BUILDOSVERSION": build.os_version,
        "BUILDARCH": build.architecture,
        "BUILDVARIANT": build.variant,
        "TARGETPLATFORM": str(target),
        "TARGETOS": target.os,
        "TARGETOSVERSION": target.os_version,
        "TARGETARCH": target.architecture,
        "TARGETVARIANT": target.variant,
        "TARGETSTAGE": stage or "default",
    }
    return {key: overrides.get(key, value) for key, value in values.items()}


def predefined_args(
    dockerfile: Dockerfile, options: PlanOptions, platform: Platform
) -> dict[str, str]:
    """The arguments that every Dockerfile has, for one target platform."""
    stage = options.target or dockerfile.stages[-1].name or ""
    return platform_args(options.build_platform, platform, stage, options.build_args)


def global_args(
    dockerfile: Dockerfile, predefined: Mapping[str, str], overrides: Mapping[str, str]
) -> dict[str, str]:
    """The values FROM sees: predefined ones and the ARGs before the first FROM.

    A default may use the arguments before it; one that is overridden is not looked at. Raises
    DockerfileError for a default that cannot be expanded.
    """
    values = dict(predefined)
    for arg in dockerfile.global_args:
        for item in arg.values:
            if item.key in overrides:
                values[item.key] = overrides[item.key]
            elif item.value is not None:
                values[item.key] = Words(dockerfile.escape, values, arg.span).word(item.value)
    return values


def proxy_variables(build_args: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The proxy variables for RUN, both spellings of each proxy given as a build argument."""
    given = {key.lower(): build_args[key] for key in sorted(build_args) if build_args[key]}
    return tuple(
        (spelling, given[name])
        for name in _PROXIES
        if name in given
        for spelling in (name.upper(), name)
    )


def with_epoch(args: Mapping[str, str], epoch: int | None) -> dict[str, str]:
    """``args`` with SOURCE_DATE_EPOCH, if it is among them, as the number it stands for."""
    args = dict(args)
    if SOURCE_DATE_EPOCH in args:
        if epoch is None:
            del args[SOURCE_DATE_EPOCH]
        else:
            args[SOURCE_DATE_EPOCH] = str(epoch)
    return args
