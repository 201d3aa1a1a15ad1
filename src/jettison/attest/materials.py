"""What a build was made from, with digests: images, repositories, files from URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from jettison.attest.redact import redacted
from jettison.attest.statement import digest_set, image_purl
from jettison.errors import JettisonError
from jettison.model.digest import sha256_digest
from jettison.model.platform import Platform
from jettison.model.reference import parse_reference
from jettison.model.source import ResolvedImage
from jettison.plan.steps import Git, Http, Local, Run, SecretMount, SshMount, Step

LAYOUT_PREFIX = "oci-layout://"
Pin = Callable[[Http | Git], str]
"""The digest of a URL's content, or the commit of a repository."""


class Capture(Struct, frozen=True, kw_only=True):
    """What is told of the steps of one image.

    ``materials`` have a URI and digests by algorithm; ``secrets`` and ``ssh`` are ids and whether
    they may be missing, never values; ``locals`` are names of directories of the client.
    """

    materials: tuple[dict[str, Any], ...]
    secrets: tuple[tuple[str, bool], ...]
    ssh: tuple[tuple[str, bool], ...]
    locals: tuple[str, ...]
    network: bool


def capture(
    steps: Iterable[Step], images: Iterable[tuple[ResolvedImage, str, Platform]], pin: Pin
) -> Capture:
    """What ``steps`` and the images they begin with (each with the name it was asked by) say."""
    steps = list(steps)
    runs = [step for step in steps if isinstance(step, Run)]
    mounts = [mount for run in runs for mount in run.mounts]
    remotes = {_uri(step): pin(step) for step in steps if isinstance(step, Http | Git)}
    gits = {_uri(s) for s in steps if isinstance(s, Git)}
    found = dict(sorted(image_material(*image) for image in images))
    materials = [{"uri": uri, "digest": digest_set(digest)} for uri, digest in found.items()]
    for uri in sorted(remotes, key=lambda uri: (uri not in gits, uri)):
        pinned = remotes[uri]
        digests = commit_set(pinned) if uri in gits else digest_set(pinned)
        materials.append({"uri": uri, "digest": digests})
    return Capture(
        materials=tuple(materials),
        secrets=_ids((m.id, not m.required) for m in mounts if isinstance(m, SecretMount)),
        ssh=_ids((m.id, not m.required) for m in mounts if isinstance(m, SshMount)),
        locals=tuple(sorted({step.name for step in steps if isinstance(step, Local)})),
        network=any(run.network != "none" for run in runs),
    )


def image_material(image: ResolvedImage, name: str, platform: Platform) -> tuple[str, str]:
    """The purl and the digest of an image; that of the index, where its name stands for one."""
    digest = image.root.digest if image.root is not None else image.digest
    try:
        if name.startswith(LAYOUT_PREFIX):
            return _layout_purl(name, digest, platform), digest
        return image_purl("docker", name, platform), digest
    except JettisonError:  # an id of the store
        return image_purl("docker", f"image@{sha256_digest(name.encode())}", platform), digest


def _layout_purl(name: str, digest: str, platform: Platform) -> str:
    """``pkg:oci/NAME``: a layout has no name but that of its directory."""
    rest = name.removeprefix(LAYOUT_PREFIX).partition("@")[0]
    last = rest.rstrip("/").rpartition("/")[2]
    path, _, tag = last.partition(":")
    reference = f"{path.lower()}:{tag}" if tag else path.lower()
    parse_reference(reference)
    return image_purl("oci", f"{reference}@{digest}", platform)


def commit_set(commit: str) -> dict[str, str]:
    return {"sha256" if len(commit) == 64 else "sha1": commit}


def _uri(step: Http | Git) -> str:
    url = redacted(step.url)
    return f"{url}#{step.ref}" if isinstance(step, Git) and step.ref else url


def _ids(mounts: Iterable[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Each id once; it may be missing only if no mount requires it."""
    found: dict[str, bool] = {}
    for name, optional in mounts:
        found[name] = found.get(name, True) and optional
    return tuple(sorted(found.items()))
